"""The checks of kept outputs on histories built by hand, one for each way to break them."""

from dataclasses import replace

import pytest

from infra.verification.copies import copy_faults
from infra.verification.history import Copy, Fetch, History, Message, Version, moment
from relay.domain.events import published
from relay.domain.job import Status
from relay.domain.kept_output import KeptOutput
from relay.domain.output_keeping import decided
from tests.factories import OUTPUT, finished_job, job_id

URI = f"gs://renders/jobs/{job_id(1)}/0.png"
COPIED = KeptOutput(index=0, uri=URI, content_type="image/png", bytes=9, sha256="ab")
GIVEN_UP = KeptOutput(index=0, error="its URL answered HTTP 404")


class Built:
    """A history of one job with one output, whose completion is out."""

    def __init__(self):
        self.history = History(keeps_outputs=True)
        job = finished_job(Status.SUCCEEDED, id=job_id(1))
        (event,) = job.unpublished
        self.history.messages.append(
            Message(at_s=10.0, job_id=job.id, id=event.id, type=event.type, time=event.at, data=b"")
        )
        self.job = self.write(10.1, published(job, event.id, at=moment(10.1)))

    def write(self, at_s, job):
        versions = self.history.versions.setdefault(job.id, [])
        versions.append(Version(at_s=at_s, number=len(versions) + 1, job=job, wake_at=None))
        return job

    def copy(self, at_s, *, is_new=True):
        self.history.copies.append(Copy(at_s=at_s, uri=URI, sha256="ab", is_new=is_new))

    def decide(self, at_s, kept):
        self.job = self.write(at_s, decided(self.job, kept=kept, at=moment(at_s)))

    def fetch(self, *times_s):
        self.history.fetches += [Fetch(at_s=at_s, url=OUTPUT, is_refused=True) for at_s in times_s]


@pytest.fixture
def built():
    return Built()


def wrong(built):
    return [violation.what for violation in copy_faults(built.history)]


def test_a_copy_that_was_made_once_and_is_in_the_document_is_right(built):
    built.copy(11.0)
    built.copy(12.0, is_new=False)
    built.decide(12.1, COPIED)

    assert wrong(built) == []


def test_an_output_refused_three_times_may_be_given_up(built):
    built.fetch(11.0, 12.0, 14.0)
    built.decide(14.1, GIVEN_UP)

    assert wrong(built) == []


def test_an_output_may_be_given_up_though_another_keeper_could_not_reach_it(built):
    built.fetch(11.0, 12.0, 14.0)
    built.history.fetches.append(Fetch(at_s=14.05, url=OUTPUT))
    built.decide(14.1, GIVEN_UP)

    assert wrong(built) == []


def test_an_output_refused_once_may_not_be_given_up(built):
    built.fetch(11.0)
    built.decide(11.1, GIVEN_UP)

    assert "after 1 tries" in wrong(built)[0]


def test_a_copy_made_twice_shows(built):
    built.copy(11.0)
    built.copy(12.0)
    built.decide(12.1, COPIED)

    assert "written 2 times" in wrong(built)[0]


def test_a_copy_that_is_only_in_the_document_shows(built):
    built.decide(12.1, COPIED)

    assert "it is not" in wrong(built)[0]


def test_an_output_that_is_forgotten_shows(built):
    assert "neither kept nor given up" in wrong(built)[0]


def test_a_copy_that_changes_shows(built):
    built.copy(11.0)
    built.decide(11.1, COPIED)
    built.write(12.0, replace(built.job, kept_outputs=(replace(COPIED, bytes=10),)))

    assert "changes what was kept" in wrong(built)[0]


def test_an_announcement_before_all_are_decided_shows(built):
    built.copy(11.0)
    built.decide(11.1, COPIED)
    built.write(12.0, replace(built.job, outputs=(OUTPUT, OUTPUT)))

    assert any("wrong time" in what for what in wrong(built))
