"""Figure 3: what jobs cost in operations, counted on a virtual clock at the real client."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from infra.bench.counting import READ, WRITE, Counted
from infra.bench.deployment import Deployment, Renders, Tally

_projects = count(1)

# A million jobs in thirty days.
PER_MINUTE = 1_000_000 / (30 * 24 * 60)
QUIET_S = 10.0
WARM_S = 60.0
MEASURED_S = 120.0

JOB_WRITES, JOB_READS = 5, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of job."""

    name: str
    renders: Renders

    @property
    def polls_for_its_end(self) -> bool:
        """Whether only polls can bring the result."""
        return self.renders.fails or not self.renders.calls_back


WEBHOOK = Kind(
    name="webhook after 20 s", renders=Renders(provider="gepetto", take_s=20.0, calls_back=True)
)
KINDS = (
    WEBHOOK,
    Kind(name="polled, 30 s", renders=Renders(provider="spacely", take_s=30.0)),
    Kind(name="polled, 10 min", renders=Renders(provider="spacely", take_s=600.0)),
    Kind(name="failed after 20 s", renders=Renders(provider="gepetto", take_s=20.0, fails=True)),
    Kind(name="webhook lost, 20 s", renders=Renders(provider="gepetto", take_s=20.0)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What some jobs used, by how many there were.

    Attributes:
        job_writes: Of the job's own document.
        job_reads: Of it, by its name.
    """

    jobs: int
    counted: Counted
    tally: Tally
    event_bytes: int

    @property
    def job_writes(self) -> float:
        return self.counted.in_collection(WRITE, "jobs") / self.jobs

    @property
    def job_reads(self) -> float:
        return self.counted.in_collection(READ, "jobs") / self.jobs

    @property
    def reads(self) -> float:
        """Document reads a job as they are billed: a query counts as at least one."""
        by_name = sum(n for (what, _), n in self.counted.of_documents.items() if what == READ)
        return (by_name + self.counted.billed_queries) / self.jobs

    @property
    def writes(self) -> float:
        """Document writes a job, of all documents."""
        written = sum(n for (what, _), n in self.counted.of_documents.items() if what == WRITE)
        return written / self.jobs

    def of(self, what: str, collection: str) -> float:
        """Return how often this was done to a collection, a job."""
        return self.counted.in_collection(what, collection) / self.jobs

    def done(self, *names: str) -> float:
        """Return how often any of these was done beside Firestore, a job."""
        return sum(self.tally.done[name] for name in names) / self.jobs

    @property
    def pump_s(self) -> float:
        """How long a pump worked, a job."""
        return self.tally.pump_s / self.jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One kind of job, alone and among others."""

    kind: Kind
    lonely: Used
    busy: Used


def measure(host: str, *, kinds: Sequence[Kind] = KINDS) -> tuple[Cost, ...]:
    """Count for each kind of job.

    Args:
        host: The Firestore emulator's.
    """
    return tuple(
        Cost(kind=kind, lonely=count_lonely(host, kind), busy=_count_busy(host, kind))
        for kind in kinds
    )


def count_lonely(host: str, kind: Kind) -> Used:
    """Count one job alone in its account, from its creation until no pump works any more."""
    relay = _deployment(host, kind)
    relay.clock.run_until(QUIET_S)
    before, tally_before = relay.counted.copy(), relay.tally.copy()
    job_id = relay.create()
    is_over = False
    while not is_over:
        relay.clock.run_until(relay.clock.passed_s + 0.5)
        counted, tally = relay.counted.copy(), relay.tally.copy()
        job = relay.job(job_id)
        is_over = job.is_final and not job.unpublished
        relay.counting.counted = counted.copy()
    return Used(
        jobs=1,
        counted=counted.since(before),
        tally=tally.since(tally_before),
        event_bytes=relay.event_bytes,
    )


def _count_busy(host: str, kind: Kind) -> Used:
    """Count while as many jobs end as begin, over whole minutes."""
    relay = _deployment(host, kind)
    starts_s = kind.renders.take_s + WARM_S
    jobs = round(PER_MINUTE * MEASURED_S / 60)
    every_s = MEASURED_S / jobs
    taken: list[tuple[Counted, Tally]] = []
    at_s = 0.0
    while at_s < starts_s + MEASURED_S:
        relay.clock.after(at_s, relay.create)
        at_s += every_s
    for at_s in (starts_s, starts_s + MEASURED_S):
        relay.clock.after(at_s, lambda: taken.append((relay.counted.copy(), relay.working())))
    relay.clock.run_until(starts_s + MEASURED_S)
    (before, tally_before), (after, tally_after) = taken
    return Used(
        jobs=jobs,
        counted=after.since(before),
        tally=tally_after.since(tally_before),
        event_bytes=relay.event_bytes,
    )


def _deployment(host: str, kind: Kind) -> Deployment:
    return Deployment(host, project=f"counted-{next(_projects)}", renders=kind.renders)
