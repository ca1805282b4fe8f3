"""The price list, in one place: US dollars, list prices without free tiers, in Iowa or tier 1."""

from dataclasses import dataclass

READ_ON = "22 November 2026"
"""When the stored copies of the pages were read; each says what it is a copy of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit costs.

    Attributes:
        usd: Of so many units as `per` says.
        source: Where it stands, and what is known of that copy's age.
    """

    name: str
    usd: float
    per: float
    unit: str
    source: str

    def of(self, units: float) -> float:
        """Return what so many units cost, in US dollars."""
        return self.usd * units / self.per


_FIRESTORE = (
    "Google Cloud documentation, Firestore editions, base pricing for us-central1 (undated copy; "
    "read the same on the price list by others on 18 August 2026)"
)
_RUN = (
    "cloud.google.com/run/pricing, request-based billing, tier 1 (undated copy; the same in "
    "cloudchipr.com/blog/cloud-run-pricing of 2025)"
)

FIRESTORE_READS = Price(
    name="Firestore reads", usd=0.03, per=100_000, unit="documents", source=_FIRESTORE
)
FIRESTORE_WRITES = Price(
    name="Firestore writes", usd=0.09, per=100_000, unit="documents", source=_FIRESTORE
)
FIRESTORE_DELETES = Price(
    name="Firestore deletes (time to live)", usd=0.01, per=100_000, unit="documents",
    source=_FIRESTORE,
)  # fmt: skip
RUN_REQUESTS = Price(
    name="Cloud Run functions, calls", usd=0.40, per=1_000_000, unit="requests", source=_RUN
)
RUN_CPU = Price(
    name="Cloud Run functions, CPU", usd=0.000024, per=1, unit="vCPU-second", source=_RUN
)
RUN_MEMORY = Price(
    name="Cloud Run functions, memory", usd=0.0000025, per=1, unit="GiB-second", source=_RUN
)
PUBSUB = Price(
    name="Pub/Sub, each way, at least 1,000 bytes a request", usd=40, per=2**40, unit="bytes",
    source="cloud.google.com/pubsub/pricing (undated copy)",
)  # fmt: skip
TEMPORAL_ACTIONS = Price(
    name="Temporal Cloud, actions up to 5 million a month", usd=50, per=1_000_000, unit="actions",
    source="docs.temporal.io/cloud/pricing in github.com/temporalio/documentation at 003cfc5: "
    "$50, then $45 up to 10, $40 up to 20, $35 up to 50 million; a plan from $100 a "
    "month or 5 %, with 1 million in it",
)  # fmt: skip
HOOKDECK_EVENTS = Price(
    name="Hookdeck Event Gateway, Team plan, events beyond 10,000", usd=0.33, per=100_000,
    unit="events",
    source="second-hand: toolradar.com/tools/hookdeck/pricing as quoted in August 2026; its own "
    "page was not to be had; $39 a month and 5 events a second beside",
)  # fmt: skip
STEP_FUNCTIONS = Price(
    name="AWS Step Functions, standard", usd=0.025, per=1_000, unit="state transitions",
    source="aws.amazon.com/step-functions/pricing, US East (undated copy)",
)  # fmt: skip
WORKFLOWS_INTERNAL = Price(
    name="Google Workflows, internal", usd=0.01, per=1_000, unit="steps",
    source="cloud.google.com/workflows/pricing for what counts; the price itself second-hand, "
    "from several public repositories of 2025 and 2026 that agree",
)  # fmt: skip
WORKFLOWS_EXTERNAL = Price(
    name="Google Workflows, external", usd=0.025, per=1_000, unit="steps",
    source=WORKFLOWS_INTERNAL.source,
)  # fmt: skip

TEMPORAL_TIERS = ((5e6, 50.0), (5e6, 45.0), (10e6, 40.0), (30e6, 35.0), (50e6, 30.0), (1e12, 25.0))
"""So many actions at so much a million; see `TEMPORAL_ACTIONS`."""
TEMPORAL_INCLUDED = 1e6
TEMPORAL_PLAN_USD, TEMPORAL_PLAN_SHARE = 100.0, 0.05
HOOKDECK_PLAN_USD, HOOKDECK_INCLUDED = 39.0, 10_000

PRICES = (
    FIRESTORE_READS, FIRESTORE_WRITES, FIRESTORE_DELETES, RUN_REQUESTS, RUN_CPU, RUN_MEMORY,
    PUBSUB, TEMPORAL_ACTIONS, HOOKDECK_EVENTS, STEP_FUNCTIONS, WORKFLOWS_INTERNAL,
    WORKFLOWS_EXTERNAL,
)  # fmt: skip
