"""The job documents, read from Firestore directly and not through the relay."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec
import requests

from infra.demo.errors import Refused, Unanswered

_TIMEOUT_S = 5.0


class _Text(msgspec.Struct, rename="camel"):
    string_value: str


class _Announcement(msgspec.Struct):
    id: _Text


class _AnnouncementMap(msgspec.Struct):
    fields: _Announcement


class _AnnouncementValue(msgspec.Struct, rename="camel"):
    map_value: _AnnouncementMap


class _AnnouncementArray(msgspec.Struct):
    values: tuple[_AnnouncementValue, ...] = ()


class _Announcements(msgspec.Struct, rename="camel"):
    array_value: _AnnouncementArray


class _Fields(msgspec.Struct):
    status: _Text
    announcements: _Announcements


class _Document(msgspec.Struct):
    fields: _Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """What a job's document says that its event must agree with."""

    status: str
    event_ids: tuple[str, ...]


def read_document(*, host: str, project: str, job_id: str) -> DocumentFacts:
    """Read a job's document from the Firestore emulator.

    Raises:
        Unanswered: Try again.
        Refused: There is no such document, or it is none of a job.
    """
    url = f"http://{host}/v1/projects/{project}/databases/(default)/documents/jobs/{job_id}"
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(url, timeout=_TIMEOUT_S)
        except requests.RequestException as error:
            raise Unanswered(f"Firestore: {type(error).__name__}") from error
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unanswered(f"Firestore: {answer.status_code}")
    if answer.status_code != HTTPStatus.OK:
        raise Refused(f"Firestore: {job_id}: {answer.status_code}")
    return read_facts(answer.content)


def read_facts(body: bytes) -> DocumentFacts:
    """Read a document as Firestore's REST interface shows it.

    Raises:
        Refused: It is not the document of a job.
    """
    try:
        fields = msgspec.json.decode(body, type=_Document).fields
    except msgspec.DecodeError as error:
        raise Refused(f"Firestore: not a job's document: {error}") from error
    announced = fields.announcements.array_value.values
    return DocumentFacts(
        status=fields.status.string_value,
        event_ids=tuple(value.map_value.fields.id.string_value for value in announced),
    )
