"""Answers as JSON: jobs, pages of them, jobs as the providers show them, and the providers."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import msgspec

from relay.application.list_position import ListPage, ListPosition
from relay.application.overview import AccountState
from relay.application.progress import Progress
from relay.domain.catalogue import CATALOGUE, describe_provider
from relay.domain.catalogue.description import OperationDescription, ProviderDescription
from relay.domain.job import Job, Status
from relay.job_view import JobView, view

# The source of an expected duration that was not taken from the documentation.
LEARNT = "median of this relay's own renders"


# A multiple of 3, so that the encoded pieces can be joined.
PICTURE_PIECE_BYTES = 192 * 1024
_BEFORE_PICTURE, _AFTER_PICTURE = b'{"base64":"', b'","status":"success"}'


class CallbackView(msgspec.Struct, rename="camel"):
    """How far the delivery of a job's events to its caller has come."""

    url: str
    status: str
    attempts: int
    last_status: int | None
    next_at: datetime | None


class JobAnswer(JobView, rename="camel", kw_only=True):
    """A job as its caller sees it; see contract, section 2."""

    expected_at: datetime | None
    waiting_for: str | None
    callback: CallbackView | None


class SecretsView(msgspec.Struct):
    """The tenant's secrets for checking callbacks."""

    secrets: list[str]


class PageView(msgspec.Struct, rename="camel"):
    """What a list answers; `next_page_token` is null on the last page."""

    jobs: list[msgspec.Raw]
    next_page_token: str | None


class GepettoJob(msgspec.Struct, rename="camel"):
    """What Gepetto's Get Job answers."""

    status: str
    output: str | None
    mode: str
    created_at: str


class GepettoAcknowledgement(msgspec.Struct, rename="camel"):
    """What Gepetto's submissions with a webhook answer; `id` is the job's.

    It repeats these fields of inputs that have them (gepetto.md 2.2).
    """

    status: str
    id: str
    mode: str
    style_id: str | msgspec.UnsetType = msgspec.UNSET
    room_id: str | msgspec.UnsetType = msgspec.UNSET
    creativity: float | msgspec.UnsetType = msgspec.UNSET
    sky_id: str | msgspec.UnsetType = msgspec.UNSET


class GepettoPicture(msgspec.Struct):
    """What Gepetto's submissions without a webhook answer (gepetto.md 2.1)."""

    base64: str
    status: str


class SpacelyData(msgspec.Struct):
    """What Spacely's poll answers in ``data``."""

    status: str
    result: list[str]


class SpacelyResult(msgspec.Struct):
    """What Spacely's poll answers."""

    data: SpacelyData


class SpacelyReference(msgspec.Struct):
    """What Spacely's submissions answer; `data` is the job's id."""

    data: str


class HoldView(msgspec.Struct, rename="camel"):
    """Why a provider is not called now, and when that is tried again."""

    code: str
    http_status: int
    since: datetime
    next_probe_at: datetime


class PauseView(msgspec.Struct, rename="camel"):
    """Why the caller's jobs are not sent now, and when that is tried again."""

    reason: str
    since: datetime
    next_probe_at: datetime


class LimitView(msgspec.Struct, rename="camel"):
    """The call limit that this deployment works by."""

    calls: int
    window_seconds: float


class AccountView(msgspec.Struct, rename="camel"):
    """How the account with a provider stands; jobs are the caller's own."""

    limit: LimitView
    hold: HoldView | None
    pause: PauseView | None
    queued_jobs: int
    open_jobs: int


class ProviderView(msgspec.Struct, rename="camel"):
    """One provider; `account` is null where it is not switched on."""

    name: str
    catalogue: ProviderDescription
    account: AccountView | None


class ProvidersView(msgspec.Struct):
    """All providers."""

    providers: list[ProviderView]


def job_json(job: Job, progress: Progress) -> bytes:
    """Return the job as events show it, and its progress."""
    return msgspec.json.encode(
        JobAnswer(
            **msgspec.structs.asdict(view(job)),
            expected_at=progress.expected_at,
            waiting_for=progress.waiting_for,
            callback=_callback(job),
        )
    )


def _callback(job: Job) -> CallbackView | None:
    if job.callback is None:
        return None
    current = job.callback.current
    return CallbackView(
        url=job.callback.url,
        status=job.callback.status,
        attempts=0 if current is None else current.attempts,
        last_status=None if current is None else current.last_status,
        next_at=None if current is None else current.next_at,
    )


def secrets_json(secrets: Sequence[str]) -> bytes:
    """Return a tenant's secrets for checking callbacks."""
    return msgspec.json.encode(SecretsView(list(secrets)))


