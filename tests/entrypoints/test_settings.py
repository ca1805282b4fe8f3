"""A function without its settings: the first request fails with one message that names them."""

import pytest

from relay import bootstrap

VARIABLES = {
    *("GOOGLE_CLOUD_PROJECT", "FIRESTORE_DATABASE", "COMPLETIONS_TOPIC", "TICKS_TOPIC"),
    *("ACCOUNTS", "GEPETTO_API_KEY", "SPACELY_API_KEY", "GEPETTO_BASE_URL", "SPACELY_BASE_URL"),
    *("GEPETTO_CALLS_PER_MINUTE", "SPACELY_CALLS_PER_SECOND", "WEBHOOK_BASE_URL"),
    *("WEBHOOK_KEYS", "API_KEYS", "TICK_WINDOW_S", "ALLOW_LOCAL_URLS", "JOB_TTL_DAYS"),
    *("LOG_LEVEL", "MAX_OPEN_JOBS", "RAW_OPERATIONS", "TENANT_WEIGHTS", "THREADS"),
    "CALLBACK_KEYS",
    "OUTPUTS_BUCKET",
}
NEEDED = {
    "jobs_api": {"GOOGLE_CLOUD_PROJECT", "API_KEYS"},
    "provider_webhook": {"GOOGLE_CLOUD_PROJECT", "WEBHOOK_KEYS"},
    "poll_tick": {
        "GOOGLE_CLOUD_PROJECT",
        "GEPETTO_API_KEY",
        "SPACELY_API_KEY",
        "WEBHOOK_BASE_URL",
        "WEBHOOK_KEYS",
    },
    "deliver_callbacks": {"GOOGLE_CLOUD_PROJECT", "CALLBACK_KEYS"},
    "keep_outputs": {"GOOGLE_CLOUD_PROJECT"},
}
PUSH = {"message": {"messageId": "1", "data": "e30="}, "subscription": "s"}
SIGNATURES = {
    "jobs_api": "http",
    "provider_webhook": "http",
    "poll_tick": "cloudevent",
    "deliver_callbacks": "cloudevent",
    "keep_outputs": "cloudevent",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("function", NEEDED)
def test_the_first_request_fails_with_one_message_that_names_them_all(serve, caplog, function):
    client = serve(function, SIGNATURES[function])

    answer = client.post("/", json=PUSH)

    assert answer.status_code == 500
    (error,) = (one.exc_info[1] for one in caplog.records if one.exc_info)
    assert isinstance(error, LookupError)
    assert {name for name in VARIABLES if name in str(error)} == NEEDED[function]


@pytest.mark.parametrize("function", NEEDED)
def test_a_function_starts_without_its_settings(serve, function):
    serve(function, SIGNATURES[function])


def test_what_could_not_be_built_is_tried_again_at_the_next_request():
    built = []

    @bootstrap.once_per_worker
    def build():
        built.append("try")
        if len(built) == 1:
            raise LookupError("not set")
        return built

    with pytest.raises(LookupError):
        build()

    assert build() is build()
    assert len(built) == 2
