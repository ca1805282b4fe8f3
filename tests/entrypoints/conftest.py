"""The functions as the framework serves them, standing on the fakes."""

import hashlib
import sys
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from flask import Flask
from flask.testing import FlaskClient

from relay import bootstrap
from relay.assembly import CreatePolicy
from relay.domain.catalogue import CATALOGUE
from relay.edges.api import Api
from relay.edges.push import Ticks
from tests.fakes import CALLBACK_KEYS, World

SOURCE = Path(__file__).parents[2] / "functions" / "main.py"
WEBHOOK_KEYS = ("0123456789abcdef0123456789abcdef", "an older key that is still accepted")

Serve = Callable[[str, str], FlaskClient]
MakeApi = Callable[..., FlaskClient]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve a function as the framework does; what it changes outside is undone."""

    def serve(target: str, signature: str) -> FlaskClient:
        return served(monkeypatch, target, signature).test_client()

    return serve


def served(monkeypatch: pytest.MonkeyPatch, target: str, signature: str) -> Flask:
    """Return the application in which the framework serves a function."""
    monkeypatch.setenv("FUNCTION_TARGET", target)
    monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", signature)
    return application(target, signature)


# What an entry point calls is looked up at each request, so one application serves all tests.
@cache
def application(target: str, signature: str) -> Flask:
    with pytest.MonkeyPatch.context() as patch:
        # It appends to the path each time, and with it grows the time of every later import.
        patch.setattr(sys, "path", [*sys.path])
        return functions_framework.create_app(target, str(SOURCE), signature)


@pytest.fixture
def api(make_api: MakeApi) -> FlaskClient:
    return make_api()


@pytest.fixture
def make_api(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> MakeApi:
    """Serve the API, with settings of a test's own."""

    def make(
        *,
        accounts: Collection[str] = ("gepetto",),
        allow_raw: bool = True,
        max_open_jobs: int = 5000,
        threads: int = 80,
        callback_keys: Sequence[str] = CALLBACK_KEYS,
        has_bucket: bool = True,
    ) -> FlaskClient:
        policy = CreatePolicy(
            accounts=accounts,
            allow_raw=allow_raw,
            allow_callbacks=bool(callback_keys),
            max_open_jobs=max_open_jobs,
        )
        built = built_api(
            world, policy, threads=threads, callback_keys=callback_keys, has_bucket=has_bucket
        )
        monkeypatch.setattr(bootstrap, "jobs_api", lambda: built)
        return serve("jobs_api", "http")

    return make


def built_api(
    world: World,
    policy: CreatePolicy,
    *,
    threads: int,
    callback_keys: Sequence[str] = CALLBACK_KEYS,
    has_bucket: bool = True,
) -> Api:
    return world.relay.api(
        policy,
        limits={name: CATALOGUE[name].limit for name in policy.accounts},
        tenants={_digest("key-of-demo"): "demo", _digest("key-of-other"): "other"},
        threads=threads,
        downloads=world.downloads,
        callback_keys=callback_keys,
        bucket=world.bucket if has_bucket else None,
    )


@pytest.fixture
def webhook(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    built = world.relay.webhook(keys=WEBHOOK_KEYS)
    monkeypatch.setattr(bootstrap, "provider_webhook", lambda: built)
    return serve("provider_webhook", "http")


@pytest.fixture
def tick(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    pumps: dict[str, Any] = {"gepetto": lambda: world.pump(window_s=0)}
    built = Ticks(pumps)
    monkeypatch.setattr(bootstrap, "poll_tick", lambda: built)
    return serve("poll_tick", "cloudevent")


@pytest.fixture
def callback_tick(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    built = world.relay.callback_ticks(world.endpoints, keys=CALLBACK_KEYS, window_s=0)
    monkeypatch.setattr(bootstrap, "deliver_callbacks", lambda: built)
    return serve("deliver_callbacks", "cloudevent")


@pytest.fixture
def keep(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    built = world.completions()
    monkeypatch.setattr(bootstrap, "keep_outputs", lambda: built)
    return serve("keep_outputs", "cloudevent")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
