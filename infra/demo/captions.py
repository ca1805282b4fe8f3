"""What the contact sheet says of the jobs."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from infra.demo import words
from infra.demo.card import Card
from infra.demo.contact_sheet import Section
from infra.demo.following import Followed
from infra.demo.pictures import SavedPictures

_REMARKS = {
    "gepetto": "calls a webhook; asked only when that does not come",
    "spacely": "has no webhook; asked until it is done, four pictures each",
}


def sections(
    followed: Sequence[Followed], saved: Mapping[int, SavedPictures]
) -> tuple[Section, ...]:
    """Return the jobs as cards, by provider."""
    return tuple(
        Section(
            heading=provider.capitalize(),
            remark=_REMARKS.get(provider, ""),
            cards=tuple(_card(one, saved[one.job.number]) for one in group),
        )
        for provider, group in groupby(followed, key=lambda one: one.job.provider)
    )


def remark(followed: Sequence[Followed]) -> str:
    """Return the line under the sheet's title."""
    succeeded = sum(words.state(one) == "succeeded" for one in followed)
    failed = sum(words.state(one) == "failed" for one in followed)
    open_ones = len(followed) - succeeded - failed
    counts = [f"{succeeded} succeeded", f"{failed} failed"]
    counts += [f"{open_ones} not final"] if open_ones else []
    return (
        f"{', '.join(counts)}. Rendered by the local sandbox of both providers; "
        "what went wrong on purpose is in amber."
    )


def _card(one: Followed, saved: SavedPictures) -> Card:
    return Card(
        heading=one.job.operation,
        wish=one.job.wish,
        trouble=one.job.trouble,
        ending=_ending(one),
        failure=_failure(one),
        before=saved.before,
        after=saved.after,
    )


def _ending(one: Followed) -> str:
    if one.report is None or one.report.finished_at is None:
        return words.state(one)
    age_s = one.report.age_s(now=one.report.finished_at)
    return f"{one.report.status} by {one.report.finished_by} after {age_s:.0f} s"


def _failure(one: Followed) -> str:
    if one.report is None or not one.report.is_final:
        return "it has not ended"
    if one.report.error is None:
        return ""
    return f'{one.report.error.code}: {one.job.provider} said "{one.report.provider_status}"'
