"""Checks P10: every event of a job with a callback is delivered, or shown as failed.

The rules (contract, section 5a) are repeated here: the checker does not trust the code.

What holds across crashes: a run of the callbacks' pump keeps the limits of posts in flight, and a
clean hand-over leaves none in flight. A run that lost its lease (its process was killed or frozen,
or the store did not answer) may have posts in flight for up to 15 s beside those of the next, and
what it had posted and not marked is posted again under the same id.
"""

import base64
import hashlib
import hmac
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from infra.verification.history import (
    EPOCH,
    History,
    Message,
    Post,
    Trouble,
    Version,
    Violation,
)
from relay.domain.callback import Callback, Delivery, DeliveryStatus

RETRY_AFTER_S = (
    5.0,
    300.0,
    1_800.0,
    7_200.0,
    18_000.0,
    36_000.0,
    50_400.0,
    72_000.0,
    86_400.0,
)
ATTEMPTS = len(RETRY_AFTER_S) + 1
LONGEST_RETRY_AFTER_S = 3_600.0
GONE = 410
MAX_AT_ENDPOINT = 4
MAX_OF_TENANT = 8
# Two clocks that differ by 2 s, and the whole seconds of a timestamp.
SKEW_S = 2.0
TIMESTAMP_WITHIN_S = 2.1
# A document may have been read so long before the post: as long as a read may take.
READ_S = 6.0
STEADY_READ_S = 0.2
# From due to posted at an endpoint that answers: the scheduler's tick, as for P3.
POSTED_WITHIN_S = 90.0
# The same where all else works: a hand-over waits for posts that hang.
POSTED_SOON_S = 22.0
SECONDS_A_POST = 0.5
# Before that, a job that became due may not have been found.
FOUND_WITHIN_S = 3.0
SLACK = 3
NEVER_S = float("inf")


def delivery_faults(history: History) -> Iterator[Violation]:
    """Return what breaks P10."""
    posts: dict[str, list[Post]] = defaultdict(list)
    for post in history.posts:
        posts[_job_id(post)].append(post)
    for job_id in posts.keys() - history.versions.keys():
        yield Violation("P10", job_id, "was posted and has no document")
    messages: dict[str, list[Message]] = defaultdict(list)
    for message in history.messages:
        messages[message.job_id].append(message)
    calls = []
    for job_id, versions in history.versions.items():
        if versions[0].job.callback is None:
            continue
        calls.append(_Calls(history, versions, posts[job_id], messages[job_id]))
    for one in calls:
        for check in (
            one.changes(),
            one.contents(),
            one.turns(),
            one.schedule(),
            one.ends(),
            one.lateness(len(calls)),
        ):
            yield from (Violation("P10", one.id, what) for what in check)
    tenants = {one.id: one.tenant for one in calls}
    yield from (Violation("P10", "-", what) for what in _too_many_in_flight(history, tenants))
    if history.is_steady:
        yield from (Violation("P10", tenant, what) for tenant, what in _out_of_turn(calls))


def _job_id(post: Post) -> str:
    return post.event_id.rpartition(".")[0]


def _host(url: str) -> str:
    return urlsplit(url).netloc