def page_json(
    page: ListPage,
    *,
    shown: Callable[[Job], bytes],
    max_bytes: int,
    token: Callable[[ListPosition], str],
) -> bytes:
    """Return the page, shorter than was asked for if its jobs are very large.

    Args:
        shown: Makes JSON of a job.
    """
    jobs: list[msgspec.Raw] = []
    bytes_shown, end = 0, page.next
    for count, job in enumerate(page.jobs):
        one = shown(job)
        bytes_shown += len(one)
        if jobs and bytes_shown > max_bytes:
            end = page.after(page.jobs[count - 1])
            break
        jobs.append(msgspec.Raw(one))
    return msgspec.json.encode(PageView(jobs, token(end) if end is not None else None))


def gepetto_json(job: Job) -> bytes:
    """Return the job as Gepetto's ``GET /job/{id}`` would show it (gepetto.md 2.3).

    The shape of a job that is not done or has failed is documented by neither provider: see
    contract, section 3. The time has milliseconds, as there.
    """
    created_at = job.created_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        GepettoJob(
            status=_word(job, open_word="pending"),
            output=next(iter(job.outputs), None),
            mode=job.operation,
            created_at=created_at.replace("+00:00", "Z"),
        )
    )


def gepetto_acknowledgement_json(job: Job) -> bytes:
    """Return what a submission to Gepetto with a webhook is answered (gepetto.md 2.2)."""
    given: Mapping[str, Any] = job.known_input or {}
    return msgspec.json.encode(
        GepettoAcknowledgement(
            status="pending",
            id=job.id,
            mode=job.operation,
            style_id=given.get("styleId", msgspec.UNSET),
            room_id=given.get("roomId", msgspec.UNSET),
            creativity=given.get("creativity", msgspec.UNSET),
            sky_id=given.get("skyId", msgspec.UNSET),
        )
    )


def picture_json_bytes(picture: bytes) -> int:
    """Return how long `picture_json` is."""
    return len(_BEFORE_PICTURE) + -(-len(picture) // 3) * 4 + len(_AFTER_PICTURE)


def picture_json(picture: bytes) -> Iterator[bytes]:
    """Yield what a blocking submission to Gepetto is answered (gepetto.md 2.1).

    In pieces: whole, it would take the picture's memory more than twice over.
    """
    yield _BEFORE_PICTURE
    whole = memoryview(picture)
    for start in range(0, len(whole), PICTURE_PIECE_BYTES):
        yield base64.b64encode(whole[start : start + PICTURE_PIECE_BYTES])
    yield _AFTER_PICTURE


def spacely_json(job: Job) -> bytes:
    """Return the job as Spacely's ``GET /generate/poll-result`` would show it (spacely.md 2)."""
    word = _word(job, open_word="processing")
    return msgspec.json.encode(SpacelyResult(SpacelyData(word, list(job.outputs))))


def spacely_reference_json(job: Job) -> bytes:
    """Return what a submission to Spacely is answered (spacely.md 1)."""
    return msgspec.json.encode(SpacelyReference(job.id))


def providers_json(
    states: Sequence[AccountState], *, median_s: Callable[[str, str], float | None]
) -> bytes:
    """Return the catalogue, and how each account stands.

    Args:
        median_s: Returns the median time of an account's renders of an operation; None before any
            was seen.
    """
    accounts = {state.name: _account(state) for state in states}
    shown = {name: _catalogue(name) for name in CATALOGUE}
    for name in accounts:
        shown[name] = _with_medians(shown[name], partial(median_s, name))
    return msgspec.json.encode(
        ProvidersView([ProviderView(name, shown[name], accounts.get(name)) for name in CATALOGUE])
    )


def _with_medians(
    catalogue: ProviderDescription, median_s: Callable[[str], float | None]
) -> ProviderDescription:
    return {
        **catalogue,
        "operations": [_with_median(one, median_s(one["name"])) for one in catalogue["operations"]],
    }


def _with_median(operation: OperationDescription, median_s: float | None) -> OperationDescription:
    if median_s is None:
        return operation
    return {**operation, "expected": {"seconds": round(median_s, 1), "source": LEARNT}}


def _word(job: Job, *, open_word: str) -> str:
    if job.status is Status.SUCCEEDED:
        return "success"
    return "failed" if job.is_final else open_word


@cache
def _catalogue(name: str) -> ProviderDescription:
    return describe_provider(CATALOGUE[name])


def _pause(state: AccountState) -> PauseView | None:
    if state.pause is None:
        return None
    reason, stop = state.pause
    return PauseView(reason, stop.since, stop.probe_at)


def _account(state: AccountState) -> AccountView:
    hold = state.hold
    return AccountView(
        limit=LimitView(state.limit.calls, state.limit.window_s),
        hold=HoldView(hold.code, hold.status, hold.since, hold.probe_at) if hold else None,
        pause=_pause(state),
        queued_jobs=state.queued_jobs,
        open_jobs=state.open_jobs,
    )
