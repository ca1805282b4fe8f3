"""The queue of callbacks: one sortable key per job with something to deliver.

A key is ``tenant/endpoint/next attempt at/job id``; the endpoint is the host and port that is
called. So the first keys of every tenant, of every endpoint of a tenant, and of everything that is
due at an endpoint can each be found by one query, whatever else waits.
"""

from datetime import datetime, timedelta
from urllib.parse import quote, unquote, urlsplit

from relay.domain.callback import Callback
from relay.domain.job import Job
from relay.domain.queue import Span, keys_below, micros_text, moment_of, tenant_start

_PORTS = {"http": 80, "https": 443}


def endpoint_of(url: str) -> str:
    """Return the host and port that a URL leads to, such as ``hooks.example.com:443``."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').rstrip('.')}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def delivery_key(job: Job) -> str | None:
    """Return the job's key in the queue of callbacks; None if it has nothing to deliver."""
    due_at = next_attempt_at(job.callback)
    if job.callback is None or due_at is None:
        return None
    start = endpoint_keys(job.tenant, endpoint_of(job.callback.url)).after
    return f"{start}{micros_text(due_at)}/{job.id}"


def next_attempt_at(callback: Callback | None) -> datetime | None:
    """Return when a callback is to be called next; None if never again."""
    pending = None if callback is None else callback.pending
    return None if pending is None else pending.next_at


def endpoint_keys(tenant: str, endpoint: str) -> Span:
    """Return the span of all keys of a tenant at an endpoint."""
    return keys_below(f"{tenant_start(tenant)}{quote(endpoint, safe=':')}/")


def due_keys(tenant: str, endpoint: str, *, at: datetime) -> Span:
    """Return the span of a tenant's keys at an endpoint that are due at a moment."""
    start = endpoint_keys(tenant, endpoint).after
    return Span(start, f"{start}{micros_text(at + timedelta(microseconds=1))}/")


def endpoint_of_key(key: str) -> str:
    """Return the endpoint of the job with this key."""
    return unquote(key.split("/", 2)[1])


def job_id_of_key(key: str) -> str:
    """Return the id of the job with this key."""
    return key.rpartition("/")[2]


def due_at(key: str) -> datetime:
    """Return when the job with this key is to be called."""
    return moment_of(key)
