"""The demo on a running stack: send, follow, crash what is to be crashed, gather, check."""

import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from infra.demo import captions
from infra.demo.checks import Check, Evidence, Restart, all_checks
from infra.demo.contact_sheet import contact_sheet
from infra.demo.errors import Refused
from infra.demo.following import Followed, Following
from infra.demo.gathering import patiently, read_again, read_documents
from infra.demo.jobs import JOBS
from infra.demo.kills import KILLS, Killed, Killer
from infra.demo.live import live_screen
from infra.demo.pictures import PictureStore, SavedPictures
from infra.demo.plain import PlainScreen
from infra.demo.renders import accepted_renders
from infra.demo.screen import Screen, View
from infra.demo.submitting import RelayApi
from infra.local.inbox import Inbox
from infra.local.processes import StopRequest
from infra.local.stack import Stack

SHEET = "contact-sheet.png"
SUBSCRIPTION = "demo-completions"
LIMIT_S = 110.0
LIMIT_WITH_KILLS_S = 240.0
_STEP_S = 0.25
_LINGER_S = 2.0
"""How long an event too many is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of the demo.

    Attributes:
        took_s: From the first job sent to the last event received.
        is_in_time: All that was to happen did so before the time was up.
        unfinished: The jobs that were not over then, and what they lack.
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


class Demo:
    """One run.

    Args:
        output: The directory for the pictures.
        with_kills: Each function is crashed once while jobs are running.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        console: Console,
        output: Path,
        with_kills: bool,
        stop: StopRequest,
    ) -> None:
        self._stack = stack
        self._at = stack.description
        self._console = console
        self._output = output
        self._stop = stop
        self._killer = Killer(KILLS if with_kills else (), stack=stack)
        self._limit_s = LIMIT_WITH_KILLS_S if with_kills else LIMIT_S
        self._began = time.monotonic()

    def run(self) -> Outcome:
        """Run it to its end, or to its time limit.

        Raises:
            DemoError: The relay refused a job, or can no longer be asked at all.
            LocalStackError: The stack ended, or was asked to stop.
        """
        sandbox_url = self._at.sandbox_url
        if sandbox_url is None:
            raise Refused("the stack has no sandbox; the demo never calls real providers")
        with ExitStack() as cleanup:
            # The subscription first: Pub/Sub keeps nothing for those who come later.
            inbox = cleanup.enter_context(
                Inbox(
                    host=self._at.pubsub_emulator_host,
                    project=self._at.project,
                    topic=self._at.completions_topic,
                    subscription=SUBSCRIPTION,
                )
            )
            api = cleanup.enter_context(RelayApi(url=self._at.api_url, key=self._at.api_key))
            store = cleanup.enter_context(
                PictureStore(self._output, jobs=JOBS, sandbox_url=sandbox_url)
            )
            following = Following(
                JOBS, api=api, sandbox_url=sandbox_url, inbox=inbox, run=secrets.token_hex(4)
            )
            with _screen(self._console) as screen:
                is_over, took_s = self._follow(following, store=store, screen=screen)
            followed = read_again(following.all, api=api)
            saved = store.saved()
            evidence = Evidence(
                followed=followed,
                documents=read_documents(followed, at=self._at),
                deliveries=inbox.deliveries,
                renders=patiently(lambda: accepted_renders(sandbox_url)),
                pictures=sum(len(pictures.after) for pictures in saved.values()),
                restarts=self._restarts(self._killer.done),
            )
        return Outcome(
            checks=all_checks(evidence),
            sheet=self._save_sheet(followed, saved),
            took_s=took_s,
            is_in_time=is_over,
            unfinished=_unfinished(followed),
        )

    def _follow(
        self, following: Following, *, store: PictureStore, screen: Screen
    ) -> tuple[bool, float]:
        """Follow the jobs; return whether all came to their end, and after how many seconds."""
        self._began = time.monotonic()
        while True:
            followed = self._step(following, store=store, screen=screen)
            took_s = time.monotonic() - self._began
            if all(one.is_over for one in followed) and not self._killer.left:
                break
            if took_s > self._limit_s:
                return False, took_s
            time.sleep(_STEP_S)
        while time.monotonic() < self._began + took_s + _LINGER_S:
            self._stop.check()
            time.sleep(_STEP_S)
        return True, took_s

    def _step(
        self, following: Following, *, store: PictureStore, screen: Screen
    ) -> tuple[Followed, ...]:
        self._stop.check()
        self._stack.check()
        followed = following.step()
        elapsed_s = time.monotonic() - self._began
        screen.show(View(followed=followed, elapsed_s=elapsed_s, now=datetime.now(UTC)))
        store.fetch(followed)
        self._killer.step(followed)
        return followed

    def _restarts(self, killed: Sequence[Killed]) -> tuple[Restart, ...]:
        pids = self._stack.description.pids
        return tuple(
            Restart(function=one.function, old_pid=one.old_pid, new_pid=pids[one.function])
            for one in killed
        )

    def _save_sheet(self, followed: Sequence[Followed], saved: dict[int, SavedPictures]) -> Path:
        title = f"Render Relay: {len(followed)} renders, two providers, six operations"
        path = self._output / SHEET
        contact_sheet(
            captions.sections(followed, saved), title=title, remark=captions.remark(followed)
        ).save(path)
        return path


def _screen(console: Console) -> AbstractContextManager[Screen]:
    if console.is_terminal and not console.is_dumb_terminal:
        return live_screen(console)
    return nullcontext(PlainScreen(console))


def _unfinished(followed: Sequence[Followed]) -> tuple[str, ...]:
    names = []
    for one in followed:
        name = one.report.id if one.report is not None else f"number {one.job.number}"
        if not one.is_final:
            status = one.report.status if one.report is not None else "never taken"
            names.append(f"{name} ({one.job.provider} {one.job.operation}, {status})")
        elif not one.is_announced:
            names.append(f"{name} (final, but its event has not come)")
    return tuple(names)
