"""One run of the demo on a running stack, and the kills on the way."""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from rich.console import Console

from infra.demo.checks import Check, all_checks
from infra.demo.evidence import (
    Evidence,
    Restart,
    accepted_renders,
    read_again,
    read_documents,
)
from infra.demo.following import NOT_SENT, Followed, Following
from infra.demo.jobs import GEPETTO, JOBS
from infra.demo.pictures import PictureStore, contact_sheet
from infra.demo.receiver import Receiver
from infra.demo.relay_api import Refused, RelayApi
from infra.demo.screen import open_screen
from infra.local.inbox import Inbox
from infra.local.plan import StackDescription
from infra.local.processes import StopRequest
from infra.local.stack import Stack

SHEET = "contact-sheet.png"
SUBSCRIPTION = "demo-completions"
RECEIVER = "demo"
LIMIT_S = 110.0
LIMIT_WITH_KILLS_S = 240.0
_STEP_S = 0.25
_LINGER_S = 2.0
"""How long to wait for surplus events."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a run.

    Attributes:
        took_s: From the first job sent to the last event received.
        is_in_time: Everything happened within the time limit.
        unfinished: The jobs that were not over by then, and what they lack.
    """

    checks: tuple[Check, ...]
    sheet: Path
    took_s: float
    is_in_time: bool
    unfinished: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether everything holds."""
        return self.is_in_time and all(check.holds for check in self.checks)


def run_demo(
    stack: Stack, *, console: Console, output: Path, with_kills: bool, stop: StopRequest
) -> Outcome:
    """Run the twelve jobs to their end, or to the time limit, and check everything.

    Args:
        output: The directory for the pictures.
        with_kills: Kill each function once while jobs are running.

    Raises:
        DemoError: The relay refused a job, or no longer answers at all.
        LocalStackError: The stack ended, or was asked to stop.
    """
    at = stack.description
    if at.sandbox_url is None:
        raise Refused("the stack has no sandbox; the demo never calls real providers")
    killer = Killer(KILLS if with_kills else (), stack=stack)
    with ExitStack() as cleanup:
        # The subscription comes first: Pub/Sub keeps no event for a later subscriber.
        inbox = cleanup.enter_context(
            Inbox(
                host=at.pubsub_emulator_host,
                project=at.project,
                topic=at.completions_topic,
                subscription=SUBSCRIPTION,
            )
        )
        api = cleanup.enter_context(RelayApi(url=at.api_url, key=at.api_key))
        receiver = cleanup.enter_context(Receiver(sandbox_url=at.sandbox_url, name=RECEIVER))
        receiver.give_secrets(api.callback_secrets())
        store = cleanup.enter_context(
            PictureStore(
                output, jobs=JOBS, sandbox_url=at.sandbox_url, read=partial(_read_output, at)
            )
        )
        following = Following(
            JOBS,
            api=api,
            sandbox_url=at.sandbox_url,
            inbox=inbox,
            receiver=receiver,
            run=secrets.token_hex(4),
        )
        limit_s = LIMIT_WITH_KILLS_S if with_kills else LIMIT_S
        began = time.monotonic()
        with open_screen(console) as screen:
            while True:
                stop.check()
                stack.check()
                followed = following.step()
                screen.show(followed, elapsed_s=time.monotonic() - began)
                store.fetch(followed)
                killer.step(followed)
                took_s = time.monotonic() - began
                is_over = all(one.is_over for one in followed) and not killer.left
                if is_over or took_s > limit_s:
                    break
                time.sleep(_STEP_S)
            if is_over:
                _linger(stop)
        followed = read_again(followed, api=api)
        saved = store.saved()
        pids = stack.description.pids
        evidence = Evidence(
            followed=followed,
            documents=read_documents(followed, at=at),
            deliveries=inbox.deliveries,
            renders=accepted_renders(at.sandbox_url),
            pictures=sum(len(pictures.after) for pictures in saved.values()),
            callbacks=receiver.callbacks,
            restarts=tuple(
                Restart(function=name, old_pid=old_pid, new_pid=pids[name])
                for name, old_pid in killer.killed.items()
            ),
        )
    sheet = output / SHEET
    contact_sheet(followed, saved).save(sheet)
    return Outcome(
        checks=all_checks(evidence),
        sheet=sheet,
        took_s=took_s,
        is_in_time=is_over,
        unfinished=tuple(_shortfall(one) for one in followed if not one.is_over),
    )


def _read_output(at: StackDescription, job_id: str, index: int) -> bytes:
    """Read on a connection of its own: pictures are saved by several threads."""
    with RelayApi(url=at.api_url, key=at.api_key) as api:
        return api.output(job_id, index)


def _linger(stop: StopRequest) -> None:
    until = time.monotonic() + _LINGER_S
    while time.monotonic() < until:
        stop.check()
        time.sleep(_STEP_S)


def _shortfall(one: Followed) -> str:
    name = one.report.id if one.report is not None else f"number {one.job.number}"
    if one.is_final:
        missing = (
            *(() if one.is_announced else ("its event",)),
            *(() if one.is_kept else ("a copy of each picture",)),
            *(() if one.is_called_back or not one.job.has_callback else ("a callback",)),
        )
        return f"{name} (final, without {', '.join(missing)})"
    return f"{name} ({one.job.provider} {one.job.operation}, {one.status})"


class Killable(Protocol):
    """A stack whose functions can be killed."""

    def kill(self, name: str) -> int:
        """Kill a function and return its process id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One SIGKILL to a function, at a moment when it is needed.

    Attributes:
        danger: What can go wrong at that moment, in words.
    """

    function: str
    is_due: Callable[[Sequence[Followed]], bool]
    danger: str


def _some_are_sent(followed: Sequence[Followed]) -> bool:
    return any(one.report is not None for one in followed)


def _awaits_webhook(followed: Sequence[Followed]) -> bool:
    return any(one.job.provider == GEPETTO and one.status == "processing" for one in followed)


def _renders_run(followed: Sequence[Followed]) -> bool:
    """Return whether no job is being sent and most of the open ones are being rendered."""
    statuses = [one.status for one in followed]
    is_sending = NOT_SENT in statuses or "submitting" in statuses
    return not is_sending and statuses.count("processing") > statuses.count("queued")


def _callback_is_near(followed: Sequence[Followed]) -> bool:
    return any(
        one.job.has_callback and (one.status == "processing" or one.is_final) for one in followed
    )


def _some_have_pictures(followed: Sequence[Followed]) -> bool:
    return any(one.report is not None and one.report.outputs for one in followed)


KILLS = (
    Kill(function="jobs_api", is_due=_some_are_sent, danger="jobs are still being sent"),
    Kill(function="provider_webhook", is_due=_awaits_webhook, danger="webhooks are on their way"),
    Kill(function="poll_tick", is_due=_renders_run, danger="it holds the leases of both accounts"),
    Kill(function="deliver_callbacks", is_due=_callback_is_near, danger="a callback is to be sent"),
    Kill(function="keep_outputs", is_due=_some_have_pictures, danger="pictures are being copied"),
)


class Killer:
    """Kills each function once.

    Attributes:
        left: The kills that are still to come.
        killed: The process ids of the killed functions.
    """

    def __init__(self, kills: Sequence[Kill], *, stack: Killable) -> None:
        self.left = list(kills)
        self.killed: dict[str, int] = {}
        self._stack = stack

    def step(self, followed: Sequence[Followed]) -> None:
        """Kill the first function whose moment has come, at most one at a time."""
        due = next((kill for kill in self.left if kill.is_due(followed)), None)
        if due is None:
            return
        self.left.remove(due)
        log.info("SIGKILL to %s while %s", due.function, due.danger)
        self.killed[due.function] = self._stack.kill(due.function)
