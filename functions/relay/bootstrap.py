"""Builds each function once per worker, from the environment and with the real adapters."""

import functools
import os
import random
import secrets
import threading
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from relay import config, logs
from relay.adapters import cloud_storage
from relay.adapters.database import connect
from relay.adapters.firestore import (
    FirestoreAccounts,
    FirestoreDurations,
    FirestoreJobs,
    FirestoreLists,
)
from relay.adapters.guarded_calls import GuardedCalls
from relay.adapters.providers.gepetto import Gepetto
from relay.adapters.providers.spacely import Spacely
from relay.adapters.pubsub import PubSubTopics, publisher
from relay.adapters.runtime import (
    SystemClock,
    WorkerThreads,
    is_server_stopping,
    return_large_blocks_at_once,
)
from relay.adapters.transport import Transport
from relay.application.ports import OutputBucket, Provider
from relay.application.tracer import UNTRACED, Tracer
from relay.assembly import EDGE_PATIENCE_S, PUMP_PATIENCE_S, Adapters, CreatePolicy, Relay
from relay.config import AccountSettings, Common, PumpSettings
from relay.domain.job import Job
from relay.domain.tokens import webhook_url
from relay.edges.api import Api
from relay.edges.push import Completions, Ticks
from relay.edges.webhook import Webhook

P = ParamSpec("P")
T = TypeVar("T")


def once_per_worker(build: Callable[[], T]) -> Callable[[], T]:
    """Build on the first call, and only once.

    Not built at import: the framework imports us in the gunicorn parent and answers requests in a
    forked worker, and gRPC channels may not survive a fork (grpc/grpc#41725). Locked, because
    functools.cache lets two concurrent first requests build two of everything.
    """
    lock = threading.Lock()
    built: list[T] = []

    @functools.wraps(build)
    def get() -> T:
        with lock:
            if not built:
                built.append(build())
            return built[0]

    return get


_flushes: list[Callable[[], None]] = []


def sending_traces(entry_point: Callable[P, T]) -> Callable[P, T]:
    """Send what was traced before the request is answered: later there may be no CPU for it."""

    @functools.wraps(entry_point)
    def with_traces(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return entry_point(*args, **kwargs)
        finally:
            for flush in _flushes:
                flush()

    return with_traces


@once_per_worker
def jobs_api() -> Api:
    """Return the HTTP API.

    Raises:
        LookupError: Names every variable that is missing or malformed.
    """
    settings = config.api_settings(os.environ)
    policy = CreatePolicy(
        accounts=settings.limits.keys(),
        allow_local_urls=settings.allow_local_urls,
        allow_raw=settings.raw_operations,
        allow_callbacks=bool(settings.callback_keys),
        max_open_jobs=settings.max_open_jobs,
    )
    relay = _relay(settings.common, "jobs_api", patience_s=EDGE_PATIENCE_S)
    return relay.api(
        policy,
        limits=settings.limits,
        tenants=settings.tenants,
        threads=settings.threads,
        downloads=GuardedCalls(local_hosts=settings.allow_local_urls),
        callback_keys=settings.callback_keys,
        bucket=_bucket(settings.outputs_bucket),
    )


@once_per_worker
def provider_webhook() -> Webhook:
    """Return the callback endpoint.

    Raises:
        LookupError: As `jobs_api`.
    """
    settings = config.webhook_settings(os.environ)
    return _relay(settings.common, "provider_webhook", patience_s=EDGE_PATIENCE_S).webhook(
        keys=settings.webhook_keys
    )


@once_per_worker
def poll_tick() -> Ticks:
    """Return the tick handler that runs pumps.

    Raises:
        LookupError: As `jobs_api`.
    """
    settings = config.pump_settings(os.environ)
    relay = _relay(settings.common, "poll_tick", patience_s=PUMP_PATIENCE_S)
    providers = {name: partial(_provider, name, settings) for name in settings.accounts}
    return relay.ticks(providers, window_s=settings.window_s, weights=settings.tenant_weights)


@once_per_worker
def deliver_callbacks() -> Ticks:
    """Return the tick handler that runs the pump of callbacks.

    Raises:
        LookupError: As `jobs_api`.
    """
    settings = config.callback_settings(os.environ)
    relay = _relay(settings.common, "deliver_callbacks", patience_s=PUMP_PATIENCE_S)
    endpoints = GuardedCalls(local_hosts=settings.allow_local_urls)
    return relay.callback_ticks(endpoints, keys=settings.callback_keys, window_s=settings.window_s)


@once_per_worker
def keep_outputs() -> Completions:
    """Return the handler of completion events that keeps outputs.

    Raises:
        LookupError: As `jobs_api`.
    """
    settings = config.keep_settings(os.environ)
    return_large_blocks_at_once()
    relay = _relay(settings.common, "keep_outputs", patience_s=PUMP_PATIENCE_S)
    downloads = GuardedCalls(local_hosts=settings.allow_local_urls)
    return relay.completions(downloads, _bucket(settings.outputs_bucket))


def _bucket(name: str) -> OutputBucket | None:
    return cloud_storage.connect(name) if name else None


def _relay(common: Common, function: str, *, patience_s: float) -> Relay:
    logs.configure(level=common.log_level, project=common.project)
    database = connect(common.project, common.database)
    adapters = Adapters(
        jobs=FirestoreJobs(database, time_to_live=common.time_to_live),
        accounts=FirestoreAccounts(database),
        durations=FirestoreDurations(database),
        lists=FirestoreLists(database),
        topics=PubSubTopics(
            publisher(),
            project=common.project,
            completions_topic=common.completions_topic,
            ticks_topic=common.ticks_topic,
        ),
        clock=SystemClock(),
        draw=random.random,
        random_bytes=secrets.token_bytes,
        open_workers=WorkerThreads,
        is_stopping=is_server_stopping,
        tracer=_tracer(common, function),
    )
    return Relay(adapters, patience_s=patience_s)


def _tracer(common: Common, function: str) -> Tracer:
    """Return what records traces; its modules are imported only where it is switched on."""
    if common.traces is None:
        return UNTRACED
    from relay.adapters import span_export, traces

    endpoint = common.traces.endpoint
    otlp = span_export.OtlpEndpoint(
        endpoint or span_export.CLOUD_TRACE,
        headers=partial(dict, common.traces.headers) if endpoint else span_export.google_headers(),
    )
    export = span_export.SpanExport(otlp.post)
    _flushes.append(export.flush)
    return traces.OpenTelemetryTracer(
        export,
        resource=traces.service(function, project=common.project),
        caller=logs.caller_trace,
        request_id=logs.request_id,
    )


def _provider(name: str, settings: PumpSettings) -> Provider:
    account: AccountSettings = settings.accounts[name]
    transport = Transport()

    if name == "spacely":
        return Spacely(
            transport=transport,
            base_url=account.base_url,
            api_key=account.api_key,
            limit=account.limit,
        )

    if name != "gepetto":
        raise LookupError(f"no adapter for the provider {name}")

    def with_token(job: Job) -> str:
        return webhook_url(
            settings.webhook_base_url,
            settings.webhook_keys[0],
            provider=job.provider,
            job_id=job.id,
        )

    return Gepetto(
        transport=transport,
        base_url=account.base_url,
        api_key=account.api_key,
        limit=account.limit,
        webhook_url=with_token,
    )
