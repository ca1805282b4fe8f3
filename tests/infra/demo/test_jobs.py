"""The demo's jobs."""

from collections import Counter

import pytest

from infra.demo.jobs import JOBS
from infra.sandbox.behaviours import asked_by_job
from relay.domain.catalogue import CATALOGUE, find_operation
from tests.infra.demo.factories import RECEIVER, SANDBOX


def test_two_jobs_for_each_of_the_six_operations():
    counted = Counter((job.provider, job.operation) for job in JOBS)

    assert all(operation in CATALOGUE[provider].operations for provider, operation in counted)
    assert list(counted.values()) == [2] * 6


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.number))
def test_a_job_is_one_that_the_relay_takes_and_the_sandbox_understands(job):
    body = job.body(SANDBOX, receiver_url=RECEIVER)
    inputs = body["input"]

    find_operation(job.provider, job.operation).check(inputs, allow_local_urls=True)
    behaviour = asked_by_job(inputs.get("url") or inputs["imageUrl"], "")
    assert set(behaviour) == ({job.behaviour.partition("=")[0]} if job.behaviour else set())


def test_one_job_has_a_callback_to_the_receiver():
    urls = [job.body(SANDBOX, receiver_url=RECEIVER).get("callbackUrl") for job in JOBS]

    assert [url for url in urls if url is not None] == [RECEIVER]


def test_one_render_fails_and_one_webhook_is_lost():
    assert [job.operation for job in JOBS if job.fails] == ["style-transfer"]
    assert [job.provider for job in JOBS if job.loses_webhook] == ["gepetto"]
