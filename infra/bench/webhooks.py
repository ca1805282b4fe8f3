"""Figure 1: from a callback to its acknowledgement and to the event, against the floor."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.bench.duel import WARMING_UP, Contestant, Duel, Side, run_duels
from infra.bench.figure import Check, Figure, Table
from infra.bench.floor.main import COLLECTION as FLOOR_COLLECTION
from infra.bench.floor.main import TOPIC as FLOOR_TOPIC
from infra.bench.jobs import OUTPUT, processing_job, store_copies
from infra.bench.receiving import Receiver
from infra.bench.rig import COMPLETIONS_TOPIC, PROJECT, Rig, firestore_client
from infra.bench.spread import Spread
from infra.bench.volley import Shot
from relay.adapters.firestore import JOBS
from relay.domain.tokens import make_token

TARGET_RATIO = 0.80
TARGET_SENDERS = 32
TARGET_ADDED_MS = 2.0
"""At one sender, p50."""
EVENTS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """All duels, and when the events came."""

    duels: tuple[Duel, ...]
    relay_events_at: Mapping[str, float]
    floor_events_at: Mapping[str, float]

    def to_event(self, side: Side, received_at: Mapping[str, float]) -> Spread:
        """Return how long it took from sending a callback to receiving its event."""
        return Spread.of([received_at[one.key] - one.sent_at for one in side.answered])


def measure(rig: Rig, *, rounds: int, requests: Mapping[int, int]) -> Webhooks:
    """Measure at every number of senders.

    Args:
        requests: Of one round, by the number of senders.
    """
    with (
        rig.serving(("provider_webhook", "floor_webhook")) as functions,
        Receiver(rig.pubsub_host, project=PROJECT, topic=COMPLETIONS_TOPIC) as relay_events,
        Receiver(rig.pubsub_host, project=PROJECT, topic=FLOOR_TOPIC) as floor_events,
    ):
        relay = Contestant(
            served=functions["provider_webhook"], headers={}, shots=_shots_at_relay(rig), status=200
        )
        floor = Contestant(
            served=functions["floor_webhook"], headers={}, shots=_shots_at_floor(rig), status=200
        )
        duels = run_duels(relay, floor, rounds=rounds, requests=requests)
        sent = WARMING_UP + sum(len(one.relay.answered) for one in duels)
        relay_events.wait_for(sent, within_s=EVENTS_WITHIN_S)
        floor_events.wait_for(sent, within_s=EVENTS_WITHIN_S)
        return Webhooks(
            duels=duels,
            relay_events_at=dict(relay_events.received_at),
            floor_events_at=dict(floor_events.received_at),
        )


def _shots_at_relay(rig: Rig) -> Callable[[int], Sequence[Shot]]:
    def path(job_id: str) -> str:
        token = make_token(rig.webhook_key, provider="gepetto", job_id=job_id)
        return f"/gepetto/{job_id}/{token}"

    return _shots(rig, collection=JOBS, path=path)


def _shots_at_floor(rig: Rig) -> Callable[[int], Sequence[Shot]]:
    return _shots(rig, collection=FLOOR_COLLECTION, path=lambda job_id: f"/{job_id}")


def _shots(rig: Rig, *, collection: str, path: Callable[[str], str]) -> Callable[[int], list[Shot]]:
    client = firestore_client(rig.firestore_host, project=PROJECT)

    def shots(count: int) -> list[Shot]:
        now = datetime.now(UTC)
        job = processing_job(at=now, poll_at=now)
        later = [now + timedelta(hours=1)] * count
        body = json.dumps({"id": job.provider_job_id, "output": OUTPUT})
        return [
            Shot(key=job_id, path=path(job_id), body=body)
            for job_id in store_copies(client, job, later, collection=collection)
        ]

    return shots


def figure(webhooks: Webhooks, *, chart: str) -> Figure:
    """Say what was measured."""
    answers = [(one, one.relay.to_answer(), one.floor.to_answer()) for one in webhooks.duels]
    events = [
        (
            one,
            webhooks.to_event(one.relay, webhooks.relay_events_at),
            webhooks.to_event(one.floor, webhooks.floor_events_at),
        )
        for one in webhooks.duels
    ]
    at_target = next(one for one in webhooks.duels if one.senders == TARGET_SENDERS)
    _, of_relay, of_floor = answers[0]
    added = of_relay.above(of_floor).p50
    return Figure(
        title="Webhook to acknowledgement and to event",
        notes=(
            """
            The floor is a bare function behind the same framework, server and thread count, on
            the same emulators, that does what no crash-safe design can do without: it gets the
            document, changes it on condition that nobody else did, publishes the event and waits
            for the topic, and marks the document. It has no token to check, no states, no
            history, no log. Both publish by the same single awaited call, and both have the
            clients' own retries off, and both call Firestore's generated client and fill its
            messages themselves. They take turns in short rounds, each going first in every other
            one; a ratio is that of the median round.
            """,
            """
            The sender, the receiver of the events, both emulators and the function share the
            same two cores: all but the function cost both sides the same, which draws every
            ratio towards 1 and makes every absolute figure worse than it would be alone.
            """,
        ),
        tables=(
            Table(
                caption="Throughput, callbacks a second",
                head=THROUGHPUT_HEAD,
                rows=throughput_rows(webhooks.duels),
            ),
            Table(
                caption="Callback sent to acknowledgement received, ms",
                head=LATENCY_HEAD,
                rows=tuple(latency_row(*one) for one in answers),
            ),
            Table(
                caption="Callback sent to event received, ms",
                head=LATENCY_HEAD,
                rows=tuple(latency_row(*one) for one in events),
            ),
        ),
        checks=(
            ratio_check("webhook throughput", at_target, target=TARGET_RATIO),
            Check(
                figure="added p50 per webhook, 1 sender",
                target=f"at most {TARGET_ADDED_MS:g} ms over the floor",
                measured=f"{added:.1f} ms",
                holds=added <= TARGET_ADDED_MS,
            ),
        ),
        chart=chart,
    )


THROUGHPUT_HEAD = (
    "senders", "relay", "floor", "ratio", "lowest and highest round",
    "relay's CPU, ms a request", "floor's",
)  # fmt: skip
LATENCY_HEAD = (
    "senders", "relay p50", "p95", "p99", "floor p50", "p95", "p99",
    "added p50", "p95", "p99",
)  # fmt: skip


def latency_row(one: Duel, relay: Spread, floor: Spread) -> tuple[str, ...]:
    """Return both sides' percentiles, and by how much the relay's are higher."""
    return (str(one.senders), *relay.cells(), *floor.cells(), *relay.above(floor).cells())


def throughput_rows(duels: Sequence[Duel]) -> tuple[tuple[str, ...], ...]:
    """Return both sides' throughput by number of senders."""
    return tuple(
        (
            str(one.senders),
            f"{one.relay.median_per_s:.0f}",
            f"{one.floor.median_per_s:.0f}",
            f"{one.ratio:.2f}",
            f"{min(one.ratios):.2f} to {max(one.ratios):.2f}",
            f"{one.relay.cpu_ms:.2f}",
            f"{one.floor.cpu_ms:.2f}",
        )
        for one in duels
    )


def ratio_check(what: str, one: Duel, *, target: float) -> Check:
    """Hold a duel against its target."""
    return Check(
        figure=f"{what}, {one.senders} senders",
        target=f"at least {target:.2f} of the floor",
        measured=f"{one.ratio:.2f}",
        holds=one.ratio >= target,
    )