@dataclass(slots=True)
class _Calls:
    """All that happened for the callback of one job."""

    history: History
    versions: Sequence[Version]
    posts: Sequence[Post]
    messages: Sequence[Message]

    @property
    def id(self) -> str:
        return self.versions[0].job.id

    @property
    def tenant(self) -> str:
        return self.versions[0].job.tenant

    @property
    def url(self) -> str:
        return _callback(self.versions[0]).url

    @property
    def _read_s(self) -> float:
        return STEADY_READ_S if self.history.is_steady else READ_S

    def changes(self) -> Iterator[str]:
        """Check how the deliveries change from version to version."""
        for before, after in pairwise(self.versions):
            old, new = _callback(before), _callback(after)
            if (old.url, old.shape) != (new.url, new.shape):
                yield f"version {after.number} changes where it is called"
            now = {one.event_id: one for one in new.deliveries}
            for one in old.deliveries:
                then = now.get(one.event_id)
                if then is None:
                    yield f"version {after.number} forgets the delivery of {one.event_id}"
                elif then.attempts < one.attempts or (
                    then.status is DeliveryStatus.PENDING
                    and one.status is not DeliveryStatus.PENDING
                ):
                    asked = self.history.redeliveries.get(self.id, [])
                    if not any(at_s <= after.at_s for at_s in asked):
                        yield f"version {after.number} begins {one.event_id} again by itself"

    def contents(self) -> Iterator[str]:
        """Check that every post of an event is published, signed and the same."""
        first: dict[str, bytes] = {}
        for post in self.posts:
            if not post.has_lease:
                yield f"was posted at {post.at_s:.3f} by a pump without the lease"
            if post.url != self.url:
                yield f"was posted to {post.url} instead of {self.url}"
            if first.setdefault(post.event_id, post.body) != post.body:
                yield f"two posts of {post.event_id} differ"
            message = next((one for one in self.messages if one.id == post.event_id), None)
            if message is None or message.at_s - message.within_s > post.at_s:
                yield f"{post.event_id} was posted at {post.at_s:.3f} before it was published"
            elif json.loads(post.body)["data"] != json.loads(message.data):
                yield f"{post.event_id} was posted with another job than was published"
            elif json.loads(post.body)["type"] != message.type:
                yield f"{post.event_id} was posted with another type than was published"
            yield from self._signatures(post)

    def _signatures(self, post: Post) -> Iterator[str]:
        sent = post.headers["webhook-timestamp"]
        if abs(int(sent) - EPOCH.timestamp() - post.at_s) > TIMESTAMP_WITHIN_S:
            yield f"{post.event_id} was posted at {post.at_s:.3f} with the time {sent}"
        content = b".".join((post.event_id.encode(), sent.encode(), post.body))
        signatures = []
        for key in self.history.callback_keys:
            secret = hmac.digest(key.encode(), self.tenant.encode(), hashlib.sha256)
            digest = hmac.digest(secret, content, hashlib.sha256)
            signatures.append(f"v1,{base64.b64encode(digest).decode()}")
        if post.headers["webhook-signature"] != " ".join(signatures):
            yield f"{post.event_id} was posted at {post.at_s:.3f} with a wrong signature"

    def turns(self) -> Iterator[str]:
        """Check that only the event whose turn it was is posted, and nothing after its mark."""
        for post in self.posts:
            seen = self._in_effect(post.at_s - self._read_s, post.at_s)
            turn = [_turn(one) for one in seen]
            if not any(one is not None and one.event_id == post.event_id for one in turn):
                yield f"{post.event_id} was posted at {post.at_s:.3f}, though it was not its turn"

    def schedule(self) -> Iterator[str]:
        """Check that no attempt is made before its time, nor more than there are."""
        for attempted, began in self._began():
            ended = [
                post.ended_s + _delay_s(began.attempts, post)
                for post in self.posts
                if post.event_id == began.event_id
                and post.ended_s is not None
                and self._previous_s(attempted, began) <= post.at_s
                and post.ended_s <= attempted.at_s
            ]
            if not ended:
                yield f"version {attempted.number} counts an attempt that was not made"
                continue
            earliest_s = min(ended) - SKEW_S
            until_s = self._until(attempted, began)
            for post in self.posts:
                if (
                    post.event_id == began.event_id
                    and attempted.at_s + self._read_s < post.at_s < min(earliest_s, until_s)
                ):
                    yield f"{began.event_id} was posted at {post.at_s:.3f}, before {earliest_s:.3f}"

    def _began(self) -> Iterator[tuple[Version, Delivery]]:
        """Yield each version that counts a failed attempt, with the delivery that it plans."""
        for before, after in pairwise(self.versions):
            old = {one.event_id: one for one in _callback(before).deliveries}
            for one in _callback(after).deliveries:
                then = old.get(one.event_id)
                if (
                    one.status is DeliveryStatus.PENDING
                    and then is not None
                    and one.attempts > then.attempts
                ):
                    yield after, one

    def _previous_s(self, attempted: Version, began: Delivery) -> float:
        """Return when the attempts before this one had been counted."""
        return next(
            (
                one.at_s
                for one in self.versions
                if one.at_s <= attempted.at_s
                and any(
                    delivery.event_id == began.event_id
                    and delivery.attempts == began.attempts - 1
                    and delivery.status is DeliveryStatus.PENDING
                    for delivery in _callback(one).deliveries
                )
            ),
            0.0,
        )

    def _until(self, attempted: Version, began: Delivery) -> float:
        """Return when the plan is changed again, as by a redelivery."""
        return next(
            (
                one.at_s
                for one in self.versions
                if one.number > attempted.number and began not in _callback(one).deliveries
            ),
            float("inf"),
        )

    def ends(self) -> Iterator[str]:
        """Check that all deliveries have ended, and each in the way that the document says."""
        last = self.versions[-1].job
        callback = _callback(self.versions[-1])
        deliveries = {one.event_id: one for one in callback.deliveries}
        for event in last.announcements:
            one = deliveries.get(event.id)
            posts = [post for post in self.posts if post.event_id == event.id]
            if one is None:
                yield f"{event.id} was never to be delivered"
            elif one.status is DeliveryStatus.PENDING:
                yield f"{event.id} is still to be delivered at the end of the history"
            elif one.status is DeliveryStatus.DELIVERED:
                if not any(post.is_taken and post.is_read for post in posts):
                    yield f"{event.id} is said to be delivered, and nobody has taken it"
            elif not self._has_failed(one, posts):
                yield f"{event.id} is said to have failed after {len(posts)} posts"
        for version in self.versions:
            for one in _callback(version).deliveries:
                if one.status is DeliveryStatus.DELIVERED and not any(
                    post.event_id == one.event_id and post.is_taken and post.at_s <= version.at_s
                    for post in self.posts
                ):
                    yield f"version {version.number} says too early that {one.event_id} arrived"

    def _has_failed(self, delivery: Delivery, posts: Iterable[Post]) -> bool:
        is_gone = any(post.status == GONE and post.is_read for post in self.posts)
        has_tried = len(list(posts)) >= ATTEMPTS and delivery.attempts == ATTEMPTS
        return is_gone or has_tried

    def lateness(self, calls: int) -> Iterator[str]:
        """Check that an endpoint which takes every post gets each in time."""
        if urlsplit(self.url).hostname not in self.history.healthy:
            return
        troubles = sorted(self.history.callback_troubles, key=lambda one: one.at_s)
        for before, after in pairwise(self.versions):
            old, new = _turn(before), _turn(after)
            if new is None or (old is not None and old.event_id == new.event_id):
                continue
            bound_s = POSTED_WITHIN_S
            if self.history.is_steady and not troubles:
                bound_s = POSTED_SOON_S + SECONDS_A_POST * calls
            elif self.history.longest_freeze_s > 0.0 or calls > MAX_OF_TENANT:
                # What is frozen or hangs may be the tenant's own; a pump that is killed again and
                # again comes back later each time.
                bound_s += 60.0 + SECONDS_A_POST * calls
            posted_s = next(
                (
                    post.at_s
                    for post in self.posts
                    if post.event_id == new.event_id and post.at_s >= after.at_s
                ),
                float("inf"),
            )
            until_s = _excused_until(troubles, from_s=after.at_s, bound_s=bound_s)
            if posted_s > until_s and self._until(after, new) > until_s:
                yield (
                    f"{new.event_id} was due at {after.at_s:.3f}, had to be posted by "
                    f"{until_s:.3f}, and was at {posted_s:.3f}"
                )

    def _in_effect(self, from_s: float, to_s: float) -> Sequence[Version]:
        """Return the versions that were the newest at some moment of a span."""
        times = [one.at_s for one in self.versions]
        first = max(bisect_right(times, from_s) - 1, 0)
        return self.versions[first : bisect_right(times, to_s)]


