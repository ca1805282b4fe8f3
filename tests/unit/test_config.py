"""Settings: what is missing or malformed is named at once, and no secret is ever shown."""

from datetime import timedelta

import pytest

from relay.config import (
    api_settings,
    callback_settings,
    keep_settings,
    pump_settings,
    webhook_settings,
)
from relay.domain.limits import Limit

DIGEST = "a" * 64
WEBHOOK_KEY = "w-secret-" + "0" * 32
CALLBACK_KEY = "c-secret-" + "0" * 32
NEEDED = {
    api_settings: {
        "GOOGLE_CLOUD_PROJECT": "p",
        "API_KEYS": f'{{"demo": ["{DIGEST}"]}}',
    },
    webhook_settings: {"GOOGLE_CLOUD_PROJECT": "p", "WEBHOOK_KEYS": WEBHOOK_KEY},
    keep_settings: {"GOOGLE_CLOUD_PROJECT": "p"},
    pump_settings: {
        "GOOGLE_CLOUD_PROJECT": "p",
        "GEPETTO_API_KEY": "g-secret",
        "SPACELY_API_KEY": "s-secret",
        "WEBHOOK_BASE_URL": "https://hooks.example.com/",
        "WEBHOOK_KEYS": WEBHOOK_KEY,
    },
    callback_settings: {"GOOGLE_CLOUD_PROJECT": "p", "CALLBACK_KEYS": CALLBACK_KEY},
}
EVERY_ONE = [(read, name) for read, env in NEEDED.items() for name in env]


@pytest.fixture(params=NEEDED, ids=lambda read: read.__name__)
def read(request):
    return request.param


def complaint(read, **changes):
    with pytest.raises(LookupError) as caught:
        read(NEEDED[read] | changes)
    return str(caught.value)


def test_with_only_what_it_needs_a_function_has_the_documented_defaults(read):
    common = read(NEEDED[read]).common

    assert (common.project, common.database) == ("p", "(default)")
    assert (common.completions_topic, common.ticks_topic) == ("job-completions", "poll-ticks")
    assert (common.time_to_live, common.log_level) == (timedelta(days=30), "INFO")


def test_everything_that_is_missing_is_named_at_once(read):
    with pytest.raises(LookupError) as caught:
        read({})

    assert str(caught.value).count("is not set") == len(NEEDED[read])
    assert all(f"{name} is not set" in str(caught.value) for name in NEEDED[read])


@pytest.mark.parametrize(("read", "name"), EVERY_ONE)
@pytest.mark.parametrize("value", ["", "  "], ids=["empty", "blank"])
def test_each_missing_variable_is_named(read, name, value):
    assert complaint(read, **{name: value}) == f"{name} is not set"


