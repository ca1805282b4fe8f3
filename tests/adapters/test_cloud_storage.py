"""The bucket on the emulator, which keeps preconditions, and on a stand-in, which breaks them."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from infra.local.errors import EmulatorsUnavailable
from infra.local.storage_emulator import running_storage_emulator
from relay.adapters.cloud_storage import CloudStorageBucket, connect
from relay.errors import BucketUnavailable, OutputNotKept

BUCKET = "renders"
BODY = b"\xff\xd8\xff" + bytes(range(256)) * 1000
NAME = "jobs/job_1/0.jpg"


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    try:
        with running_storage_emulator(BUCKET) as host:
            yield host
    except EmulatorsUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def bucket(emulator: str) -> CloudStorageBucket:
    for item in (
        requests.get(f"http://{emulator}/storage/v1/b/{BUCKET}/o", timeout=10)
        .json()
        .get("items", [])
    ):
        name = item["name"].replace("/", "%2F")
        requests.delete(f"http://{emulator}/storage/v1/b/{BUCKET}/o/{name}", timeout=10)
    return connect(BUCKET, {"STORAGE_EMULATOR_HOST": emulator})


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def put(bucket: CloudStorageBucket, body: bytes = BODY, name: str = NAME):
    return bucket.put(name, body, content_type="image/jpeg", sha256=sha256(body))


def test_what_was_put_can_be_read(bucket):
    there = put(bucket)

    assert there.uri == f"gs://{BUCKET}/{NAME}"
    assert (there.bytes, there.sha256, there.content_type) == (
        len(BODY),
        sha256(BODY),
        "image/jpeg",
    )
    stream = bucket.open(there.uri)
    pieces = list(stream)
    stream.close()
    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= 64 * 1024


def test_what_is_there_wins(bucket):
    put(bucket)

    there = put(bucket, BODY + b"rendered again")

    assert (there.bytes, there.sha256) == (len(BODY), sha256(BODY))
    assert b"".join(bucket.open(there.uri)) == BODY


def test_of_sixteen_creates_at_once_one_wins(bucket):
    start = threading.Barrier(16)

    def race(number: int) -> str:
        start.wait()
        return put(bucket, BODY + bytes([number])).sha256

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(race, range(16)))

    winner = sha256(b"".join(bucket.open(f"gs://{BUCKET}/{NAME}")))
    assert set(found) == {winner}


def test_an_object_that_is_not_there_is_not_kept(bucket):
    with pytest.raises(OutputNotKept):
        bucket.open(f"gs://{BUCKET}/jobs/job_2/0.jpg")


def test_a_bucket_that_is_not_there_is_unavailable(emulator):
    with pytest.raises(BucketUnavailable):
        put(connect("another", {"STORAGE_EMULATOR_HOST": emulator}))


class StandIn(BaseHTTPRequestHandler):
    """Answers what it is told; notes what it is sent."""

    status, body, length = 200, b"{}", None
    metadata: tuple[int, bytes] = (200, b"{}")
    seen: list[tuple[str, bytes]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, body))
        self._answer(self.status, self.body)

    def do_GET(self) -> None:
        if "alt=media" in self.path:
            self._answer(self.status, self.body)
        else:
            self._answer(*self.metadata)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(self.length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def stand_in() -> Iterator[type[StandIn]]:
    class Handler(StandIn):
        seen: list[tuple[str, bytes]] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    Handler.host = f"127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


def at(stand_in: type[StandIn]) -> CloudStorageBucket:
    return connect(BUCKET, {"STORAGE_EMULATOR_HOST": f"http://{stand_in.host}/"})  # type: ignore[attr-defined]


def test_an_upload_is_one_conditional_request_with_its_digests(stand_in):
    put(at(stand_in), b"\xff\xd8\xff picture")

    ((path, body),) = stand_in.seen
    assert path == "/upload/storage/v1/b/renders/o?uploadType=multipart&ifGenerationMatch=0"
    assert b'"name":"jobs/job_1/0.jpg","contentType":"image/jpeg"' in body
    # openssl md5 -binary | base64
    assert b'"md5Hash":"9hqy+4Po2GZOXdZ20Dt4mg=="' in body
    assert f'"sha256":"{sha256(bytes.fromhex("ffd8ff") + b" picture")}"'.encode() in body
    assert b"\r\n\r\n\xff\xd8\xff picture\r\n--" in body


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 429, 500, 503])
def test_any_other_answer_to_an_upload_is_unavailable(stand_in, status):
    stand_in.status = status

    with pytest.raises(BucketUnavailable, match=str(status)):
        put(at(stand_in))


@pytest.mark.parametrize(
    "metadata",
    [
        (503, b"{}"),
        (403, b"{}"),
        (404, b"{}"),
        (200, b"{}"),
        (200, b"not JSON"),
        (200, b'{"size": "x", "metadata": {"sha256": "0"}}'),
        (200, b'{"size": "7", "metadata": {}}'),
    ],
)
def test_what_is_there_but_cannot_be_told_is_unavailable(stand_in, metadata):
    stand_in.status, stand_in.metadata = 412, metadata

    with pytest.raises(BucketUnavailable):
        put(at(stand_in))


@pytest.mark.parametrize("status", [302, 400, 403, 429, 500, 503])
def test_any_other_answer_to_a_download_is_unavailable(stand_in, status):
    stand_in.status = status

    with pytest.raises(BucketUnavailable, match=str(status)):
        at(stand_in).open("gs://renders/jobs/job_1/0.jpg")


def test_a_download_that_breaks_off_says_so(stand_in):
    stand_in.body, stand_in.length = b"half", 8
    stream = at(stand_in).open("gs://renders/jobs/job_1/0.jpg")

    with pytest.raises(BucketUnavailable):
        list(stream)


def test_a_service_that_is_away_is_unavailable():
    with pytest.raises(BucketUnavailable):
        put(connect(BUCKET, {"STORAGE_EMULATOR_HOST": "127.0.0.1:1"}))


def test_a_proxy_of_the_environment_is_not_used(stand_in, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert put(at(stand_in)).bytes == len(BODY)
