"""Callers: each creates a job as a real client would, reads it, and may cancel or retry it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import TypeVar

from infra.simulator.callbacks import CALLS, CallbackProfile
from infra.simulator.deployment import Deployment
from infra.simulator.instances import Instance
from infra.simulator.tenants import INPUTS
from relay.application.job_creator import NewJob
from relay.domain.callback import CALLBACKS, DeliveryStatus, redelivered
from relay.domain.job import Job, OnUnconfirmed
from relay.errors import (
    JobFinal,
    JobNotFound,
    KeyReused,
    ListNotFetched,
    NotRetryable,
    StoreUnavailable,
)

T = TypeVar("T")

TENANTS = ("demo", "second")
MAX_TRIES = 4
# All attempts of one create, each as long as an edge retries.
LONGEST_CREATE_S = 80.0
LISTS_EVERY_S = 3.0
MAX_REDELIVERED = 5
# Reading, cancelling, waiting for the answers, and not yet retrying.
LONGEST_BEFORE_RETRY_S = 480.0


def start_callers(deployment: Deployment, *, most: int) -> float:
    """Schedule the callers; return when their last deadline passes, in true seconds."""
    env, profile = deployment.env, deployment.profile
    last_s = 0.0
    for number in range(profile.jobs):
        rng = env.rng
        provider = rng.choice(profile.providers)
        operation, its_input = INPUTS[provider]
        wants_resubmission = rng.random() < profile.resubmit
        new = NewJob(
            provider=provider,
            operation=operation,
            input=its_input,
            metadata={"number": str(number), **_calls(profile.callbacks, number)},
            deadline_s=rng.randint(60, 180),
            on_unconfirmed=(OnUnconfirmed.RESUBMIT if wants_resubmission else OnUnconfirmed.WAIT),
        )
        key = f"key-{number}" if rng.random() < profile.keys else None
        comes_s = rng.uniform(0.0, profile.spread_s)
        if number >= most:
            continue
        caller = Caller(deployment, number, new, key)
        env.spawn(f"caller-{number}", None, caller.live, delay_s=comes_s)
        lives_s = (
            new.deadline_s if profile.retry == 0.0 else LONGEST_BEFORE_RETRY_S + 2 * new.deadline_s
        )
        last_s = max(last_s, comes_s + LONGEST_CREATE_S + lives_s)
    return last_s


def redeliver(deployment: Deployment, instance: Instance, job_id: str) -> None:
    """Ask for the callbacks of a job again."""
    relay = deployment.relay(instance)
    deployment.env.history.redeliveries.setdefault(job_id, []).append(deployment.env.now_s)
    at = instance.now()

    def again(job: Job) -> Job:
        if job.callback is None:
            return job
        return replace(job, callback=redelivered(job.callback, at=at))

    relay.store.change(relay.store.read(job_id), again)
    relay.waker.wake(CALLBACKS)


def redeliver_failed(deployment: Deployment) -> None:
    """Have some callers ask for what could not be delivered again."""
    failed = [
        job_id
        for job_id, versions in deployment.env.history.versions.items()
        if (callback := versions[-1].job.callback) is not None
        and callback.status is DeliveryStatus.FAILED
    ]
    for job_id in failed[:MAX_REDELIVERED]:
        instance = deployment.apis.pick()
        instance.spawn("redeliver", partial(_redeliver_or_leave, deployment, instance, job_id))


def _redeliver_or_leave(deployment: Deployment, instance: Instance, job_id: str) -> None:
    try:
        redeliver(deployment, instance, job_id)
    except StoreUnavailable:
        return


def _calls(callbacks: CallbackProfile, number: int) -> dict[str, str]:
    url = callbacks.urls[number] if number < len(callbacks.urls) else ""
    return {CALLS: url} if url else {}


def ask_for_lists(deployment: Deployment, *, until_s: float) -> None:
    """Have a caller ask for the providers' lists in turn."""
    env = deployment.env

    def ask(account: str, name: str) -> None:
        reader = deployment.list_reader(instance := deployment.apis.pick())

        def run() -> None:
            try:
                reader.read(account, name)
            except (ListNotFetched, StoreUnavailable) as error:
                env.note(instance.name, f"{name} of {account}: {type(error).__name__}")

        instance.spawn("list", run)

    at_s = 0.0
    for name in cycle(deployment.lists):
        if at_s >= until_s:
            return
        for account in deployment.profile.providers:
            env.after(at_s, partial(ask, account, name))
        at_s += LISTS_EVERY_S