@pytest.mark.parametrize(
    ("read", "name", "value"),
    [
        (api_settings, "ACCOUNTS", "gepetto,dalle"),
        (api_settings, "ACCOUNTS", ","),
        (api_settings, "API_KEYS", "key"),
        (api_settings, "API_KEYS", "{}"),
        (api_settings, "API_KEYS", "[]"),
        (api_settings, "API_KEYS", '{"": ["' + DIGEST + '"]}'),
        (api_settings, "API_KEYS", '{"demo": []}'),
        (api_settings, "API_KEYS", '{"demo": "' + DIGEST + '"}'),
        (api_settings, "API_KEYS", '{"demo": ["abc"]}'),
        (api_settings, "API_KEYS", '{"demo": [1]}'),
        (api_settings, "API_KEYS", f'{{"a": ["{DIGEST}"], "b": ["{DIGEST.upper()}"]}}'),
        *(
            (api_settings, "ALLOW_LOCAL_URLS", value)
            for value in (
                "yes",
                "true",
                "2",
                "local.example,",
                "127.0.0.1:8080",
                "http://a.b",
                "a.b c",
            )
        ),
        (api_settings, "RAW_OPERATIONS", "no"),
        (api_settings, "MAX_OPEN_JOBS", "0"),
        (api_settings, "MAX_OPEN_JOBS", "many"),
        (api_settings, "THREADS", "0"),
        (api_settings, "JOB_TTL_DAYS", "0"),
        (api_settings, "JOB_TTL_DAYS", "a month"),
        (api_settings, "JOB_TTL_DAYS", "٣"),
        (api_settings, "LOG_LEVEL", "LOUD"),
        (api_settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        (keep_settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/?key=1"),
        (pump_settings, "OTEL_EXPORTER_OTLP_HEADERS", "token"),
        (pump_settings, "OTEL_EXPORTER_OTLP_HEADERS", "to ken=value-1"),
        (pump_settings, "OTEL_EXPORTER_OTLP_HEADERS", "token=value-1%0d%0aX-Evil:1"),
        (webhook_settings, "CLOUD_TRACE", "yes"),
        (api_settings, "OUTPUTS_BUCKET", "gs://renders"),
        (keep_settings, "OUTPUTS_BUCKET", "gs://renders"),
        (keep_settings, "OUTPUTS_BUCKET", "Renders"),
        (keep_settings, "OUTPUTS_BUCKET", "a/b"),
        (keep_settings, "ALLOW_LOCAL_URLS", "yes"),
        (webhook_settings, "WEBHOOK_KEYS", "short"),
        (webhook_settings, "WEBHOOK_KEYS", WEBHOOK_KEY + ",short"),
        (webhook_settings, "WEBHOOK_KEYS", " , "),
        (callback_settings, "CALLBACK_KEYS", "short"),
        (callback_settings, "CALLBACK_KEYS", CALLBACK_KEY + ",short"),
        (callback_settings, "CALLBACK_KEYS", " , "),
        (callback_settings, "ALLOW_LOCAL_URLS", "yes"),
        (callback_settings, "TICK_WINDOW_S", "soon"),
        (api_settings, "CALLBACK_KEYS", "short"),
        (api_settings, "CALLBACK_KEYS", " , "),
        (pump_settings, "WEBHOOK_BASE_URL", "hooks.example.com"),
        (pump_settings, "WEBHOOK_BASE_URL", "https://hooks.example.com/?a=b"),
        (pump_settings, "GEPETTO_BASE_URL", "ftp://example.com"),
        (pump_settings, "SPACELY_BASE_URL", "https://"),
        (pump_settings, "GEPETTO_CALLS_PER_MINUTE", "0"),
        (pump_settings, "SPACELY_CALLS_PER_SECOND", "-1"),
        (pump_settings, "GEPETTO_API_KEY", "a key"),
        (pump_settings, "GEPETTO_API_KEY", "a\r\nX-Evil: 1"),
        (pump_settings, "SPACELY_API_KEY", "clé-secrète"),
        (pump_settings, "TENANT_WEIGHTS", "2"),
        (pump_settings, "TENANT_WEIGHTS", "shop=2"),
        (pump_settings, "TENANT_WEIGHTS", '{"shop": 0}'),
        (pump_settings, "TENANT_WEIGHTS", '{"shop": 101}'),
        (pump_settings, "TENANT_WEIGHTS", '{"shop": 1.5}'),
        (pump_settings, "TENANT_WEIGHTS", '{"shop": true}'),
        (pump_settings, "TENANT_WEIGHTS", '{"": 2}'),
        (pump_settings, "TICK_WINDOW_S", "-1"),
        (pump_settings, "TICK_WINDOW_S", "501"),
        (pump_settings, "TICK_WINDOW_S", "nan"),
        (pump_settings, "TICK_WINDOW_S", "soon"),
    ],
)
def test_each_malformed_variable_is_named_without_its_value(read, name, value):
    message = complaint(read, **{name: value})

    assert message.startswith(f"{name} must be ")
    assert "; " not in message
    assert len(value) < 4 or value not in message


@pytest.mark.parametrize("days", ["1" * 12, "1" * 30], ids=len)
def test_more_days_than_a_date_can_hold_are_named_too(days):
    assert complaint(api_settings, JOB_TTL_DAYS=days).startswith("JOB_TTL_DAYS must be ")


def test_what_is_missing_and_what_is_malformed_come_in_one_message():
    message = complaint(
        pump_settings, GEPETTO_API_KEY="", WEBHOOK_KEYS="short", TICK_WINDOW_S="soon"
    )

    assert all(name in message for name in ("GEPETTO_API_KEY", "WEBHOOK_KEYS", "TICK_WINDOW_S"))
    assert message.count(";") == 2


@pytest.mark.parametrize("secret", ["short-secret", '{"demo": ["short-secret"]}'])
def test_no_secret_is_in_a_message(secret):
    for read, name in ((webhook_settings, "WEBHOOK_KEYS"), (api_settings, "API_KEYS")):
        assert "short-secret" not in complaint(read, **{name: secret})


def test_no_secret_is_in_what_settings_show_of_themselves(read):
    shown = repr(read(NEEDED[read]))

    assert not any(
        secret in shown for secret in ("g-secret", "s-secret", "w-secret", "c-secret", DIGEST)
    )


def test_each_function_asks_only_for_what_it_uses():
    rubbish = {
        "API_KEYS": "rubbish",
        "GEPETTO_API_KEY": "",
        "WEBHOOK_KEYS": "rubbish",
        "WEBHOOK_BASE_URL": "rubbish",
        "TICK_WINDOW_S": "rubbish",
        "ALLOW_LOCAL_URLS": "rubbish",
        "RAW_OPERATIONS": "rubbish",
        "MAX_OPEN_JOBS": "rubbish",
        "THREADS": "rubbish",
        "TENANT_WEIGHTS": "rubbish",
        "CALLBACK_KEYS": "rubbish",
        "OUTPUTS_BUCKET": "rub/bish",
    }
    of_keep = {"ALLOW_LOCAL_URLS", "OUTPUTS_BUCKET"}
    of_callbacks = {"ALLOW_LOCAL_URLS", "TICK_WINDOW_S", "CALLBACK_KEYS"}
    of_api = of_keep | {"RAW_OPERATIONS", "MAX_OPEN_JOBS", "THREADS", "CALLBACK_KEYS"}
    spares = {api_settings: of_api, callback_settings: of_callbacks, keep_settings: of_keep}

    for read, needed in NEEDED.items():
        if read is not pump_settings:
            spared = spares.get(read, set())
            others = {name: value for name, value in rubbish.items() if name not in spared}
            read(others | needed)
    others = {name: value for name, value in rubbish.items() if name in of_api | {"API_KEYS"}}
    pump_settings(others | NEEDED[pump_settings])


def test_only_the_keys_of_accounts_that_are_on_are_asked_for():
    env = NEEDED[pump_settings] | {"ACCOUNTS": "spacely", "GEPETTO_API_KEY": ""}

    assert set(pump_settings(env).accounts) == {"spacely"}


def test_limits_and_addresses_are_the_documented_ones_unless_set():
    accounts = pump_settings(NEEDED[pump_settings] | {"GEPETTO_CALLS_PER_MINUTE": "60"}).accounts

    assert accounts["gepetto"].limit == Limit(calls=60, window_s=60.0)
    assert accounts["spacely"].limit == Limit(calls=100, window_s=1.0)
    assert accounts["gepetto"].base_url.startswith("https://")


def test_what_is_set_is_taken():
    settings = pump_settings(
        NEEDED[pump_settings]
        | {
            "WEBHOOK_KEYS": f" {WEBHOOK_KEY} , {WEBHOOK_KEY}2 ",
            "GEPETTO_BASE_URL": "http://127.0.0.1:8080/v1/",
            "TICK_WINDOW_S": "0",
            "LOG_LEVEL": "debug",
        }
    )

    assert settings.webhook_keys == (WEBHOOK_KEY, WEBHOOK_KEY + "2")
    assert settings.webhook_base_url == "https://hooks.example.com"
    assert settings.accounts["gepetto"].base_url == "http://127.0.0.1:8080/v1"
    assert (settings.window_s, settings.common.log_level) == (0.0, "DEBUG")


def test_admission_is_as_designed_unless_it_is_set(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    api, pump = api_settings(NEEDED[api_settings]), pump_settings(NEEDED[pump_settings])

    assert (api.max_open_jobs, api.raw_operations, api.threads) == (5000, True, 8)
    assert pump.tenant_weights == {}

    api = api_settings(
        NEEDED[api_settings] | {"MAX_OPEN_JOBS": "7", "RAW_OPERATIONS": "0", "THREADS": "80"}
    )
    pump = pump_settings(NEEDED[pump_settings] | {"TENANT_WEIGHTS": '{"shop": 100, "b": 1}'})

    assert (api.max_open_jobs, api.raw_operations, api.threads) == (7, False, 80)
    assert pump.tenant_weights == {"shop": 100, "b": 1}


def test_callbacks_are_off_unless_there_are_keys():
    keys = {"CALLBACK_KEYS": f" {CALLBACK_KEY} , {CALLBACK_KEY}2 "}
    given = (CALLBACK_KEY, CALLBACK_KEY + "2")

    assert api_settings(NEEDED[api_settings]).callback_keys == ()
    assert api_settings(NEEDED[api_settings] | keys).callback_keys == given
    assert callback_settings(NEEDED[callback_settings] | keys).callback_keys == given


def test_callbacks_work_for_as_long_as_other_pumps_and_go_to_public_hosts():
    settings = callback_settings(NEEDED[callback_settings])
    local = callback_settings(NEEDED[callback_settings] | {"ALLOW_LOCAL_URLS": "127.0.0.1"})

    assert (settings.window_s, settings.allow_local_urls) == (55.0, False)
    assert local.allow_local_urls == frozenset({"127.0.0.1"})


def test_a_tenant_may_have_several_keys():
    keys = f'{{"demo": ["{DIGEST}", "{"B" * 64}"], "other": ["{"c" * 64}"]}}'

    tenants = api_settings(NEEDED[api_settings] | {"API_KEYS": keys}).tenants

    assert tenants == {DIGEST: "demo", "b" * 64: "demo", "c" * 64: "other"}


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("", False),
        ("0", False),
        ("1", True),
        ("LocalHost", {"localhost"}),
        ("127.0.0.1, sandbox.internal,::1", {"127.0.0.1", "sandbox.internal", "::1"}),
    ],
)
def test_local_urls_are_allowed_only_when_it_says_so(value, allowed):
    settings = api_settings(NEEDED[api_settings] | {"ALLOW_LOCAL_URLS": value})

    assert settings.allow_local_urls == allowed


@pytest.mark.parametrize("read", [api_settings, keep_settings])
def test_outputs_are_kept_only_where_there_is_a_bucket(read):
    assert read(NEEDED[read]).outputs_bucket == ""
    assert read(NEEDED[read] | {"OUTPUTS_BUCKET": ""}).outputs_bucket == ""
    assert read(NEEDED[read] | {"OUTPUTS_BUCKET": "my-renders"}).outputs_bucket == "my-renders"


def test_traces_are_off_unless_they_are_sent_somewhere(read):
    assert read(NEEDED[read]).common.traces is None
    off = {"CLOUD_TRACE": "0", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}
    assert read(NEEDED[read] | off).common.traces is None


def test_traces_go_to_a_collector_with_its_headers_which_stay_secret(read):
    collector = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example/otlp/",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=a%20b, Authorization=Basic%20t-secret,",
    }

    traces = read(NEEDED[read] | collector).common.traces

    assert traces.endpoint == "https://collector.example/otlp"
    assert traces.headers == {"x-team": "a b", "Authorization": "Basic t-secret"}
    assert "t-secret" not in repr(traces)


def test_traces_go_to_cloud_trace_by_one_variable(read):
    traces = read(NEEDED[read] | {"CLOUD_TRACE": "1"}).common.traces

    assert (traces.endpoint, traces.headers) == ("", {})


def test_traces_go_to_one_place(read):
    both = {"CLOUD_TRACE": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}

    message = complaint(read, **both)

    assert "only one of OTEL_EXPORTER_OTLP_ENDPOINT and CLOUD_TRACE may be set" in message
