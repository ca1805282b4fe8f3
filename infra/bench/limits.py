"""The call limits under full load: more jobs than fit, on the running stack, pumps killed."""

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from infra.local.stack import Stack, running_stack
from relay.domain.catalogue import CATALOGUE
from relay.domain.limits import Limit

CALLERS = 4
DEADLINE_S = 3600
SANDBOX_ARGS = "--no-download --render-s 2"
KILL_AFTER_S = (20.0, 80.0)
LONGEST_S = 600.0
LOOK_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many jobs go to one provider."""

    provider: str
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What one provider saw while jobs were waiting for its limit.

    Attributes:
        calls: Submissions and polls, from the first submission to the last.
        over_s: How long that took.
        idle_s: How long nobody called after a pump had been killed.
        most: Most calls in any window, in the provider's own count.
        is_blocked: Whether the provider blocked the account, or refused a call for the limit.
    """

    provider: str
    limit: Limit
    calls: int
    over_s: float
    idle_s: float
    most: int
    is_blocked: bool

    def share(self, *, but_idle: bool) -> float:
        """Return the share of the documented limit that was used."""
        over_s = self.over_s - (self.idle_s if but_idle else 0.0)
        return self.calls / (self.limit.calls * over_s / self.limit.window_s)


def measure(loads: Sequence[Load], *, stack_file: Path, say: Callable[[str], None]) -> list[Used]:
    """Run the stack under these loads and return what each provider saw."""
    env = {
        "LOCAL_SANDBOX_ARGS": SANDBOX_ARGS,
        "LOCAL_TICK_EVERY_S": "1",
        "LOG_LEVEL": "WARNING",
    }
    with running_stack(stack_file=stack_file, env={**os.environ, **env}) as stack:
        started = time.time()
        killed_at: list[float] = []
        killer = threading.Thread(target=_kill, args=(stack, started, killed_at), daemon=True)
        killer.start()
        _create_all(stack, loads, say=say)
        _wait_for_the_queue(stack, say=say)
        killer.join()
        sandbox_url = stack.description.sandbox_url
        calls = requests.get(f"{sandbox_url}/sandbox/calls", timeout=60).json()["calls"]
        summary = requests.get(f"{sandbox_url}/sandbox/summary", timeout=60).json()
    return [_used(load.provider, calls, summary[load.provider], killed_at) for load in loads]


def _kill(stack: Stack, started: float, killed_at: list[float]) -> None:
    for after_s in KILL_AFTER_S:
        time.sleep(max(0.0, started + after_s - time.time()))
        killed_at.append(time.time())
        stack.kill("poll_tick")


def _create_all(stack: Stack, loads: Sequence[Load], *, say: Callable[[str], None]) -> None:
    bodies = [
        _body(load.provider, number, str(stack.description.sandbox_url))
        for load in loads
        for number in range(load.jobs)
    ]
    local = threading.local()

    def create(body: dict[str, object]) -> None:
        session = getattr(local, "session", None)
        if session is None:
            session = local.session = requests.Session()
            session.headers["X-API-KEY"] = stack.description.api_key
        answer = session.post(f"{stack.description.api_url}/v1/jobs", json=body, timeout=30)
        answer.raise_for_status()

    started = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(create, bodies))
    say(f"{len(bodies)} jobs created in {time.monotonic() - started:.0f} s")


def _body(provider: str, number: int, sandbox_url: str) -> dict[str, object]:
    picture = f"{sandbox_url}/rooms/living.jpg?n={number}"
    if provider == "gepetto":
        operation = "redesign"
        given = {"url": picture, "styleId": "modern", "roomId": "living_room", "creativity": 9}
    else:
        operation = "advance"
        given = {"model": "spacely-v1", "imageUrl": picture, "renovateType": "residential"}
    return {
        "provider": provider,
        "operation": operation,
        "input": given,
        "deadlineSeconds": DEADLINE_S,
    }


def _wait_for_the_queue(stack: Stack, *, say: Callable[[str], None]) -> None:
    give_up_at = time.monotonic() + LONGEST_S
    while time.monotonic() < give_up_at:
        answer = requests.get(
            f"{stack.description.api_url}/v1/providers",
            headers={"X-API-KEY": stack.description.api_key},
            timeout=30,
        ).json()
        queued = {one["name"]: one["account"]["queuedJobs"] for one in answer["providers"]}
        say(f"queued: {queued}")
        if not any(queued.values()):
            return
        time.sleep(LOOK_EVERY_S)


def _used(
    provider: str,
    calls: Sequence[dict[str, object]],
    summary: dict[str, object],
    killed_at: Sequence[float],
) -> Used:
    ours = [one for one in calls if one["provider"] == provider]
    submitted = [_at(one) for one in ours if one["kind"] == "submit"]
    first, last = min(submitted), max(submitted)
    times = sorted(_at(one) for one in ours if first <= _at(one) <= last)
    idle_s = 0.0
    for at in killed_at:
        following = bisect_left(times, at)
        if first < at < last and following < len(times):
            idle_s += times[following] - at
    return Used(
        provider=provider,
        limit=CATALOGUE[provider].limit,
        calls=len(times),
        over_s=last - first,
        idle_s=idle_s,
        most=int(str(summary["mostCallsInWindow"])),
        is_blocked=bool(summary["blocked"]) or bool(summary["limitExceeded"]),
    )


def _at(call: dict[str, object]) -> float:
    return float(str(call["at"]))
