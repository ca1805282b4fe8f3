"""The bucket of kept outputs, by Cloud Storage's JSON API (its reference, "Objects").

The client library would add 20 to 50 ms to a cold start for one request; see decision 0019.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

import google.auth
import msgspec
import requests
import urllib3
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

from relay.application.ports import StoredObject
from relay.domain.readable import readable
from relay.errors import BucketUnavailable, OutputNotKept

EMULATOR_HOST = "STORAGE_EMULATOR_HOST"
SERVICE = "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
# To connect, and between two pieces of an answer; a request of 25 MiB takes a second or two.
TIMEOUT_S = (5.0, 30.0)
CHUNK_BYTES = 64 * 1024

_VENDOR_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    GoogleAuthError,
    OSError,
)


@readable
class _Resource(msgspec.Struct, rename="camel"):
    """An object's resource; only what we need of it."""

    size: str
    content_type: str = ""
    metadata: dict[str, str] = {}


class CloudStorageBucket:
    """One bucket.

    Args:
        session: Sends requests with credentials; see `connect`.
        base_url: Of the service or of the emulator.
    """

    def __init__(self, session: requests.Session, *, base_url: str, bucket: str) -> None:
        # A proxy that was set for another program would get to see the pictures.
        session.trust_env = False
        self._session = session
        self._base_url = base_url
        self._bucket = bucket

    def put(self, name: str, body: bytes, *, content_type: str, sha256: str) -> StoredObject:
        """See `OutputBucket`; one request, on condition that nothing is there yet."""
        resource = {
            "name": name,
            "contentType": content_type,
            "md5Hash": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
            "metadata": {"sha256": sha256},
        }
        boundary = secrets.token_hex(16)
        part = f"\r\n--{boundary}\r\nContent-Type: "
        content = _Pieces(
            f"{part}application/json\r\n\r\n".encode(),
            msgspec.json.encode(resource),
            f"{part}{content_type}\r\n\r\n".encode(),
            body,
            f"\r\n--{boundary}--\r\n".encode(),
        )
        answer = self._call(
            "POST",
            f"{self._base_url}/upload/storage/v1/b/{quote(self._bucket, safe='')}/o",
            params={"uploadType": "multipart", "ifGenerationMatch": "0"},
            headers={"Content-Type": f"multipart/related; boundary={boundary}"},
            data=content,
        )
        with answer:
            if answer.status_code == requests.codes.ok:
                return StoredObject(
                    uri=f"gs://{self._bucket}/{name}",
                    content_type=content_type,
                    bytes=len(body),
                    sha256=sha256,
                )
            if answer.status_code != requests.codes.precondition_failed:
                raise BucketUnavailable(f"upload: HTTP {answer.status_code}")
        return self._there_already(name)

    def open(self, uri: str) -> "CloudStorageStream":
        """See `OutputBucket`."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        url = f"{self._object_url(bucket, name)}?alt=media"
        # The content as it is stored: its length is the entry's.
        answer = self._call("GET", url, headers={"Accept-Encoding": "identity"}, stream=True)
        if answer.status_code == requests.codes.ok:
            return CloudStorageStream(answer)
        answer.close()
        if answer.status_code == requests.codes.not_found:
            raise OutputNotKept("the copy of this output is no longer in the bucket")
        raise BucketUnavailable(f"download: HTTP {answer.status_code}")

    def _there_already(self, name: str) -> StoredObject:
        """Return the object that an earlier put has left, whatever its content."""
        with self._call("GET", self._object_url(self._bucket, name)) as answer:
            if answer.status_code != requests.codes.ok:
                raise BucketUnavailable(f"metadata: HTTP {answer.status_code}")
            try:
                found = msgspec.json.decode(answer.content, type=_Resource)
                return StoredObject(
                    uri=f"gs://{self._bucket}/{name}",
                    content_type=found.content_type,
                    bytes=int(found.size),
                    sha256=found.metadata["sha256"],
                )
            except (msgspec.DecodeError, ValueError, KeyError) as error:
                raise BucketUnavailable("metadata: not ours") from error
            except _VENDOR_ERRORS as error:
                raise BucketUnavailable(type(error).__name__) from error

    def _object_url(self, bucket: str, name: str) -> str:
        return f"{self._base_url}/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"

    def _call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Iterable[bytes] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                url,
                params=params,
                headers=headers,
                data=data,
                stream=stream,
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except _VENDOR_ERRORS as error:
            raise BucketUnavailable(type(error).__name__) from error


class _Pieces:
    """A request's body: not joined, as a picture is large, and sent again after a 401."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


class CloudStorageStream:
    """See `ObjectStream`."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        """See `ObjectStream`."""
        try:
            yield from self._answer.iter_content(CHUNK_BYTES)
        except _VENDOR_ERRORS as error:
            raise BucketUnavailable(type(error).__name__) from error

    def close(self) -> None:
        """See `ObjectStream`."""
        self._answer.close()


def connect(bucket: str, env: Mapping[str, str] = os.environ) -> CloudStorageBucket:
    """Return a bucket of the service, or of the emulator if the environment names one."""
    emulator = env.get(EMULATOR_HOST)
    if emulator:
        base_url = emulator if "://" in emulator else f"http://{emulator}"
        return CloudStorageBucket(requests.Session(), base_url=base_url.rstrip("/"), bucket=bucket)
    credentials, _ = google.auth.default(scopes=[SCOPE])
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return CloudStorageBucket(session, base_url=SERVICE, bucket=bucket)
