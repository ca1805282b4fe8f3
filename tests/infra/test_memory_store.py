"""What the store in memory does beside its contract: it refuses what Firestore would not take."""

from dataclasses import replace

import pytest

from infra.memory_store import MemoryJobs, document_bytes
from relay.domain.json_text import JsonText
from relay.errors import UnreadableJob
from tests.factories import JOB_ID, NOON, a_job, job_id

LOSSY = {"a": 1}
"""Metadata that cannot be read back, because values are texts."""


@pytest.mark.parametrize(
    "value",
    [[[1]], 2**63, NOON.replace(tzinfo=None), {1, 2}, "x" * 2**20],
    ids=["array in an array", "large number", "time without a zone", "set", "1 MiB"],
)
def test_a_document_that_firestore_does_not_take_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        MemoryJobs().put_document(JOB_ID, {"field": value})


def test_a_document_is_as_large_as_its_values():
    assert document_bytes({"a": "ü", "b": [1, None], "c": {"d": 1.5}, "e": b"x"}) == 3 + 9 + 10 + 1


def test_every_job_is_kept_as_it_was_decoded():
    jobs = MemoryJobs()

    jobs.create(a_job())

    assert isinstance(jobs.read(JOB_ID).job.input, JsonText)
    with pytest.raises(UnreadableJob):
        jobs.create(a_job(id=job_id(2), metadata=LOSSY))


def test_with_fewer_checks_jobs_are_kept_as_they_are_and_one_write_in_so_many_is_checked():
    jobs = MemoryJobs(check_every=2)
    job = a_job(metadata=LOSSY)

    version = jobs.create(job)

    assert jobs.read(JOB_ID).job is job
    with pytest.raises(UnreadableJob):
        jobs.replace(replace(job, polls=1), version=version)
