"""The demo follows its jobs through calls without a response."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.demo.following import Following
from infra.demo.jobs import JOBS
from infra.demo.relay_api import JobReport, Unanswered
from infra.local.inbox import Delivery
from tests.infra.demo.factories import NOON, SANDBOX, a_report


@dataclass
class FakeApi:
    """Accepts jobs; the next `silences` calls get no response."""

    silences: int = 0
    keys: list[str] = field(default_factory=list)
    status: str = "queued"

    def create(self, body: Mapping[str, object], *, idempotency_key: str) -> JobReport:
        self.keys.append(idempotency_key)
        self._answer()
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        return a_report(int(metadata["demo"]), "queued")

    def read(self, job_id: str) -> JobReport:
        self._answer()
        return a_report(int(job_id[4:10]), self.status)

    def _answer(self) -> None:
        if self.silences:
            self.silences -= 1
            raise Unanswered("killed")


@dataclass
class FakeInbox:
    deliveries: tuple[Delivery, ...] = ()


def an_event(event_id: str) -> Delivery:
    return Delivery(
        message_id="1",
        published_at=NOON,
        ordering_key="",
        attributes={"ce-id": event_id},
        data=b"",
    )


def a_following(api: FakeApi, inbox: FakeInbox) -> Following:
    return Following(JOBS, api=api, sandbox_url=SANDBOX, inbox=inbox, run="r")


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


def test_a_job_is_over_when_it_is_final_and_its_own_event_has_come():
    api, inbox = FakeApi(), FakeInbox()
    following = a_following(api, inbox)
    following.step()
    api.status = "succeeded"
    event_id = f"{a_report(1, 'succeeded').id}.succeeded"
    inbox.deliveries = (an_event(event_id),)

    assert [one.job.number for one in following.step() if one.is_over] == [1]
