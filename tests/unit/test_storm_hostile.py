"""The hostile tenant of a storm: what it sends, and what must hold for the honest one beside it."""

from dataclasses import replace

from infra.sandbox import behaviours
from infra.storm.jobs import HOSTILE, SHORTEST_DEADLINE_S, hostile_jobs
from tests.factories import JOB_ID
from tests.unit.test_storm_checks import found_in, good_evidence


def test_a_hostile_tenant_floods_with_jobs_that_are_to_be_sent_again():
    jobs = hostile_jobs(100, seed=1, first_number=51, create_s=60.0, horizon_s=125.0)

    assert jobs == hostile_jobs(100, seed=1, first_number=51, create_s=60.0, horizon_s=125.0)
    assert [job.number for job in jobs] == list(range(51, 151))
    assert all(job.is_hostile and job.is_resubmitted and job.send_at_s < 30.0 for job in jobs)
    assert all(SHORTEST_DEADLINE_S <= job.deadline_s <= 125.0 - job.send_at_s for job in jobs)
    assert {wish for job in jobs for wish in job.wishes} == set(HOSTILE)
    assert behaviours.parse(",".join(HOSTILE))


def test_an_honest_job_that_is_never_sent_is_noticed():
    evidence = good_evidence()

    assert evidence.waits_s[JOB_ID] is not None
    assert found_in(replace(evidence, calls=())) == {"P8"}


def test_what_becomes_of_a_hostile_job_is_its_own_matter():
    evidence = good_evidence()
    hostile = replace(evidence.jobs[0], is_hostile=True)

    assert found_in(replace(evidence, jobs=(hostile,), calls=())) == set()


def test_a_hold_is_expected_beside_a_hostile_tenant_alone():
    evidence = replace(good_evidence(), holds=("gepetto: {}",))
    hostile = replace(evidence.jobs[0], number=2, is_hostile=True)

    assert found_in(evidence) == {"P5"}
    assert "P5" not in found_in(replace(evidence, jobs=(*evidence.jobs, hostile)))
