"""Figure 7: how soon a tenant's jobs are sent while another tenant has thousands queued."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.bench.figure import Check, Figure, Table
from infra.bench.jobs import delete, queued_job, store_queue
from infra.bench.relay import RunningRelay, job_body
from infra.bench.spread import Spread
from infra.local.stack import running_stack
from relay.domain.catalogue import CATALOGUE
from relay.domain.limits import Limit

QUEUED = (0, 1_000, 20_000)
TARGET_USE = 0.80
SETTLES_S = 2.0
ENV = {
    "LOCAL_TICK_EVERY_S": "60",
    "LOCAL_SANDBOX_ARGS": "--no-download --render-s 2",
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """The second tenant at one account.

    Attributes:
        every_s: How long after one job it creates the next.
        target_s: How soon 95 of 100 of its jobs are to be sent.
    """

    account: str
    jobs: int
    every_s: float
    target_s: float

    @property
    def limit(self) -> Limit:
        """The documented limit of the account."""
        return CATALOGUE[self.account].limit


# Fewer jobs than half of the limit lets out: beyond that a tenant waits for its own jobs.
GUESTS = (
    Guest(account="spacely", jobs=60, every_s=0.1, target_s=3.0),
    Guest(account="gepetto", jobs=15, every_s=2.0, target_s=6.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """What one guest met.

    Attributes:
        queued: Jobs of the first tenant when it began.
        waits_s: From the creation of its jobs to the provider's taking note of them.
        calls: All calls to the provider from its first job to its last.
        over_s: How long that took.
    """

    guest: Guest
    queued: int
    waits_s: tuple[float, ...]
    calls: int
    over_s: float

    @property
    def spread(self) -> Spread:
        """How its waits are spread."""
        return Spread.of(self.waits_s)

    @property
    def use(self) -> float:
        """The share of the documented limit that was used."""
        limit = self.guest.limit
        return self.calls * limit.window_s / (limit.calls * self.over_s)


def measure(
    *,
    queued: Sequence[int] = QUEUED,
    guests: Sequence[Guest] = GUESTS,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Waited, ...]:
    """Run the whole stack, and measure behind each of these numbers of jobs.

    Raises:
        TimeoutError: A pump works on without anything to do.
    """
    waited: list[Waited] = []
    for guest in guests:
        # Each with an emulator of its own, which does not forget what was deleted.
        with (
            TemporaryDirectory() as directory,
            running_stack(
                stack_file=Path(directory) / "stack.json", env={**os.environ, **ENV}
            ) as stack,
        ):
            relay = RunningRelay(stack)
            relay.sent_at([relay.create(guest.account)[0]])
            for number in queued:
                waited.append(_wait(relay, guest, number))
                say(f"neighbours, {guest.account}, behind {number:,} jobs")
    return tuple(waited)


def _wait(relay: RunningRelay, guest: Guest, queued: int) -> Waited:
    relay.wait_until_idle(guest.account)
    given = job_body(guest.account, relay.picture(f"flood-{queued}", ""))
    flood = queued_job(
        at=datetime.now(UTC),
        tenant="flood",
        provider=guest.account,
        operation=str(given["operation"]),
        given=given["input"],
    )
    ids = store_queue(relay.firestore, flood, queued)
    relay.wake(guest.account)
    time.sleep(SETTLES_S)
    created: dict[str, float] = {}
    began_s, began_at = time.monotonic(), time.time()
    for number in range(guest.jobs):
        time.sleep(max(0.0, began_s + number * guest.every_s - time.monotonic()))
        picture, at = relay.create(guest.account)
        created[picture] = at
    try:
        sent = relay.sent_at(list(created))
    except TimeoutError:
        # Those that were not sent count as sent now.
        sent = {**dict.fromkeys(created, time.time()), **relay.sent()}
    ended_at = max(sent[picture] for picture in created)
    calls = sum(
        call["provider"] == guest.account and began_at <= float(str(call["at"])) < ended_at
        for call in relay.calls()
    )
    delete(relay.firestore, ids)
    return Waited(
        guest=guest,
        queued=queued,
        waits_s=tuple(sent[picture] - at for picture, at in created.items()),
        calls=calls,
        over_s=ended_at - began_at,
    )


def figure(waited: Sequence[Waited]) -> Figure:
    """Say what was measured."""
    return Figure(
        title="Busy neighbours",
        notes=(
            """
            The whole stack with the sandbox of both providers at their documented limits. One
            tenant has jobs queued, written into the store as the product writes them; another one
            creates its own, one after the other, a job every 0.1 s at Spacely and every 2 s at
            Gepetto. The wait is that from a job's `createdAt` to the moment at which the provider
            notes its call. All jobs end while it lasts, at Spacely by a poll each, which takes
            a place in the limit too.
            """,
            """
            The use is that of the documented limit, all tenants' calls together, from the second
            tenant's first job to its last. The relay keeps 5 % below the limit, and a call has its
            place until one window after its *end*. The emulator has no indexes: every query goes
            through all stored documents, 20,000 of them in some 0.1 s, and there are three or four
            a second; the service reads those that it returns.
            """,
        ),
        tables=(
            Table(
                caption="Job created to job sent, behind another tenant's queue",
                head=("account", "queued", "jobs", "p50, s", "p95, s", "use of the limit"),
                rows=tuple(
                    (
                        one.guest.account,
                        f"{one.queued:,}",
                        str(len(one.waits_s)),
                        f"{one.spread.p50 / 1000:.2f}",
                        f"{one.spread.p95 / 1000:.2f}",
                        f"{one.use:.0%}",
                    )
                    for one in waited
                ),
            ),
        ),
        checks=tuple(check for one in waited if one.queued for check in _checks(one)),
    )


def _checks(waited: Waited) -> tuple[Check, Check]:
    guest, p95_s = waited.guest, waited.spread.p95 / 1000
    behind = f"{guest.account}, behind {waited.queued:,} jobs of another tenant"
    return (
        Check(
            figure=f"job created to job sent, {behind}",
            target=f"p95 at most {guest.target_s:.0f} s",
            measured=f"{p95_s:.2f} s",
            holds=p95_s <= guest.target_s,
        ),
        Check(
            figure=f"use of the limit, {behind}",
            target=f"at least {TARGET_USE:.0%}",
            measured=f"{waited.use:.0%}",
            holds=waited.use >= TARGET_USE,
        ),
    )
