"""Jobs of the demo at any stage."""

from datetime import UTC, datetime

from infra.demo.following import Followed
from infra.demo.jobs import JOBS
from infra.demo.relay_api import Failure, JobReport, Kept, Output, Step

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SANDBOX = "http://127.0.0.1:8000"
RECEIVER = f"{SANDBOX}/callbacks/demo"


def a_report(number: int, status: str, *, kept: bool = False) -> JobReport:
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
        kept_outputs=(Kept(0),) if kept else (),
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
