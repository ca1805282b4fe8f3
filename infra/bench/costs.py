"""What a million jobs cost: the relay's by its counted operations, others' by their arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.bench import prices
from infra.bench.operations import Used
from infra.bench.prices import Price

MILLION = 1_000_000
# As terraform/ sizes them, in GiB; each has one vCPU.
API_MEMORY, PUMP_MEMORY = 0.5, 0.5
# Billing counts at least this for a call that shares its instance's time with no other.
CALL_S = 0.1
# A push or pull of an event or a tick, with its attributes.
EVENT_OVERHEAD = 600
LEAST_BYTES = 1000

HTTP = ("jobs_api", "provider_webhook")


def relay_costs(used: Used) -> Mapping[str, float]:
    """Return what a million such jobs cost, by item, in US dollars.

    An upper bound where calls share instances: each call of an HTTP function is taken to have
    one to itself for 100 ms. Pumps are taken for as long as they worked.
    """
    event_bytes = max(LEAST_BYTES, used.event_bytes + EVENT_OVERHEAD)
    # Everything that is published is delivered once.
    moved = 2 * (used.done("event") * event_bytes + used.done("tick") * LEAST_BYTES)
    calls = used.done(*HTTP)
    # A tick that meets a lease is a call like any other.
    met_a_lease = used.done("poll_tick") - used.tally.windows / used.jobs
    return {
        "Firestore writes": prices.FIRESTORE_WRITES.of(used.writes * MILLION),
        "Firestore reads": prices.FIRESTORE_READS.of(used.reads * MILLION),
        "Firestore deletes": prices.FIRESTORE_DELETES.of(MILLION),
        "Pub/Sub": prices.PUBSUB.of(moved * MILLION),
        "function calls": prices.RUN_REQUESTS.of((calls + used.done("poll_tick")) * MILLION)
        + _instance(calls * CALL_S * MILLION, API_MEMORY),
        "pump": _instance((used.pump_s + max(0.0, met_a_lease) * CALL_S) * MILLION, PUMP_MEMORY),
    }


def _instance(seconds: float, memory_gib: float) -> float:
    return prices.RUN_CPU.of(seconds) + prices.RUN_MEMORY.of(seconds * memory_gib)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The same job, made of something else.

    Attributes:
        arithmetic: What is counted, and what is not.
    """

    name: str
    usd: float
    arithmetic: str


def alternatives(*, polls: float, calls_back: bool) -> tuple[Alternative, ...]:
    """Return what a million jobs cost elsewhere, in services billed per action, event or step.

    Args:
        polls: How often a job is asked about: as often as the relay does.
    """
    temporal = (5 if calls_back else 4) + polls
    callback = "start, submit, deadline timer, signal, publish"
    actions = (
        callback
        if calls_back
        else f"start, submit, {polls:.1f} polls as retries of one \
activity, deadline timer, publish"
    )
    transitions = 5 + 3 * polls
    internal = 6 + 2 * polls
    external = (2 if calls_back else 1) + polls
    found = [
        Alternative(
            name="Temporal Cloud (durable execution, per action)",
            usd=temporal_usd(temporal * MILLION),
            arithmetic=f"{temporal:.1f} actions: {actions}; workers, and the function that takes "
            "callbacks, come on top",
        ),
        Alternative(
            name="AWS Step Functions (per step)",
            usd=prices.STEP_FUNCTIONS.of(transitions * MILLION),
            arithmetic=f"{transitions:.1f} transitions: start, submit, record, publish, end"
            + (f", and wait, ask, choose for each of {polls:.1f} polls" if polls else "")
            + "; the functions behind the steps come on top",
        ),
        Alternative(
            name="Google Workflows (per step)",
            usd=prices.WORKFLOWS_INTERNAL.of(internal * MILLION)
            + prices.WORKFLOWS_EXTERNAL.of(external * MILLION),
            arithmetic=f"{internal:.1f} internal steps (assign, two writes, choose, publish, end"
            + (f"; sleep, choose a poll, {polls:.1f} of them" if polls else "")
            + f") and {external:.1f} external (submit"
            + (", await callback" if calls_back else "")
            + (", polls" if polls else "")
            + ")",
        ),
    ]
    if calls_back:
        found.append(
            Alternative(
                name="Hookdeck, callbacks (webhook gateway, per event, for nothing else)",
                usd=prices.HOOKDECK_PLAN_USD
                + prices.HOOKDECK_EVENTS.of(MILLION - prices.HOOKDECK_INCLUDED),
                arithmetic="one event a job, for the callback's way alone: documents, "
                "submissions, limits, deadlines, polls for lost callbacks and the functions that "
                "do all that come on top",
            )
        )
    return tuple(found)


def temporal_usd(actions: float) -> float:
    """Return what so many actions in one month cost, with the plan."""
    left, usage = max(0.0, actions - prices.TEMPORAL_INCLUDED), 0.0
    for size, usd in prices.TEMPORAL_TIERS:
        taken = min(left, size)
        usage += taken * usd / MILLION
        left -= taken
    return usage + max(prices.TEMPORAL_PLAN_USD, usage * prices.TEMPORAL_PLAN_SHARE)


def price_cells(price: Price) -> tuple[str, ...]:
    """Return a price as a row of the list."""
    return (price.name, f"${price.usd:g}", f"{price.per:,.0f} {price.unit}", price.source)
