"""Kept outputs in a history: the pictures' hosts, the bucket, and the results' messages."""

import hashlib
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from infra.simulator.instances import CallFault, CallFaults, Instance
from infra.simulator.keeping_profile import KeepingProfile
from infra.verification.history import Copy, Fetch
from relay.application.output_keeper import OutputKeeper
from relay.application.ports import Download, ObjectStream, StoredObject
from relay.domain.job import EventType
from relay.errors import (
    BucketUnavailable,
    CallForbidden,
    CallUnanswered,
    CutShort,
    JobNotFound,
    RelayError,
    TooLarge,
    UnreadableJob,
)

if TYPE_CHECKING:
    from infra.simulator.deployment import Deployment

RESULTS = (EventType.SUCCEEDED.value, EventType.LATE_RESULT.value)
# As terraform's subscription.
FIRST_BACKOFF_S = 10.0
LONGEST_BACKOFF_S = 600.0
MAX_DELIVERIES = 100
# As the real adapters'.
PUT_TIMEOUT_S = 30.0
GET_S = 60.0
PNG = b"\x89PNG\r\n\x1a\n"
BUCKET = "gs://simulated"


class Keeping:
    """The subscription to results, the hosts of outputs, and the bucket."""

    def __init__(self, deployment: "Deployment", profile: KeepingProfile) -> None:
        self._deployment = deployment
        self._env = deployment.env
        self._profile = profile
        self._fates: dict[str, Callable[[], Download]] = {}
        self._objects: dict[str, StoredObject] = {}
        self._serial = count(1)
        usual = deployment.profile
        self._faults = CallFaults(
            "bucket",
            {
                CallFault.LOST_REQUEST: profile.lost_request,
                CallFault.LOST_REPLY: profile.lost_reply,
                CallFault.CRASH_BEFORE: usual.crash_before + profile.crash,
                CallFault.CRASH_AFTER: usual.crash_after + profile.crash,
                CallFault.FREEZE_BEFORE: usual.freeze / 2,
                CallFault.FREEZE_AFTER: usual.freeze / 2,
            },
        )

    def take(self, job_id: str, event_type: str) -> None:
        """Deliver a result's message, at least once."""
        if not self._profile.is_on or event_type not in RESULTS:
            return
        self._deliver(job_id, 0.05 + 0.2 * self._env.rng.random(), 0)
        if self._env.injects("result_twice", self._profile.twice):
            self._deliver(job_id, self._env.rng.uniform(0.0, 40.0), 0)

    def fetch(self, url: str) -> Download:
        """Answer a download."""
        if url not in self._fates:
            self._fates[url] = self._fate()
        if self._env.injects("output_unanswered", self._profile.unanswered):
            raise CallUnanswered("no whole answer came")
        return self._fates[url]()

    def put(self, stored: StoredObject) -> StoredObject:
        """Create an object unless it is there."""
        there = self._objects.get(stored.uri)
        self._env.history.copies.append(
            Copy(at_s=self._env.now_s, uri=stored.uri, sha256=stored.sha256, is_new=there is None)
        )
        return self._objects.setdefault(stored.uri, stored)

    def _fate(self) -> Callable[[], Download]:
        """Draw once how a host answers for an output."""
        env, rng = self._env, self._env.rng
        if env.injects("output_unreachable", self._profile.unreachable):
            return partial(_raise, lambda: CallUnanswered("could not connect"))
        if env.injects("output_gone", self._profile.gone):
            return rng.choice(
                (
                    partial(Download, rng.choice((302, 403, 404, 410)), b""),
                    partial(Download, 200, b"<html>"),
                    partial(_raise, lambda: TooLarge("simulated")),
                    partial(_raise, lambda: CutShort("simulated")),
                    partial(_raise, lambda: CallForbidden("simulated")),
                )
            )
        # Never twice the same bytes, so that a copy that is made again shows.
        return lambda: Download(200, PNG + str(next(self._serial)).encode())

    def _deliver(self, job_id: str, delay_s: float, failures: int) -> None:
        if failures >= MAX_DELIVERIES:
            self._env.note("topic", f"result of {job_id} is a dead letter")
            return

        def done(worked: bool) -> None:
            if not worked:
                backoff_s = min(FIRST_BACKOFF_S * 2 ** min(failures, 10), LONGEST_BACKOFF_S)
                self._deliver(job_id, backoff_s, failures + 1)

        self._env.after(delay_s, lambda: self._push(job_id, done))

    def _push(self, job_id: str, done: Callable[[bool], None]) -> None:
        assert self._deployment.keepers is not None  # noqa: S101 - no copies, no messages
        instance = self._deployment.keepers.pick()
        relay = self._deployment.relay(instance)
        keeper = OutputKeeper(
            store=relay.store,
            downloads=_Downloads(self, instance),
            bucket=_Bucket(self, instance, self._faults),
            announcer=relay.announcer,
            clock=instance,
        )

        def run() -> None:
            worked = False
            try:
                keeper.keep(job_id)
                worked = True
            except JobNotFound:
                worked = True
            except (RelayError, UnreadableJob) as error:
                self._env.note(instance.name, f"keep {job_id}: {type(error).__name__}")
            finally:
                done(worked)

        instance.spawn("keep", run, delay_s=0.001)


def _raise(error: Callable[[], RelayError]) -> Download:
    raise error()


class _Downloads:
    def __init__(self, keeping: Keeping, instance: Instance) -> None:
        self._keeping = keeping
        self._instance = instance

    def get(self, url: str) -> Download:
        self._instance.check()
        env = self._instance.env
        env.pause(env.rng.uniform(0.05, 0.4))
        fetch = Fetch(at_s=env.now_s, url=url)
        env.history.fetches.append(fetch)
        try:
            download = self._keeping.fetch(url)
        except CallUnanswered:
            env.pause(env.rng.choice((0.1, GET_S)))
            raise
        except RelayError:
            fetch.is_refused = True
            raise
        fetch.is_refused = not download.body.startswith(PNG)
        env.note(self._instance.name, f"get {url}: {download.status}")
        return download


class _Bucket:
    def __init__(self, keeping: Keeping, instance: Instance, faults: CallFaults) -> None:
        self._keeping = keeping
        self._instance = instance
        self._faults = faults

    def put(self, name: str, body: bytes, *, content_type: str, sha256: str) -> StoredObject:
        assert hashlib.sha256(body).hexdigest() == sha256  # noqa: S101 - the bucket checks it too
        stored = StoredObject(
            uri=f"{BUCKET}/{name}", content_type=content_type, bytes=len(body), sha256=sha256
        )
        return self._instance.remote(
            f"put {name}",
            lambda: self._keeping.put(stored),
            faults=self._faults,
            timeout_s=PUT_TIMEOUT_S,
            failure=lambda: BucketUnavailable("simulated"),
        )

    def open(self, uri: str) -> ObjectStream:
        raise AssertionError(f"{uri} is not read here")
