"""Authentication: the tenant that a key belongs to."""

import hashlib
import hmac
from collections.abc import Mapping

from werkzeug.datastructures import Headers

from relay.errors import Unauthenticated, WrongKey


def tenant_of(headers: Headers, tenants: Mapping[str, str]) -> str:
    """Return the tenant of the key in ``X-API-KEY`` or, without it, ``Authorization: Bearer``.

    In this order, because Cloud Run wants its own token in ``Authorization`` if the service is
    not public: of two keys only the one in ``X-API-KEY`` counts. Takes the same time for every
    key, known or not.

    Args:
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.

    Raises:
        Unauthenticated: There is no key.
        WrongKey: It is unknown.
    """
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    key = headers.get("X-API-KEY", bearer.strip() if scheme.lower() == "bearer" else "")
    digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()
    found = [tenant for known, tenant in tenants.items() if hmac.compare_digest(known, digest)]
    if not key:
        raise Unauthenticated
    if not found:
        raise WrongKey("X-API-KEY" if "X-API-KEY" in headers else "Authorization")
    return found[0]
