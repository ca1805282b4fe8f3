"""Secrets and signatures of callbacks, as Standard Webhooks specify them.

See https://github.com/standard-webhooks/standard-webhooks, "Signature scheme", and contract,
section 5a.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
VERSION = "v1"


def tenant_secret(key: str, tenant: str) -> str:
    """Return a tenant's secret under one of `CALLBACK_KEYS`, as its receivers are given it."""
    return f"{PREFIX}{base64.b64encode(_secret(key, tenant)).decode()}"


def signed_headers(
    keys: Sequence[str], *, tenant: str, event_id: str, body: bytes, at: datetime
) -> dict[str, str]:
    """Return the headers of one attempt, with a signature for each key.

    Args:
        at: When it is posted.
    """
    timestamp = str(int(at.timestamp()))
    content = b".".join((event_id.encode(), timestamp.encode(), body))
    signatures = [hmac.digest(_secret(key, tenant), content, hashlib.sha256) for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(
            f"{VERSION},{base64.b64encode(one).decode()}" for one in signatures
        ),
    }


def _secret(key: str, tenant: str) -> bytes:
    return hmac.digest(key.encode(), tenant.encode(), hashlib.sha256)
