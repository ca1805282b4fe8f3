"""The callers' endpoints, and the relay's `Endpoints` that posts to them.

A post has the time bound of the real calls: 15 s until its answer is there.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from infra.simulator.callbacks import CallbackProfile, Receiving
from infra.simulator.environment import Crashed, Environment
from infra.simulator.instances import CallFault, CallFaults, Instance
from infra.simulator.profile import Profile
from infra.simulator.store import SimulatedAccounts
from infra.verification.history import Post
from relay.application.ports import EndpointReply
from relay.domain.callback import CALLBACKS
from relay.errors import CallUnanswered

# As the real calls'.
CALL_S = 15.0
LONGEST_DOWN_S = 600.0


def post_faults(profile: Profile) -> CallFaults:
    """Return what goes wrong with an instance around a post."""
    crash = profile.callbacks.crash
    return CallFaults(
        "post",
        {
            CallFault.CRASH_BEFORE: profile.crash_before + crash,
            CallFault.CRASH_AFTER: profile.crash_after + crash,
            CallFault.FREEZE_BEFORE: profile.freeze / 2,
            CallFault.FREEZE_AFTER: profile.freeze / 2,
        },
    )


class Receivers:
    """All endpoints of all callers."""

    def __init__(self, env: Environment, callbacks: CallbackProfile) -> None:
        self._env = env
        self._callbacks = callbacks
        self._are_repaired = False
        self._down = [
            (from_s, from_s + env.rng.uniform(5.0, env.rng.choice((60.0, LONGEST_DOWN_S))))
            for from_s in (env.rng.uniform(0.0, 300.0) for _ in range(callbacks.outages))
        ]

    def repair(self) -> None:
        """Let every endpoint answer 200 from now on."""
        self._are_repaired = True

    def is_reachable(self, url: str) -> bool:
        """Return whether a connection can be made."""
        now_s = self._env.now_s
        if self._kind(url) is Receiving.DOWN:
            return not any(from_s <= now_s < to_s for from_s, to_s in self._down)
        return not self._env.injects("hook_unreachable", self._chance(url, "unreachable"))

    def answer(self, url: str) -> tuple[EndpointReply, float] | None:
        """Return the answer to a post and how long it takes; None if there never is one."""
        env, rng = self._env, self._env.rng
        kind = self._kind(url)
        takes_s = rng.uniform(0.6, 1.4) if kind is Receiving.SLOW else rng.uniform(0.01, 0.3)
        if kind is Receiving.SILENT:
            return None
        if kind is Receiving.BROKEN:
            return EndpointReply(500), takes_s
        if kind is Receiving.GONE:
            return EndpointReply(410), takes_s
        if env.injects("hook_broken", self._chance(url, "broken")):
            return EndpointReply(rng.choice((400, 404, 500, 502))), takes_s
        if env.injects("hook_moved", self._chance(url, "moved")):
            return EndpointReply(rng.choice((301, 302, 307))), takes_s
        if env.injects("hook_busy", self._chance(url, "busy")):
            asked_s = rng.choice((None, 0.0, 3.0, 40.0, 900.0, 7200.0))
            return EndpointReply(rng.choice((429, 503)), asked_s), takes_s
        if env.injects("hook_gone", self._chance(url, "gone")):
            return EndpointReply(410), takes_s
        if env.injects("hook_unanswered", self._chance(url, "unanswered")):
            takes_s = CALL_S + 1.0
        return EndpointReply(rng.choice((200, 200, 202, 204))), takes_s

    def _kind(self, url: str) -> Receiving:
        if self._are_repaired:
            return Receiving.PROMPT
        return self._callbacks.endpoints[urlsplit(url).hostname or ""]

    def _chance(self, url: str, what: str) -> float:
        is_flaky = self._kind(url) is Receiving.FLAKY
        return float(getattr(self._callbacks, what)) if is_flaky else 0.0


class SimulatedEndpoints:
    """The `Endpoints` of one pump.

    Args:
        accounts: The pump's own.
    """

    def __init__(
        self,
        receivers: Receivers,
        instance: Instance,
        faults: CallFaults,
        *,
        accounts: SimulatedAccounts,
    ) -> None:
        self._receivers = receivers
        self._instance = instance
        self._faults = faults
        self._accounts = accounts

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        """See `Endpoints`."""
        instance, env = self._instance, self._instance.env
        instance.check()
        label = f"post {headers['webhook-id']} to {url}"
        fault = self._faults.draw(env)
        if fault is CallFault.CRASH_BEFORE:
            instance.crash(f"before {label}")
            raise Crashed
        post = Post(
            at_s=env.now_s,
            url=url,
            headers=dict(headers),
            body=body,
            holder=self._accounts.holder or "",
            has_lease=self._accounts.has_lease(CALLBACKS),
        )
        env.history.posts.append(post)
        if fault is CallFault.FREEZE_BEFORE:
            instance.freeze()
        try:
            return self._sent(post, label, fault)
        finally:
            post.ended_s = env.now_s

    def _sent(self, post: Post, label: str, fault: CallFault | None) -> EndpointReply:
        env = self._instance.env
        flow = env.flow
        assert flow is not None  # noqa: S101 - only flows make calls
        name, started_s = flow.name, env.now_s
        env.pause(0.01 + 0.05 * env.rng.random())
        if not self._receivers.is_reachable(post.url):
            env.note(name, f"{label}: not connected")
            raise CallUnanswered("could not connect")
        turns = flow.turns

        def land() -> None:
            answer = self._receivers.answer(post.url)
            env.note(name, f"{label}: {'nothing' if answer is None else answer[0].status}")
            if answer is not None:
                reply, takes_s = answer
                post.status, post.retry_after_s = reply.status, reply.retry_after_s
                env.wake(flow, turns, takes_s, reply)
            if fault is CallFault.CRASH_AFTER:
                self._instance.crash(f"after {label}")
            if fault is CallFault.FREEZE_AFTER:
                self._instance.freeze()

        env.after(0.01 + 0.1 * env.rng.random(), land)
        env.wake(flow, turns, CALL_S + started_s - env.now_s, None)
        reply = env.wait()
        if reply is None or env.now_s - started_s > CALL_S:
            env.note(name, f"{label}: no answer")
            raise CallUnanswered("no answer in time")
        post.is_read = True
        return reply  # type: ignore[no-any-return]
