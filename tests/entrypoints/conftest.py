"""The three functions as the framework serves them, standing on the fakes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from flask.testing import FlaskClient

from relay import bootstrap
from relay.adapters.providers.gepetto import read_callback as read_gepetto_callback
from relay.adapters.providers.spacely import read_callback as read_spacely_callback
from relay.application.callbacks import Callbacks
from relay.application.cancelling import Cancelling
from relay.application.creating import Creating
from relay.application.listing import Listing
from relay.application.overview import Overview
from relay.application.places import large_page_places, wait_places
from relay.application.progress import ProgressReader
from relay.application.quota import OpenJobsQuota
from relay.application.reading import Reading
from relay.application.retrying import Retrying
from relay.domain.catalogue import CATALOGUE
from relay.edges.api import Api, ApiPorts
from relay.edges.tick import Ticks
from relay.edges.webhook import Webhook
from tests.fakes import World

SOURCE = Path(__file__).parents[2] / "functions" / "main.py"
WEBHOOK_KEYS = ("0123456789abcdef0123456789abcdef", "an older key that is still accepted")

Serve = Callable[[str, str], FlaskClient]
MakeApi = Callable[..., FlaskClient]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve a function as the framework does; what it writes to the environment is undone."""

    def serve(target: str, signature: str) -> FlaskClient:
        monkeypatch.setenv("FUNCTION_TARGET", target)
        monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", signature)
        return functions_framework.create_app(target, str(SOURCE), signature).test_client()

    return serve


@pytest.fixture
def api(make_api: MakeApi) -> FlaskClient:
    return make_api()


@pytest.fixture
def make_api(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> MakeApi:
    """Serve the API, with settings of a test's own."""

    def make(
        *, allow_raw: bool = True, max_open_jobs: int = 5000, threads: int = 80
    ) -> FlaskClient:
        built = built_api(world, allow_raw=allow_raw, max_open_jobs=max_open_jobs, threads=threads)
        monkeypatch.setattr(bootstrap, "jobs_api", lambda: built)
        return serve("jobs_api", "http")

    return make


def built_api(world: World, *, allow_raw: bool, max_open_jobs: int, threads: int) -> Api:
    random_bytes = iter(bytes([number]) * 20 for number in range(256))
    creating = Creating(
        store=world.store,
        waker=world.waker,
        clock=world.clock,
        accounts=frozenset({"gepetto"}),
        allow_local_urls=False,
        random_bytes=lambda _: next(random_bytes),
        allow_raw=allow_raw,
        quota=OpenJobsQuota(world.jobs, clock=world.clock, most=max_open_jobs),
    )
    ports = ApiPorts(
        creating=creating,
        reading=Reading(store=world.store, clock=world.clock),
        listing=Listing(listings=world.jobs, store=world.store),
        cancelling=Cancelling(store=world.store, announcer=world.announcer, clock=world.clock),
        retrying=Retrying(
            store=world.store, creating=creating, announcer=world.announcer, clock=world.clock
        ),
        overview=Overview(
            accounts=world.accounts,
            counts=world.jobs,
            limits={"gepetto": CATALOGUE["gepetto"].limit},
        ),
        progress=ProgressReader(
            accounts=world.accounts, durations=world.durations, clock=world.clock
        ),
        waits=wait_places(threads=threads),
        large_pages=large_page_places(),
    )
    return Api(
        ports,
        tenants={_digest("key-of-demo"): "demo", _digest("key-of-other"): "other"},
    )


@pytest.fixture
def webhook(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    built = Webhook(
        callbacks=Callbacks(
            store=world.store,
            announcer=world.announcer,
            waker=world.waker,
            clock=world.clock,
            readers={"gepetto": read_gepetto_callback, "spacely": read_spacely_callback},
            learning={"gepetto": world.learning, "spacely": world.learning},
        ),
        keys=WEBHOOK_KEYS,
        providers=("gepetto", "spacely"),
    )
    monkeypatch.setattr(bootstrap, "provider_webhook", lambda: built)
    return serve("provider_webhook", "http")


@pytest.fixture
def tick(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    pumps: dict[str, Any] = {"gepetto": lambda: world.pump(window_s=0)}
    built = Ticks(pumps)
    monkeypatch.setattr(bootstrap, "poll_tick", lambda: built)
    return serve("poll_tick", "cloudevent")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
