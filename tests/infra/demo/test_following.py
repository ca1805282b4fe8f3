"""The demo follows its jobs through calls without a response."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec.structs import replace

from infra.demo.following import Following
from infra.demo.jobs import JOBS
from infra.demo.receiver import Callback
from infra.demo.relay_api import JobReport, Unanswered
from infra.local.inbox import Delivery
from tests.infra.demo.factories import NOON, RECEIVER, SANDBOX, a_report


@dataclass
class FakeApi:
    """Accepts jobs; the next `silences` calls get no response."""

    silences: int = 0
    keys: list[str] = field(default_factory=list)
    status: str = "queued"
    kept: bool = False

    def create(self, body: Mapping[str, object], *, idempotency_key: str) -> JobReport:
        self.keys.append(idempotency_key)
        self._answer()
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        return a_report(int(metadata["demo"]), "queued")

    def read(self, job_id: str) -> JobReport:
        self._answer()
        return a_report(int(job_id[4:10]), self.status, kept=self.kept)

    def _answer(self) -> None:
        if self.silences:
            self.silences -= 1
            raise Unanswered("killed")


@dataclass
class FakeInbox:
    deliveries: tuple[Delivery, ...] = ()


@dataclass
class FakeReceiver:
    url: str = RECEIVER
    callbacks: tuple[Callback, ...] = ()


def a_callback(event_id: str, signature: str = "good") -> Callback:
    return Callback(event_id, 0.0, "demo", "", signature, 204, msgspec.Raw(b"{}"))


def an_event(event_id: str) -> Delivery:
    return Delivery(
        message_id="1",
        published_at=NOON,
        ordering_key="",
        attributes={"ce-id": event_id},
        data=b"",
    )


def a_following(api: FakeApi, inbox: FakeInbox, receiver: FakeReceiver | None = None) -> Following:
    return Following(
        JOBS,
        api=api,
        sandbox_url=SANDBOX,
        inbox=inbox,
        receiver=receiver or FakeReceiver(),
        run="r",
    )


def test_a_create_without_an_answer_is_repeated_with_the_same_key():
    api = FakeApi(silences=1)
    following = a_following(api, FakeInbox())

    assert all(one.report is None for one in following.step())
    assert following.step()[0].report is not None
    assert api.keys[:3] == ["demo-r-1", "demo-r-1", "demo-r-2"]


def test_all_jobs_are_sent_a_few_at_a_time_and_each_once():
    api = FakeApi()
    following = a_following(api, FakeInbox())

    sent = [sum(one.report is not None for one in following.step()) for _ in range(4)]

    assert sent == [4, 8, 12, 12]
    assert api.keys == [f"demo-r-{job.number}" for job in JOBS]


def test_a_read_without_an_answer_leaves_what_is_known():
    api = FakeApi()
    following = a_following(api, FakeInbox())
    before = following.step()
    api.silences = 1

    assert following.step() == before


@pytest.fixture
def over() -> tuple[FakeApi, FakeInbox, FakeReceiver]:
    """Return what shows that the first two jobs are over; the first one has a callback."""
    ids = [a_report(number, "succeeded").id for number in (1, 2)]
    return (
        FakeApi(status="succeeded", kept=True),
        FakeInbox(tuple(an_event(f"{job_id}.succeeded") for job_id in ids)),
        FakeReceiver(
            callbacks=tuple(
                a_callback(f"{ids[0]}.{word}") for word in ("succeeded", "outputs_kept")
            )
        ),
    )


def numbers_over(api: FakeApi, inbox: FakeInbox, receiver: FakeReceiver) -> list[int]:
    following = a_following(api, inbox, receiver)
    following.step()
    return [one.job.number for one in following.step() if one.is_over]


def test_a_job_is_over_when_it_is_announced_kept_and_called_back(over):
    assert numbers_over(*over) == [1, 2]


def test_a_job_without_its_event_is_not_over(over):
    api, inbox, receiver = over

    assert numbers_over(api, FakeInbox(inbox.deliveries[:1]), receiver) == [1]


def test_a_job_without_copies_is_not_over(over):
    api, inbox, receiver = over
    api.kept = False

    assert numbers_over(api, inbox, receiver) == []


@pytest.mark.parametrize("signature", ["wrong", "missing", "unchecked"])
def test_a_callback_without_a_good_signature_has_not_come(over, signature):
    api, inbox, receiver = over
    first, second = receiver.callbacks
    receiver.callbacks = (first, replace(second, signature=signature))

    assert numbers_over(api, inbox, receiver) == [2]
