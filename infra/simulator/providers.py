"""Simulated providers, with all their faults, and the relay's `Provider` that calls them.

A call has the time bounds of the real transport: it fails as not sent if its first byte has not
left after 2 s, and as unanswered if no answer has come after 15 s. The provider counts it within
a second of its first byte.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import count
from typing import TypeVar

from infra.simulator.environment import Crashed, Environment
from infra.simulator.instances import CallFault, CallFaults, Instance
from infra.simulator.profile import Profile
from infra.simulator.tenants import Behaviour, behaviour_of
from infra.verification.history import (
    Acknowledged,
    Call,
    CallWithoutLease,
    ProviderOutage,
    Throttled,
    UsableResult,
    Verdict,
)
from relay.domain.answers import (
    Accepted,
    PollAnswer,
    Rendered,
    RenderFailed,
    StillOpen,
    UnknownJob,
    WithoutOutput,
)
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Job, ProviderReply
from relay.domain.provider_list import ProviderList
from relay.errors import (
    AccountRefused,
    JobRefused,
    NoAnswer,
    NotAccepted,
    PerhapsAccepted,
    RelayError,
)

T = TypeVar("T")

# As the real transport's: until the first byte has left, and until the answer is there.
SEND_S = 2.0
CALL_S = 15.0
# From the first byte to the moment at which the provider counts the call.
LONGEST_WAY_S = 1.0

ODD_WORDS = ("rendering", "PENDING ", "in_queue", "done?", "")
NONSENSE: tuple[object, ...] = ([], None, "ok", {"id": 7.5, "output": {"a": 1}}, {"status": "?"})
OPEN_WORD = {"gepetto": "pending", "spacely": "processing"}


def provider_faults(profile: Profile) -> CallFaults:
    """Return which faults hit calls to a provider."""
    return CallFaults(
        "call",
        {
            CallFault.LOST_REQUEST: profile.no_connection,
            CallFault.LOST_REPLY: profile.reply_lost,
            CallFault.CRASH_BEFORE: profile.crash_before,
            CallFault.CRASH_AFTER: profile.crash_after,
            CallFault.FREEZE_BEFORE: profile.freeze * 2,
            CallFault.FREEZE_AFTER: profile.freeze,
        },
    )


class OutageKind(StrEnum):
    """How a provider is down."""

    ERRORS = "errors"
    SILENT = "silent"
    UNREACHABLE = "unreachable"


@dataclass(slots=True, kw_only=True)
class Render:
    """A render that the provider accepted."""

    id: str
    job_id: str
    ready_s: float
    known_s: float
    ends: str
    outputs: tuple[str, ...]


class Server:
    """One provider.

    Args:
        call_back: Posts a body to a job's webhook after a delay.
        plan_store_outage: Makes the store unreachable from one true second to another.
    """

    def __init__(
        self,
        env: Environment,
        profile: Profile,
        name: str,
        call_back: Callable[[str, str, object, float], None],
        plan_store_outage: Callable[[float, float], None],
    ) -> None:
        self.name = name
        self._env = env
        self._profile = profile
        self._call_back = call_back
        self._plan_store_outage = plan_store_outage
        self._renders: dict[str, Render] = {}
        self._refusals: list[tuple[float, float, int]] = []
        self._outages: list[tuple[float, float, OutageKind]] = []
        self._serial = count(1)
        self._cold_until_s = (
            env.rng.uniform(20.0, 240.0) if env.injects("cold", profile.cold) else 0.0
        )

    def plan_refusal(self, from_s: float, to_s: float, status: int) -> None:
        """Refuse the account for a while."""
        self._refusals.append((from_s, to_s, status))

    def plan_outage(self, from_s: float, to_s: float, how: OutageKind) -> None:
        """Be down for a while."""
        self._outages.append((from_s, to_s, how))
        self._env.history.provider_outages.append(
            ProviderOutage(at_s=from_s, until_s=to_s, provider=self.name)
        )

    @property
    def outage(self) -> OutageKind | None:
        """How the provider is down now; None if it is up."""
        now_s = self._env.now_s
        return next((how for from_s, to_s, how in self._outages if from_s <= now_s < to_s), None)

    def submit(self, job: Job) -> Accepted:
        """Count a submission and answer it."""
        env, profile, rng = self._env, self._profile, self._env.rng
        if self.outage is not None:
            self._count(job, Verdict.UNCLEAR)
            raise PerhapsAccepted("HTTP 502")
        self._misbehave(job)
        try:
            self._serve_account(job)
        except AccountRefused:
            self._count(job, Verdict.ACCOUNT_REFUSED)
            raise
        if env.injects("busy", profile.busy):
            self._count(job, Verdict.BUSY)
            raise NotAccepted("HTTP 429", self._retry_after_s(), is_throttled=True)
        if env.injects("refused", profile.refused):
            self._count(job, Verdict.REFUSED)
            raise JobRefused(422, "no such room")
        if env.injects("broken", profile.broken):
            self._count(job, Verdict.UNCLEAR)
            if rng.random() < 0.5:
                self._render(job)
            raise PerhapsAccepted(rng.choice(("HTTP 500", "HTTP 502", "HTTP 200 without JSON")))
        self._count(job, Verdict.ACCEPTED)
        render = self._render(job)
        return Accepted(provider_job_id=render.id, provider_status=OPEN_WORD[self.name])

    def poll(self, job: Job) -> PollAnswer:
        """Count a poll and answer it."""
        env, profile, rng = self._env, self._profile, self._env.rng
        self._count(job, None)
        if self.outage is not None:
            raise NoAnswer("HTTP 502")
        try:
            self._serve_account(job)
        except AccountRefused:
            env.history.refused_polls.append((self.name, env.now_s))
            raise
        if env.injects("broken", profile.broken):
            raise NoAnswer(rng.choice(("HTTP 500", "HTTP 200 without JSON")))
        if env.injects("busy", profile.busy):
            raise NoAnswer("HTTP 429", self._retry_after_s(), is_throttled=True)
        render = self._renders.get(job.provider_job_id or "")
        if render is None or env.now_s < render.known_s:
            return UnknownJob(reply=ProviderReply(status=404, message="no such job"))
        if env.now_s < render.ready_s:
            return self._open()
        if render.ends == "success":
            return Rendered(outputs=render.outputs, provider_status="success")
        if render.ends == "failed":
            reply = ProviderReply(status=200, message="failed: no such picture")
            return RenderFailed(provider_status="failed", reply=reply)
        if render.ends == "empty":
            return WithoutOutput(provider_status="success")
        return self._open()

    def read_list(self, name: str) -> ProviderList:
        """Count a call for a list and answer it."""
        env, profile = self._env, self._profile
        self._count_call(f"call for {name}", name, None)
        if self.outage is not None or env.injects("broken", profile.broken):
            raise NoAnswer("HTTP 502")
        if env.injects("busy", profile.busy):
            raise NoAnswer("HTTP 429", self._retry_after_s())
        return ProviderList(content_type="application/json", body=b"[]")

    def _misbehave(self, job: Job) -> None:
        """Answer a submission for a job whose behaviour is never to be served."""
        match behaviour_of(job):
            case Behaviour.THROTTLED:
                self._count(job, Verdict.BUSY)
                raise NotAccepted("HTTP 429", self._retry_after_s(), is_throttled=True)
            case Behaviour.BROKEN | Behaviour.HANGING:
                self._count(job, Verdict.UNCLEAR)
                raise PerhapsAccepted("HTTP 500")
            case Behaviour.REFUSED:
                self._count(job, Verdict.REFUSED)
                raise JobRefused(422, "no such room")

    def _open(self) -> StillOpen:
        if self._env.injects("odd_words", self._profile.odd_words):
            word = self._env.rng.choice(ODD_WORDS)
            return StillOpen(provider_status=word, is_known_word=False)
        return StillOpen(provider_status=OPEN_WORD[self.name], is_known_word=True)

    def _serve_account(self, job: Job) -> None:
        if behaviour_of(job) is Behaviour.FORBIDDEN:
            raise AccountRefused(403, reason="not for you")
        now_s = self._env.now_s
        for from_s, to_s, status in self._refusals:
            if from_s <= now_s < to_s and not self._env.is_calm:
                raise AccountRefused(status, self._retry_after_s())

    def _retry_after_s(self) -> float | None:
        return self._env.rng.choice((None, None, 0.0, 3.0, 40.0))

    def _count(self, job: Job, verdict: Verdict | None) -> None:
        what = "poll" if verdict is None else f"submission ({verdict})"
        self._count_call(f"{what} of {job.id}", job.id, verdict)

    def _count_call(self, what: str, about: str, verdict: Verdict | None) -> None:
        now_s = self._env.now_s
        call = Call(at_s=now_s, provider=self.name, job_id=about, verdict=verdict)
        self._env.history.calls.append(call)
        self._env.note(self.name, f"counts {what}")

    def _render(self, job: Job) -> Render:
        env, profile, rng = self._env, self._profile, self._env.rng
        seconds = rng.uniform(2.0, 45.0)
        if profile.renders_s:
            seconds = rng.uniform(*profile.renders_s)
        if env.injects("fast_render", profile.fast_render):
            seconds = rng.uniform(0.0, 0.05)
        elif env.injects("slow_render", profile.slow_render):
            seconds = rng.uniform(45.0, 260.0)
        ready_s = max(env.now_s, self._cold_until_s) + seconds
        ends = "success"
        for other in ("lost", "failed", "empty"):
            if env.injects(f"{other}_render", getattr(profile, f"{other}_render")):
                ends = other
        known_s = env.now_s
        if env.injects("known_late", profile.known_late):
            known_s += rng.uniform(1.0, 80.0)
        if env.injects("never_known", profile.never_known):
            known_s = float("inf")
        number = next(self._serial)
        render = Render(
            id=f"{self.name[0]}{number}",
            job_id=job.id,
            ready_s=ready_s,
            known_s=known_s,
            ends=ends,
            outputs=self._outputs(number),
        )
        self._renders[render.id] = render
        if CATALOGUE[self.name].calls_back:
            self._plan_callbacks(render)
        return render

    def _outputs(self, number: int) -> tuple[str, ...]:
        """Return one URL, or up to three where they are to be kept."""
        start = f"https://cdn.example.com/{self.name}/{number}"
        more = range(number % 3 if self._profile.keeping.is_on else 0)
        return (f"{start}.png", *(f"{start}-{one}.png" for one in more))

    def _plan_callbacks(self, render: Render) -> None:
        env, profile, rng = self._env, self._profile, self._env.rng
        in_s = render.ready_s - env.now_s + rng.uniform(0.0, 1.0)
        good: dict[str, object] = {"id": render.id, "output": list(render.outputs)}
        if env.injects("callback_nonsense", profile.callback_nonsense):
            self._post(render, rng.choice(NONSENSE), rng.uniform(0.0, 60.0))
        if env.injects("callback_empty", profile.callback_empty):
            empty: dict[str, object] = {"id": render.id}
            if rng.random() < 0.5:
                empty["output"] = []
            self._post(render, empty, rng.uniform(0.0, 60.0))
        if env.injects("callback_other_id", profile.callback_other_id):
            other = rng.choice(["stranger", *self._renders])
            outputs = rng.choice(([], ["https://cdn.example.com/other.png"]))
            self._post(render, {"id": other, "output": outputs}, rng.uniform(0.0, 60.0))
        if render.ends == "lost" or env.injects("callback_never", profile.callback_never):
            return
        if render.ends != "success":
            good = {"id": render.id, "output": []}
        if env.injects("callback_early", profile.callback_early):
            in_s = rng.uniform(0.0, 0.02)
            render.ready_s = env.now_s
        if env.injects("callback_late", profile.callback_late):
            in_s += rng.uniform(20.0, 400.0)
        if env.injects("callback_into_outage", profile.callback_into_outage):
            in_s += rng.choice((0.0, rng.uniform(60.0, 200.0)))
            # Mostly between the reading of the job and the writing of the result.
            from_s = env.now_s + in_s + rng.uniform(0.0, 0.08)
            self._plan_store_outage(from_s, from_s + rng.uniform(9.0, 30.0))
        self._post(render, good, in_s)
        if env.injects("callback_twice", profile.callback_twice):
            self._post(render, good, in_s + rng.choice((0.0, rng.uniform(0.0, 30.0))))

    def _post(self, render: Render, body: object, in_s: float) -> None:
        self._call_back(self.name, render.job_id, body, in_s)


class SimulatedProvider:
    """The `Provider` of one instance.

    Args:
        lists: The names of the provider's lists.
    """

    def __init__(
        self,
        server: Server,
        instance: Instance,
        profile: Profile,
        faults: CallFaults,
        has_lease: Callable[[str], bool],
        lists: Sequence[str],
    ) -> None:
        facts = CATALOGUE[server.name]
        self.name: str = facts.name
        self.limit = profile.limits[facts.name]
        self.poll_policy = facts.poll_policy
        self.lists: Mapping[str, Callable[[], ProviderList]] = {
            name: partial(self._list, name) for name in lists
        }
        self._server = server
        self._instance = instance
        self._profile = profile
        self._faults = faults
        self._has_lease = has_lease

    def submit(self, job: Job) -> Accepted:
        """See `Provider`."""
        self._check_lease(job.id)
        accepted = self._call(
            job,
            f"submit {job.id}",
            lambda: self._server.submit(job),
            not_sent=lambda: NotAccepted("the request could not be sent"),
            unanswered=lambda: PerhapsAccepted("no whole answer came"),
        )
        env = self._instance.env
        env.history.acknowledged.append(
            Acknowledged(at_s=env.now_s, job_id=job.id, provider_job_id=accepted.provider_job_id)
        )
        return accepted

    def poll(self, job: Job) -> PollAnswer:
        """See `Provider`."""
        self._check_lease(job.id)
        env = self._instance.env
        env.history.first_polls.setdefault(job.id, env.now_s)
        reading = self._call(
            job,
            f"poll {job.id}",
            lambda: self._server.poll(job),
            not_sent=lambda: NoAnswer("the request could not be sent"),
            unanswered=lambda: NoAnswer("no whole answer came"),
        )
        if isinstance(reading, Rendered):
            self._note_result(job, reading)
        return reading

    def _list(self, name: str) -> ProviderList:
        self._check_lease(name)
        return self._call(
            None,
            f"list {name}",
            lambda: self._server.read_list(name),
            not_sent=lambda: NoAnswer("the request could not be sent"),
            unanswered=lambda: NoAnswer("no whole answer came"),
        )

    def _check_lease(self, about: str) -> None:
        env = self._instance.env
        if not self._instance.is_dead and not self._has_lease(self.name):
            env.history.calls_without_lease.append(CallWithoutLease(at_s=env.now_s, job_id=about))

    def _note_result(self, job: Job, reading: Rendered) -> None:
        env = self._instance.env
        result = UsableResult(
            at_s=env.now_s,
            job_id=job.id,
            by="poll",
            provider_job_id=job.provider_job_id,
            outputs=reading.outputs,
        )
        env.history.results.append(result)
        if env.flow is not None:
            env.flow.results.append(result)

    def _call(
        self,
        job: Job | None,
        label: str,
        effect: Callable[[], T],
        *,
        not_sent: Callable[[], RelayError],
        unanswered: Callable[[], RelayError],
    ) -> T:
        instance, env, profile = self._instance, self._instance.env, self._profile
        instance.check()
        flow, rng = env.flow, env.rng
        assert flow is not None  # noqa: S101 - only flows make calls
        name = flow.name
        fault = self._faults.draw(env)
        if fault is CallFault.CRASH_BEFORE:
            instance.crash(f"before {label}")
            raise Crashed
        started_s = env.now_s
        if fault is CallFault.FREEZE_BEFORE:
            instance.freeze()
        connect_s = 0.01 + 0.05 * rng.random()
        if env.injects("slow_connection", profile.slow_connection):
            connect_s = rng.uniform(0.5, 5.0)
        env.pause(connect_s)
        outage = self._server.outage
        is_unreachable = fault is CallFault.LOST_REQUEST or outage is OutageKind.UNREACHABLE
        if is_unreachable or env.now_s - started_s > SEND_S:
            env.note(name, f"{label}: not sent")
            raise not_sent()
        left_s = started_s + CALL_S - env.now_s
        out_s, back_s = 0.01 + 0.1 * rng.random(), 0.01 + 0.3 * rng.random()
        if env.injects("counted_late", profile.counted_late):
            out_s = rng.uniform(0.0, LONGEST_WAY_S)
        hangs = outage is OutageKind.SILENT
        hangs |= job is not None and behaviour_of(job) is Behaviour.HANGING
        if hangs or env.injects("taken_unanswered", profile.taken_unanswered):
            back_s = CALL_S
        turns = flow.turns
        env.note(name, label)

        def land() -> None:
            reply: object
            try:
                reply = effect()
            except RelayError as error:
                reply = error
            if fault is CallFault.CRASH_AFTER:
                instance.crash(f"after {label}")
                return
            if fault is CallFault.FREEZE_AFTER:
                instance.freeze()
            if fault is CallFault.LOST_REPLY:
                reply = unanswered()
            env.wake(flow, turns, back_s, reply)

        env.after(out_s, land)
        env.wake(flow, turns, left_s, None)
        reply = env.wait()
        if reply is None or env.now_s - started_s > CALL_S:
            env.note(name, f"{label}: no answer")
            raise unanswered()
        env.note(name, f"{label}: {_said(reply)}")
        if job and isinstance(reply, NotAccepted | NoAnswer) and reply.is_throttled:
            env.history.throttled.append(
                Throttled(
                    at_s=env.now_s,
                    provider=self.name,
                    job_id=job.id,
                    retry_after_s=reply.retry_after_s,
                )
            )
        if isinstance(reply, RelayError):
            raise reply
        return reply  # type: ignore[no-any-return]


def _said(reply: object) -> str:
    if isinstance(reply, RelayError):
        return f"{type(reply).__name__} {reply}"
    if isinstance(reply, Accepted):
        return f"accepted as {reply.provider_job_id}"
    return type(reply).__name__