def _callback(version: Version) -> Callback:
    assert version.job.callback is not None  # noqa: S101 - only jobs with one are asked
    return version.job.callback


def _turn(version: Version) -> Delivery | None:
    """Return the delivery whose turn it is: the first that has not ended."""
    deliveries = _callback(version).deliveries
    return next((one for one in deliveries if one.status is DeliveryStatus.PENDING), None)


def _delay_s(attempts: int, post: Post) -> float:
    asked_s = post.retry_after_s if post.is_read and not post.is_taken else None
    return max(RETRY_AFTER_S[attempts - 1], min(asked_s or 0.0, LONGEST_RETRY_AFTER_S))


def _excused_until(troubles: Sequence[Trouble], *, from_s: float, bound_s: float) -> float:
    until_s = from_s + bound_s
    for trouble in troubles:
        if trouble.at_s < until_s and trouble.until_s >= from_s:
            until_s = max(until_s, trouble.until_s + bound_s)
    return until_s


def _too_many_in_flight(history: History, tenants: dict[str, str]) -> Iterator[str]:
    flying: list[Post] = []
    for post in history.posts:
        flying = [one for one in flying if one.ended_s is None or one.ended_s > post.at_s]
        flying.append(post)
        ours = [one for one in flying if one.holder == post.holder]
        tenant = tenants.get(_job_id(post))
        at_endpoint = sum(_host(one.url) == _host(post.url) for one in ours)
        if at_endpoint > MAX_AT_ENDPOINT:
            yield f"{at_endpoint} posts to {_host(post.url)} were in flight at {post.at_s:.3f}"
        of_tenant = sum(tenants.get(_job_id(one)) == tenant for one in ours)
        if of_tenant > MAX_OF_TENANT:
            yield f"{of_tenant} posts of {tenant} were in flight at {post.at_s:.3f}"
        for one in flying:
            given_back_s = history.given_back.get(one.holder, NEVER_S)
            # An instance that was told to stop may leave posts behind; none here is.
            is_others = one.holder != post.holder
            if is_others and given_back_s < (one.ended_s or post.at_s) - SKEW_S:
                yield f"a lease was given back at {given_back_s:.3f} with posts in flight"


