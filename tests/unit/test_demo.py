"""The demo's jobs, how it follows and crashes, its screens and its contact sheet."""

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from infra.demo.card import SIZE, Card, draw_card
from infra.demo.contact_sheet import Section, contact_sheet, sheet_size
from infra.demo.errors import Unanswered
from infra.demo.following import Followed, Following
from infra.demo.jobs import JOBS
from infra.demo.kills import KILLS, Killer
from infra.demo.live import drawn
from infra.demo.pictures import after_names
from infra.demo.plain import PlainScreen
from infra.demo.reports import Failure, JobReport, Output, Step
from infra.demo.screen import View
from infra.local.inbox import Delivery
from infra.sandbox.behaviours import asked_by_job
from relay.domain.catalogue import CATALOGUE, find_operation

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SANDBOX = "http://127.0.0.1:8000"


def a_report(number: int, status: str) -> JobReport:
    is_final = status in ("succeeded", "failed")
    return JobReport(
        id=f"job_{number:06}{'0' * 20}",
        status=status,
        created_at=NOON,
        finished_at=NOON if is_final else None,
        finished_by="poll" if is_final else None,
        outputs=(Output("http://127.0.0.1/1.png"),) if status == "succeeded" else (),
        error=Failure("render_failed", "it failed") if status == "failed" else None,
        provider_job_id=None,
        provider_status=None,
        history=(Step("queued"),),
    )


def followed(*statuses: str, announced: bool = False) -> tuple[Followed, ...]:
    return tuple(
        Followed(
            job=job,
            report=a_report(job.number, status) if status else None,
            is_announced=announced,
        )
        for job, status in zip(JOBS, statuses, strict=False)
    )


def a_view(*rows: Followed) -> View:
    return View(followed=rows, elapsed_s=3.0, now=NOON)


@dataclass
class FakeApi:
    """Takes jobs, and gives no answer as often as it is told to."""

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


@dataclass
class FakeStack:
    killed: list[str] = field(default_factory=list)

    def kill(self, name: str) -> int:
        self.killed.append(name)
        return 7


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


def test_two_jobs_for_each_of_the_six_operations():
    counted = Counter((job.provider, job.operation) for job in JOBS)

    assert all(operation in CATALOGUE[provider].operations for provider, operation in counted)
    assert list(counted.values()) == [2] * 6


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.number))
def test_a_job_is_one_that_the_relay_takes_and_the_sandbox_understands(job):
    body = job.body(SANDBOX)
    inputs = body["input"]

    find_operation(job.provider, job.operation).check(inputs, allow_local_urls=True)
    behaviour = asked_by_job(inputs.get("url") or inputs["imageUrl"], "")
    assert set(behaviour) == ({job.behaviour.partition("=")[0]} if job.behaviour else set())


def test_one_render_fails_and_one_webhook_is_lost():
    assert [job.operation for job in JOBS if job.fails] == ["style-transfer"]
    assert [job.provider for job in JOBS if job.loses_webhook] == ["gepetto"]


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


def test_each_function_is_killed_once_while_it_is_needed():
    stack = FakeStack()
    killer = Killer(KILLS, stack=stack)

    for statuses in (("",) * 12, ("queued",) * 12, ("processing",) * 12, ("succeeded",) * 12):
        killer.step(followed(*statuses))
        killer.step(followed(*statuses))

    assert stack.killed == ["jobs_api", "provider_webhook", "poll_tick"]
    assert killer.left == ()


def test_the_pump_is_not_killed_in_the_middle_of_a_submission():
    pump = next(kill for kill in KILLS if kill.function == "poll_tick")

    assert not pump.is_due(followed("processing", "submitting"))
    assert not pump.is_due(followed("processing", "queued"))


def test_plain_lines_come_once_for_each_change():
    file = io.StringIO()
    screen = PlainScreen(Console(file=file, width=40))

    screen.show(a_view(*followed("", "")))
    screen.show(a_view(*followed("queued", "processing")))
    screen.show(a_view(*followed("queued", "succeeded")))
    screen.show(a_view(*followed("queued", "succeeded")))
    screen.show(a_view(*followed("queued", "failed", announced=True)[1:]))

    assert [" ".join(line.split()) for line in file.getvalue().splitlines()] == [
        "3.0 s 000001 gepetto redesign queued",
        "3.0 s 000002 gepetto redesign [webhook lost] processing",
        "3.0 s 000002 gepetto redesign [webhook lost] succeeded, poll: 1 picture",
        "3.0 s 000002 gepetto redesign [webhook lost] failed, poll: render_failed, announced",
    ]


@pytest.mark.parametrize("width", [80, 104])
def test_the_live_table_fits_its_terminal(width: int):
    file = io.StringIO()
    console = Console(file=file, width=width, height=24, force_terminal=True, color_system=None)
    rows = followed(*("processing", "succeeded", "failed") * 4, announced=True)

    console.print(drawn(a_view(*rows), is_roomy=width >= 104))

    lines = file.getvalue().splitlines()
    assert len(lines) <= 22
    assert "…" not in file.getvalue()
    assert any("webhook lost" in line and "poll: 1 picture" in line for line in lines)
    assert "8 of 12 final, 12 announced, 3 s" in lines[-1]


def test_pictures_are_numbered_only_where_there_are_several():
    assert after_names(JOBS[0], 1) == ["01-gepetto-redesign.png"]
    assert after_names(JOBS[6], 2) == ["07-spacely-standard-1.png", "07-spacely-standard-2.png"]


def a_card(*after: Path, failure: str = "") -> Card:
    return Card(
        heading="redesign",
        wish="mid-century living room",
        trouble="webhook lost",
        ending="succeeded by poll after 25 s",
        failure=failure,
        before=after[0] if after else None,
        after=after,
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "blue.png"
    Image.new("RGB", (96, 64), (20, 60, 200)).save(path)
    return path


def test_the_contact_sheet_has_the_size_of_its_cards_and_is_not_blank(picture: Path):
    cards = (a_card(picture), a_card(picture, picture, picture, picture), a_card(failure="why"))

    sheet = contact_sheet(
        [Section(heading="Gepetto", remark="", cards=(*cards, *cards))], title="All", remark=""
    )

    colours = sheet.getcolors(maxcolors=1 << 24)
    assert sheet.size == sheet_size([6])
    assert colours is not None
    assert (20, 60, 200) in [colour for _, colour in colours]


def test_a_failed_job_is_shown_as_failed(picture: Path):
    failed, succeeded = draw_card(a_card(failure="render_failed")), draw_card(a_card(picture))

    middle_of_after = (SIZE[0] * 3 // 4, 60)
    assert succeeded.getpixel(middle_of_after) == (20, 60, 200)
    red, green, blue = failed.getpixel(middle_of_after)
    assert red > 150 > max(green, blue)
