"""The HTTP API: its routes, and the calls that they make; see contract, section 3."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

from relay.application.batch_creator import Batch, BatchCreator
from relay.application.job_controls import JobControls
from relay.application.job_creator import Created, JobCreator
from relay.application.job_reader import JobReader
from relay.application.overview import Overview
from relay.application.picture_reader import PictureReader
from relay.application.ports import OutputBucket
from relay.application.progress import ProgressReader
from relay.application.provider_lists import ListReader
from relay.application.slots import Slots
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Job
from relay.domain.signatures import tenant_secret
from relay.edges.answers import (
    gepetto_acknowledgement_json,
    gepetto_json,
    job_json,
    page_json,
    picture_json,
    picture_json_bytes,
    providers_json,
    secrets_json,
    spacely_json,
    spacely_reference_json,
)
from relay.edges.auth import tenant_of
from relay.edges.batch import (
    MAX_BATCH_BYTES,
    BatchResult,
    batch_json,
    key_within_batch,
    read_batch_body,
)
from relay.edges.bodies import read_body, read_create_body, read_no_body
from relay.edges.console import Console
from relay.edges.kept_outputs import kept_output, kept_output_answer
from relay.edges.listing import PageTokens, read_list_query
from relay.edges.problems import (
    HttpProblem,
    body_too_large,
    method_not_allowed,
    no_such_job,
    not_found,
    problem_answer,
)
from relay.edges.routes import Endpoint, Routes, nearest_path
from relay.edges.submissions import (
    SUBMISSIONS,
    Submission,
    create_submitted,
    read_submission,
)
from relay.errors import (
    JobNotFound,
    RelayError,
    StoreUnavailable,
    TooManyLargeBatches,
    TooManyWaiting,
    UnreadableJob,
)

MAX_BODY_BYTES = 256 * 1024
# A job can be half a MiB and 80 pages be made at a time, so only a few may have the full size.
MAX_PAGE_BYTES = 4 * 1024 * 1024
SMALL_PAGE_BYTES = 256 * 1024
LONGEST_WAIT_S = 60
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


class Api:
    """Answers `jobs_api`'s requests.

    Args:
        waits: The slots of requests that wait for a job.
        large_answers: The slots of pages and batches that may have their full size.
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.
        callback_keys: `CALLBACK_KEYS`; empty where callbacks are not switched on.
        bucket: Of the kept outputs; None where there is none.
    """

    def __init__(
        self,
        *,
        creator: JobCreator,
        batches: BatchCreator,
        reader: JobReader,
        controls: JobControls,
        overview: Overview,
        progress: ProgressReader,
        lists: ListReader,
        pictures: PictureReader,
        console: Console,
        waits: Slots,
        large_answers: Slots,
        tenants: Mapping[str, str],
        callback_keys: Sequence[str],
        bucket: OutputBucket | None,
    ) -> None:
        self._bucket = bucket
        self._creator = creator
        self._batches = batches
        self._reader = reader
        self._controls = controls
        self._overview = overview
        self._progress = progress
        self._lists = lists
        self._pictures = pictures
        self._waits = waits
        self._large_answers = large_answers
        self._tenants = tenants
        self._callback_keys = callback_keys
        self._page_tokens = PageTokens(tenants)
        self.routes = Routes(
            [
                ("GET", "/healthz", self._health),
                ("GET", "/console", console.page),
                ("GET", "/console/<digest>/<path:name>", console.asset),
                ("GET", "/v1/jobs", self._list),
                ("POST", "/v1/jobs", self._create),
                ("POST", "/v1/jobs:batch", self._create_batch),
                ("GET", "/v1/jobs/<job_id>", self._get),
                ("POST", "/v1/jobs/<job_id>/cancel", self._cancel),
                ("POST", "/v1/jobs/<job_id>/retry", self._retry),
                ("POST", "/v1/jobs/<job_id>/redeliver", self._redeliver),
                ("GET", "/v1/callback-secrets", self._secrets),
                ("GET", "/v1/jobs/<job_id>/outputs/<n>", self._output),
                ("GET", "/v1/providers", self._providers),
                ("GET", "/v1/job/<job_id>", self._gepetto_job),
                ("GET", "/api/v1/generate/poll-result", self._spacely_result),
                *(("POST", one.path, partial(self._submit, one)) for one in SUBMISSIONS),
                *(
                    (
                        "GET",
                        f"{urlsplit(CATALOGUE[provider].base_url).path}/{name}",
                        partial(self._provider_list, provider, name),
                    )
                    for provider, name in lists.known
                ),
            ]
        )

    def answer(self, request: Request) -> Response:
        """Return the answer to a request, valid or not."""
        try:
            endpoint, arguments = self._route(request)
            return endpoint(request, **arguments)
        except RelayError as error:
            return problem_answer(error)

    def _route(self, request: Request) -> tuple[Endpoint, Mapping[str, str]]:
        try:
            return self.routes.match(request.method, request.path)
        except MethodNotAllowed as error:
            raise method_not_allowed(list(error.valid_methods or ())) from None
        except NotFound:
            raise not_found(nearest_path(request.path, self.routes.methods)) from None

    def _health(self, _request: Request) -> Response:
        return _json(b'{"status":"ok"}')

    def _create(self, request: Request) -> Response:
        tenant, key, body = self._posted(request)
        new = read_create_body(body, check=self._creator.check)
        created = self._creator.create(tenant, new, idempotency_key=key)
        return self._created(request, tenant, created)

    def _create_batch(self, request: Request) -> Response:
        # Before the body, which is larger than others.
        tenant = self._tenant(request)
        with ExitStack() as undo:
            max_bytes = MAX_BATCH_BYTES
            if (request.content_length or max_bytes) <= MAX_BODY_BYTES:
                max_bytes = MAX_BODY_BYTES
            elif not undo.enter_context(self._large_answers.take(tenant)):
                raise TooManyLargeBatches
            body = read_body(request, max_bytes=max_bytes)
            key = _idempotency_key(request)
            _require_json(request)
            bodies = read_batch_body(body)
            with self._batches.batch(tenant) as batch:
                results = [
                    self._result(batch, one, key=key_within_batch(key, number))
                    for number, one in enumerate(bodies)
                ]
            answer = _json(batch_json(results))
            # Like a page of jobs, it stays in memory until it is sent.
            answer.call_on_close(undo.pop_all().close)
            return answer

    def _result(self, batch: Batch, body: bytes, *, key: str | None) -> BatchResult:
        try:
            if len(body) > MAX_BODY_BYTES:
                raise body_too_large(MAX_BODY_BYTES)
            created = batch.create(
                read_create_body(body, check=self._creator.check), idempotency_key=key
            )
        except RelayError as error:
            refusal = problem_answer(error)
            return BatchResult(refusal.status_code, problem=msgspec.Raw(refusal.get_data()))
        return BatchResult(_status(created), job=msgspec.Raw(self._shown(created.job)))

    def _list(self, request: Request) -> Response:
        tenant = self._tenant(request)
        query = read_list_query(request.args)
        after = None
        if query.page_token is not None:
            after = self._page_tokens.read(tenant, query.wanted, query.page_token)
        with ExitStack() as undo:
            may_be_large = undo.enter_context(self._large_answers.take(tenant))
            max_bytes = MAX_PAGE_BYTES if may_be_large else SMALL_PAGE_BYTES
            page = self._reader.page(
                tenant, query.wanted, after=after, size=query.page_size, max_bytes=max_bytes
            )
            answer = _json(
                page_json(
                    page,
                    shown=self._shown,
                    max_bytes=max_bytes,
                    token=partial(self._page_tokens.write, tenant, query.wanted),
                )
            )
            # The page stays in memory until it is sent.
            answer.call_on_close(undo.pop_all().close)
            return answer

    def _get(self, request: Request, job_id: str) -> Response:
        return self._as_waited_for(request, self._tenant(request), job_id)

    def _as_waited_for(self, request: Request, tenant: str, job_id: str) -> Response:
        wait_s = _wait_s(request)
        if not wait_s:
            return self._read(tenant, job_id, wait_s=0)
        with self._waits.take(tenant) as may_wait:
            return self._read(tenant, job_id, wait_s=wait_s if may_wait else 0)

    def _read(self, tenant: str, job_id: str, *, wait_s: int) -> Response:
        answer = _json(self._shown(self._reader.get(tenant, job_id, wait_s=wait_s)))
        if wait_s:
            answer.headers["Preference-Applied"] = f"wait={wait_s}"
        return answer

    def _cancel(self, request: Request, job_id: str) -> Response:
        tenant = self._tenant_without_body(request)
        return _json(self._shown(self._controls.cancel(tenant, job_id)))

    def _retry(self, request: Request, job_id: str) -> Response:
        tenant = self._tenant_without_body(request)
        key = _idempotency_key(request)
        created = self._controls.retry(tenant, job_id, idempotency_key=key)
        return self._created(request, tenant, created)

    def _redeliver(self, request: Request, job_id: str) -> Response:
        tenant = self._tenant_without_body(request)
        answer = _json(self._shown(self._controls.redeliver(tenant, job_id)))
        answer.status_code = HTTPStatus.ACCEPTED
        return answer

    def _secrets(self, request: Request) -> Response:
        tenant = self._tenant(request)
        answer = _json(secrets_json([tenant_secret(key, tenant) for key in self._callback_keys]))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _output(self, request: Request, job_id: str, n: str) -> Response:
        job = self._reader.get(self._tenant(request), job_id, wait_s=0)
        return kept_output_answer(request, kept_output(job, n), self._bucket)

    def _providers(self, request: Request) -> Response:
        states = self._overview.of(self._tenant(request))
        return _json(providers_json(states, median_s=self._progress.median_s))

    def _gepetto_job(self, request: Request, job_id: str) -> Response:
        return _json(gepetto_json(self._job_of_provider(request, "gepetto", job_id)))

    def _spacely_result(self, request: Request) -> Response:
        job_id = request.args.get("refId", "")
        return _json(spacely_json(self._job_of_provider(request, "spacely", job_id)))

    def _submit(self, submission: Submission, request: Request) -> Response:
        tenant, key, body = self._posted(request)
        new = read_submission(submission, body)
        create = partial(create_submitted, self._creator, new, tenant=tenant, idempotency_key=key)
        if not submission.provider.calls_back:
            return _json(spacely_reference_json(create()))
        if new.callback is not None:
            return _json(gepetto_acknowledgement_json(create()))
        return self._picture(tenant, create)

    def _picture(self, tenant: str, create: Callable[[], Job]) -> Response:
        with ExitStack() as undo:
            if not undo.enter_context(self._waits.take(tenant)):
                raise TooManyWaiting
            job = create()
            try:
                picture = undo.enter_context(self._pictures.picture(tenant, job.id))
            except RelayError as error:
                answer = problem_answer(error)
            else:
                answer = Response(picture_json(picture), mimetype="application/json")
                answer.content_length = picture_json_bytes(picture)
                # The picture stays in memory until it is sent.
                answer.call_on_close(undo.pop_all().close)
        answer.headers["X-Job-Id"] = job.id
        return answer

    def _provider_list(self, provider: str, name: str, request: Request) -> Response:
        self._tenant(request)
        copy = self._lists.read(provider, name)
        answer = Response(copy.body, content_type=copy.content_type)
        # Whatever the provider sent, a browser must not take it for a page of ours.
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    def _job_of_provider(self, request: Request, provider: str, job_id: str) -> Job:
        tenant = self._tenant(request)
        try:
            return self._reader.of_provider(tenant, provider, job_id)
        except JobNotFound:
            raise no_such_job() from None

    def _created(self, request: Request, tenant: str, created: Created) -> Response:
        answer = self._created_job(request, tenant, created.job)
        answer.status_code = _status(created)
        answer.headers["Location"] = f"/v1/jobs/{created.job.id}"
        return answer

    def _created_job(self, request: Request, tenant: str, job: Job) -> Response:
        if _wait_s(request):
            # The job was created, even if it cannot be read now.
            with suppress(JobNotFound, UnreadableJob, StoreUnavailable):
                return self._as_waited_for(request, tenant, job.id)
        return _json(self._shown(job))

    def _shown(self, job: Job) -> bytes:
        return job_json(job, self._progress.of(job))

    def _tenant(self, request: Request) -> str:
        return tenant_of(request.headers, self._tenants)

    def _posted(self, request: Request) -> tuple[str, str | None, bytes]:
        """Return the tenant, the idempotency key and the body of a create."""
        body = read_body(request, max_bytes=MAX_BODY_BYTES)
        tenant = self._tenant(request)
        key = _idempotency_key(request)
        _require_json(request)
        return tenant, key, body

    def _tenant_without_body(self, request: Request) -> str:
        body = read_body(request, max_bytes=MAX_BODY_BYTES)
        tenant = self._tenant(request)
        if body:
            _require_json(request)
        read_no_body(body)
        return tenant


def _status(created: Created) -> HTTPStatus:
    return HTTPStatus.CREATED if created.is_new else HTTPStatus.OK


def _json(body: bytes) -> Response:
    answer = Response(body, mimetype="application/json")
    # A Location that is a path stays one: behind a proxy we do not know our own host.
    answer.autocorrect_location_header = False
    return answer


def _require_json(request: Request) -> None:
    kind = request.mimetype
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be sent as application/json",
        )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise HttpProblem(
            HTTPStatus.BAD_REQUEST,
            "invalid_idempotency_key",
            "the Idempotency-Key must have 1 to 255 printable ASCII characters",
        )
    return key


def _wait_s(request: Request) -> int:
    """Return how long the caller wants to wait, in seconds; see RFC 7240."""
    match = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(match[1]), LONGEST_WAIT_S) if match else 0