def _out_of_turn(calls: Sequence[_Calls]) -> Iterator[tuple[str, str]]:
    """Yield the tenants that waited for others' posts to an endpoint beyond their share.

    Of all posts to it while a tenant had something due there, at least its share less a few were
    its own.
    """
    by_host: dict[str, dict[str, list[_Calls]]] = defaultdict(lambda: defaultdict(list))
    for one in calls:
        by_host[_host(one.url)][one.tenant].append(one)
    for host, tenants in by_host.items():
        for tenant, theirs in tenants.items():
            waits = [wait for one in theirs if (wait := _wait(one)) is not None]
            if len(tenants) < 2 or not waits:
                continue
            from_s = max(from_s for from_s, _ in waits) + FOUND_WITHIN_S
            to_s = max(to_s for _, to_s in waits)
            own = _between(theirs, from_s, to_s)
            others = max(
                _between(jobs, from_s, to_s) for name, jobs in tenants.items() if name != tenant
            )
            if others > own + SLACK + MAX_AT_ENDPOINT:
                span = f"from {from_s:.3f} to {to_s:.3f}"
                yield tenant, f"had {own} posts to {host} {span}, and another tenant {others}"


def _wait(one: _Calls) -> tuple[float, float] | None:
    """Return from when to when the first event of a job waited for its first post."""
    due_s = next((version.at_s for version in one.versions if _turn(version) is not None), None)
    if due_s is None or not one.posts:
        return None
    return due_s, one.posts[0].at_s


def _between(calls: Iterable[_Calls], from_s: float, to_s: float) -> int:
    return sum(from_s < post.at_s < to_s for one in calls for post in one.posts)
