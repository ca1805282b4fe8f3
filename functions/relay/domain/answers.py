"""Provider-independent meanings of providers' answers."""

from collections.abc import Callable
from typing import TypeAlias, TypeGuard
from urllib.parse import urlsplit

import msgspec

from relay.domain.job import ProviderReply

# A Firestore document is at most 1 MiB: this many URLs of this length leave room for the rest.
MAX_OUTPUTS = 100
MAX_URL_LENGTH = 2048
MAX_WORD_LENGTH = 200
MAX_ID_LENGTH = 500
# No provider uses ids beyond 64 bits, and larger numbers can be too long to print.
LEAST_HUGE_ID = 2**64

# HTTP statuses by which a provider refuses an account rather than a job (contract, section 1a).
ACCOUNT_REFUSALS = frozenset({401, 402, 403})

# No failure word is documented (gepetto.md 12 row 1, spacely.md 10 row 1); these are unambiguous.
FAILURE_WORDS = frozenset(
    {"failed", "failure", "fail", "error", "errored", "cancelled", "canceled", "rejected"}
)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The provider took the job under this id."""

    provider_job_id: str
    provider_status: str | None


class StillOpen(msgspec.Struct, frozen=True, kw_only=True):
    """The provider knows the job; its status word says neither success nor failure."""

    provider_status: str
    is_known_word: bool


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """Success with at least one usable output."""

    outputs: tuple[str, ...]
    provider_status: str | None


class WithoutOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The provider reports success without a usable output."""

    provider_status: str


class RenderFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's status word clearly says that the render failed.

    Attributes:
        reply: That word and what the provider said beside it; None if it is not known.
    """

    provider_status: str
    reply: ProviderReply | None = None


class UnknownJob(msgspec.Struct, frozen=True, kw_only=True):
    """The provider says that it has no such job.

    Attributes:
        reply: How it said so; None if it was not asked, or that must not be told.
    """

    reply: ProviderReply | None = None


class ProviderCallback(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a provider's callback; either part may be missing.

    Attributes:
        has_unusable_id: Whether it names a job by a malformed id, which therefore differs from any
            acknowledged one.
    """

    provider_job_id: str | None
    outputs: tuple[str, ...]
    has_unusable_id: bool = False


PollAnswer: TypeAlias = StillOpen | Rendered | WithoutOutput | RenderFailed | UnknownJob


def usable_outputs(values: object) -> tuple[str, ...]:
    """Return the usable URLs among a provider's outputs, in its order.

    Usable is an ``http`` or ``https`` URL with a host, of at most 2,048 characters
    (contract, decision 5). The value may be a single URL or a list.
    """
    candidates = values if isinstance(values, list) else [values]
    return tuple(value for value in candidates if _is_usable(value))[:MAX_OUTPUTS]


def usable_id(value: object) -> str | None:
    """Return the provider's id for a job; None if it is missing or malformed."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LEAST_HUGE_ID:
        value = str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_ID_LENGTH:
        return None
    return value if value.isprintable() else None


def status_word(value: object) -> str:
    """Return the provider's status word, cut to a length that fits a document."""
    return value[:MAX_WORD_LENGTH] if isinstance(value, str) else ""


def read_status(
    *, word: object, outputs: object, open_words: frozenset[str], why: Callable[[], str]
) -> StillOpen | Rendered | WithoutOutput | RenderFailed:
    """Interpret a status word together with its outputs.

    Only ``success`` with a usable output is success; an unknown word keeps the job open until its
    deadline.

    Args:
        open_words: The provider's documented words for a render in progress.
        why: Returns an excerpt of what the provider says of a failed render.
    """
    verbatim = status_word(word)
    plain = verbatim.strip().lower()
    if plain == "success":
        usable = usable_outputs(outputs)
        if usable:
            return Rendered(outputs=usable, provider_status=verbatim)
        return WithoutOutput(provider_status=verbatim)
    if plain in FAILURE_WORDS:
        # Only an answer with status 200 says how a render stands.
        reply = ProviderReply(status=200, message=why())
        return RenderFailed(provider_status=verbatim, reply=reply)
    return StillOpen(provider_status=verbatim, is_known_word=plain in open_words)


def _is_usable(value: object) -> TypeGuard[str]:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_URL_LENGTH:
        return False
    # Of white space, only the plain space is printable.
    if not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
