"""A page of jobs as JSON."""

from collections.abc import Callable

import msgspec

from relay.application.ports import Cursor, JobPage
from relay.domain.job import Job


class PageView(msgspec.Struct, rename="camel"):
    """What a list answers; `next_page_token` is null on the last page."""

    jobs: list[msgspec.Raw]
    next_page_token: str | None


def page_json(
    page: JobPage,
    *,
    shown: Callable[[Job], bytes],
    max_bytes: int,
    token: Callable[[Cursor], str],
) -> bytes:
    """Return the page, shorter than was asked for if its jobs are very large.

    Args:
        shown: Makes JSON of a job.
    """
    jobs: list[msgspec.Raw] = []
    bytes_shown, end = 0, page.end
    for count, job in enumerate(page.jobs):
        one = shown(job)
        bytes_shown += len(one)
        if jobs and bytes_shown > max_bytes:
            last = page.jobs[count - 1]
            end = Cursor(last.created_at, last.id)
            break
        jobs.append(msgspec.Raw(one))
    return msgspec.json.encode(PageView(jobs, token(end) if end is not None else None))
