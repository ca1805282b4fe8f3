"""How a job's state is said on the screen and on the contact sheet."""

from infra.demo.following import Followed

NOT_SENT = "not sent"
_SHORT_ID = slice(len("job_"), len("job_") + 6)


def short_id(one: Followed) -> str:
    """Return the part of the id that tells twelve jobs apart, or a dash before there is one."""
    return one.report.id[_SHORT_ID] if one.report is not None else "-"


def state(one: Followed) -> str:
    """Return the job's status in the relay's own word."""
    return one.report.status if one.report is not None else NOT_SENT


def ending(one: Followed) -> str:
    """Return how the job ended: who brought the news, and what it was; empty while open."""
    if one.report is None or not one.report.is_final:
        return ""
    return f"{one.report.finished_by}: {_result(one)}"


def pictures(count: int) -> str:
    """Return a count of pictures."""
    return f"{count} picture" if count == 1 else f"{count} pictures"


def _result(one: Followed) -> str:
    if one.report is not None and one.report.error is not None:
        return one.report.error.code
    return pictures(len(one.report.outputs) if one.report is not None else 0)