class Caller:
    """A client with one job."""

    def __init__(self, deployment: Deployment, number: int, new: NewJob, key: str | None) -> None:
        self._deployment = deployment
        self._env = deployment.env
        self._name = f"caller-{number}"
        self._new = new
        self._key = key
        # Most callers belong to one tenant.
        self._tenant = TENANTS[number % 4 == 3]
        self._job_id: str | None = None

    def live(self) -> None:
        """Create the job, retrying on errors, then read, cancel or retry it."""
        env, profile = self._env, self._deployment.profile
        for attempt in range(MAX_TRIES):
            if attempt > 0:
                env.pause(env.rng.uniform(0.5, 10.0))
            if self._ask("create", self._create):
                break
        if self._job_id is None:
            return
        if self._key is not None and env.rng.random() < 0.3:
            env.pause(env.rng.uniform(0.0, 30.0))
            self._ask("create again", self._create)
        if env.rng.random() < profile.reads:
            self._ask("read", self._read)
        if profile.callbacks.is_on and env.rng.random() < profile.callbacks.redeliver:
            env.pause(env.rng.uniform(0.0, 150.0))
            self._ask("redeliver", self._redeliver)
        if env.rng.random() < profile.cancel:
            env.pause(env.rng.choice((0.0, env.rng.uniform(0.0, 150.0))))
            self._ask("cancel", self._cancel)
        if env.rng.random() < profile.retry:
            env.pause(env.rng.choice((0.0, env.rng.uniform(0.0, 200.0))))
            self._ask("retry", self._retry)

    def _create(self, instance: Instance) -> None:
        created = self._deployment.creator(instance).create(
            self._tenant, self._new, idempotency_key=self._key
        )
        if self._job_id is not None and self._job_id != created.job.id:
            raise AssertionError("one key made two jobs")
        self._job_id = created.job.id
        self._env.history.accepted.setdefault(created.job.id, self._env.now_s)

    def _read(self, instance: Instance) -> None:
        assert self._job_id is not None  # noqa: S101 - there is a job by then
        wait_s = self._env.rng.choice((0.0, 20.0))
        reader = self._deployment.relay(instance).reader()
        job = reader.get(self._tenant, self._job_id, wait_s=wait_s)
        self._env.note(self._name, f"reads {job.id}: {job.status}")

    def _cancel(self, instance: Instance) -> None:
        assert self._job_id is not None  # noqa: S101 - there is a job by then
        try:
            self._deployment.controls(instance).cancel(self._tenant, self._job_id)
        except JobFinal:
            return

    def _redeliver(self, instance: Instance) -> None:
        assert self._job_id is not None  # noqa: S101 - there is a job by then
        redeliver(self._deployment, instance, self._job_id)

    def _retry(self, instance: Instance) -> None:
        assert self._job_id is not None  # noqa: S101 - there is a job by then
        try:
            created = self._deployment.controls(instance).retry(
                self._tenant, self._job_id, idempotency_key=f"retry-of-{self._job_id}"
            )
        except NotRetryable:
            return
        self._env.history.accepted.setdefault(created.job.id, self._env.now_s)

    def _ask(self, what: str, handle: Callable[[Instance], None]) -> bool:
        """Send one request; return False on no answer or a server error."""
        env = self._env
        flow = env.flow
        assert flow is not None  # noqa: S101 - callers are flows
        turns = flow.turns
        instance = self._deployment.apis.pick()

        def run() -> None:
            answer = "not answered"
            try:
                handle(instance)
                answer = "answered"
            except JobNotFound:
                answer = "answered 404"
            except KeyReused:
                answer = "answered 409"
            except StoreUnavailable:
                answer = "not answered: 503"
            finally:
                env.note(self._name, f"{what} {self._job_id or ''} {answer}")
                env.wake(flow, turns, 0.01, answer)

        instance.spawn(what, run)
        answer: str = env.wait()
        return answer.startswith("answered")
