"""The relay's HTTP API from a caller's side: create a job, read a job."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Self

import msgspec
import requests

from infra.demo.errors import Refused, Unanswered
from infra.demo.reports import JobReport

_TIMEOUT_S = 5.0


class RelayApi:
    """One caller's connection to the API.

    Args:
        url: Where the API is.
        key: The caller's API key.
    """

    def __init__(self, *, url: str, key: str) -> None:
        self._url = url
        self._session = requests.Session()
        # A proxy from the environment has no business with an address on this machine.
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def create(self, body: Mapping[str, object], *, idempotency_key: str) -> JobReport:
        """Create a job, or get the one that an earlier try with this key has created.

        Raises:
            Unanswered: Try again with the same key: that cannot make two jobs.
            Refused: The job is wrong, and the answer says why.
        """
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        return self._call("POST", "/v1/jobs", headers=headers, data=msgspec.json.encode(body))

    def read(self, job_id: str) -> JobReport:
        """Read a job.

        Raises:
            Unanswered: Try again.
            Refused: There is no such job for this caller.
        """
        return self._call("GET", f"/v1/jobs/{job_id}", headers={}, data=None)

    def _call(
        self, method: str, path: str, *, headers: Mapping[str, str], data: bytes | None
    ) -> JobReport:
        try:
            answer = self._session.request(
                method, self._url + path, headers=headers, data=data, timeout=_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise Unanswered(f"{method} {path}: {type(error).__name__}") from error
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unanswered(f"{method} {path}: {answer.status_code}")
        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        try:
            return msgspec.json.decode(answer.content, type=JobReport)
        except msgspec.DecodeError as error:
            raise Refused(f"{method} {path}: not a job: {error}") from error
