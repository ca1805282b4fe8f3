"""Reads what Terraform made: resources by type, functions with their environment, identities."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from relay import config
from tests.terraform.running import VARIABLES

Resources = Mapping[str, Mapping[str, Any]]

READER_NAMES = {
    "jobs_api": "api_settings",
    "provider_webhook": "webhook_settings",
    "poll_tick": "pump_settings",
    "deliver_callbacks": "callback_settings",
    "keep_outputs": "keep_settings",
}
READERS: Mapping[str, Callable[[Mapping[str, str]], object]] = {
    function: getattr(config, name)
    for function, name in READER_NAMES.items()
    if hasattr(config, name)
}
NOT_READ_YET = {
    variable
    for function, variable in (
        ("deliver_callbacks", "CALLBACK_KEYS"),
        ("keep_outputs", "OUTPUTS_BUCKET"),
    )
    if function not in READERS
}
FUNCTIONS = tuple(READER_NAMES)
_FRAMEWORK_VARIABLES = {"THREADS"}
# For collectors other than Cloud Trace, which Terraform does not know.
_COLLECTOR_VARIABLES = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"}


class Recording(Mapping[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._env[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._env)

    def __len__(self) -> int:
        return len(self._env)


def misread(env: Mapping[str, str], function: str) -> set[str]:
    """Return the variables that are set and not read, or read and not set."""
    recording = Recording(env)
    READERS[function](recording)
    return (recording.asked ^ set(env)) - _FRAMEWORK_VARIABLES - _COLLECTOR_VARIABLES


def of_type(resources: Resources, type_name: str) -> dict[str, Mapping[str, Any]]:
    """Return all of one type, by address."""
    found = {at: one for at, one in resources.items() if at.startswith(f"{type_name}.")}
    assert found, f"no {type_name}"
    return found


def service(resources: Resources, function: str) -> Mapping[str, Any]:
    configs: list[Mapping[str, Any]]
    configs = resources[f'google_cloudfunctions2_function.relay["{function}"]']["service_config"]
    (found,) = configs
    return found


def secrets(resources: Resources, function: str) -> set[str]:
    return {one["key"] for one in service(resources, function)["secret_environment_variables"]}


def environment(resources: Resources, function: str) -> dict[str, str]:
    """Return the variables of a function as it will find them, secrets with stand-in values."""
    values = {
        "API_KEYS": json.dumps(VARIABLES["api_keys"]),
        "CALLBACK_KEYS": "c" * 32,
        "WEBHOOK_KEYS": "w" * 32,
        "GEPETTO_API_KEY": "key-of-gepetto",
        "SPACELY_API_KEY": "key-of-spacely",
    }
    plain = service(resources, function)["environment_variables"]
    return {**plain, **{name: values[name] for name in secrets(resources, function)}}


def account(function: str) -> str:
    return f"relay-{function.replace('_', '-')}@example.iam.gserviceaccount.com"


def secret_id(variable: str) -> str:
    return f"relay-{variable.lower().replace('_', '-')}"
