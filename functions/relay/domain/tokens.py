"""The secret part of the URL to which a provider posts its callback.

Providers do not sign their callbacks, so the URL itself must be unguessable.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

TOKEN_LENGTH = 32


def make_token(key: str, *, provider: str, job_id: str) -> str:
    """Return the job's token under this key; see contract, section 4."""
    digest = hmac.digest(key.encode(), f"{provider}/{job_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")[:TOKEN_LENGTH]


def is_good_token(keys: Sequence[str], token: str, *, provider: str, job_id: str) -> bool:
    """Return whether any of the keys makes this token, in constant time."""
    matches = [
        hmac.compare_digest(
            make_token(key, provider=provider, job_id=job_id).encode(),
            token.encode(errors="replace"),
        )
        for key in keys
    ]
    return any(matches)


def webhook_url(base_url: str, key: str, *, provider: str, job_id: str) -> str:
    """Return the URL that the provider is to call when the job is done."""
    return f"{base_url}/{provider}/{job_id}/{make_token(key, provider=provider, job_id=job_id)}"
