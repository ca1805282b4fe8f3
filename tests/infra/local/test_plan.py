"""What the local stack will consist of, before anything is started."""

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.local.emulators import Emulator, Jar, Kind
from infra.local.errors import PortTaken, WrongEnvironment
from infra.local.plan import Plan, StackDescription, make_plan
from infra.local.processes import Service, free_ports, start_on_free_ports
from infra.local.settings import with_strict_ids
from infra.local.stack import logs_directory
from relay.config import ALLOW_LOCAL_URLS

FOUND = {
    kind: Emulator(kind=kind, java=Path("/usr/bin/java"), jar=Jar(Path(f"/{kind}.jar")))
    for kind in Kind
}


FUNCTIONS = ("jobs_api", "provider_webhook", "poll_tick", "deliver_callbacks", "keep_outputs")


def a_plan(*, instances: int = 1, collects_traces: bool = False, **env: str) -> Plan:
    return make_plan(
        env={"PATH": "/usr/bin", **env},
        found=FOUND,
        source=Path("/checkout/functions"),
        logs=Path("/checkout/.local/logs"),
        instances_each=instances,
        collects_traces=collects_traces,
    )


def service(plan: Plan, name: str) -> Service:
    return next(each for each in plan.services if each.name == name)


def environment(plan: Plan, name: str) -> dict[str, str]:
    return dict(service(plan, name).command.env)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_the_stack_is_three_emulators_five_functions_and_a_sandbox():
    restarts = {each.name: each.restarts for each in a_plan().services}

    assert restarts == {
        "firestore-emulator": False,
        "pubsub-emulator": False,
        "storage-emulator": False,
        "jobs_api": True,
        "provider_webhook": True,
        "poll_tick": True,
        "deliver_callbacks": True,
        "keep_outputs": True,
        "sandbox": False,
    }


def test_of_two_processes_each_has_a_name_and_a_log_of_its_own_and_both_restart():
    plan = a_plan(instances=2)

    assert plan.functions == (
        *("jobs_api-1", "jobs_api-2"),
        *("provider_webhook-1", "provider_webhook-2"),
        *("poll_tick-1", "poll_tick-2"),
        *("deliver_callbacks-1", "deliver_callbacks-2"),
        *("keep_outputs-1", "keep_outputs-2"),
    )
    assert all(service(plan, name).restarts for name in plan.functions)
    assert len({service(plan, name).command.log for name in plan.functions}) == 10
    assert len({service(plan, name).probe.port for name in plan.functions}) == 10


def test_whoever_calls_one_of_two_processes_calls_their_front():
    plan = a_plan(instances=2)

    fronts = {target: service(plan, f"{target}-front").probe.port for target in FUNCTIONS}
    assert plan.description.api_url.endswith(f":{fronts['jobs_api']}")
    assert plan.description.webhook_url.endswith(f":{fronts['provider_webhook']}")
    for target in ("poll_tick", "deliver_callbacks", "keep_outputs"):
        assert plan.push_urls[target].endswith(f":{fronts[target]}")
    assert environment(plan, "poll_tick-1")["WEBHOOK_BASE_URL"] == plan.description.webhook_url
    assert service(plan, "poll_tick-front").command.args[-3:] == tuple(
        str(service(plan, name).probe.port)
        for name in ("poll_tick-front", "poll_tick-1", "poll_tick-2")
    )


def test_each_function_that_is_pushed_to_has_topics_of_its_own():
    plan = a_plan()

    assert plan.description.completions_topic == "job-completions"
    assert plan.description.ticks_topics == {
        "gepetto": "poll-ticks-gepetto",
        "spacely": "poll-ticks-spacely",
    }
    assert [
        (each.name, each.topic, each.function, each.ack_deadline_s)
        for each in plan.topology.push_subscriptions
    ] == [
        ("poll-ticks-gepetto-push", "poll-ticks-gepetto", "poll_tick", 600),
        ("poll-ticks-spacely-push", "poll-ticks-spacely", "poll_tick", 600),
        ("poll-ticks-callbacks-push", "poll-ticks-callbacks", "deliver_callbacks", 600),
        ("job-completions-keep", "job-completions", "keep_outputs", 600),
    ]
    assert plan.push_urls == {
        target: f"http://127.0.0.1:{service(plan, target).probe.port}"
        for target in ("poll_tick", "deliver_callbacks", "keep_outputs")
    }


def test_the_scheduler_sends_ticks_for_each_account_and_for_callbacks():
    assert a_plan(ACCOUNTS="spacely").topology.ticks_topics == {
        "spacely": "poll-ticks-spacely",
        "callbacks": "poll-ticks-callbacks",
    }


def test_outputs_are_kept_in_a_bucket_of_the_storage_emulator():
    plan = a_plan()

    host = f"127.0.0.1:{service(plan, 'storage-emulator').probe.port}"
    assert plan.description.storage_emulator_host == host
    assert plan.description.outputs_bucket == "render-relay-local-outputs"
    for name in ("jobs_api", "keep_outputs"):
        env = environment(plan, name)
        assert env["OUTPUTS_BUCKET"] == plan.description.outputs_bucket
        assert env["STORAGE_EMULATOR_HOST"] == f"http://{host}"


def test_outputs_go_to_the_bucket_that_is_set():
    plan = a_plan(OUTPUTS_BUCKET="mine", STORAGE_EMULATOR_HOST="http://elsewhere.example")

    assert plan.description.outputs_bucket == "mine"
    assert environment(plan, "keep_outputs")["OUTPUTS_BUCKET"] == "mine"
    assert "elsewhere" not in environment(plan, "keep_outputs")["STORAGE_EMULATOR_HOST"]


def test_with_an_empty_bucket_outputs_are_not_kept():
    plan = a_plan(OUTPUTS_BUCKET="")

    assert plan.functions == FUNCTIONS
    assert plan.description.storage_emulator_host is None
    assert plan.description.outputs_bucket is None
    assert "storage-emulator" not in {each.name for each in plan.services}
    assert "keep_outputs" not in plan.push_urls
    assert not environment(plan, "jobs_api").get("OUTPUTS_BUCKET")


def test_the_console_is_opened_with_the_key_in_the_fragment():
    at = a_plan().description

    assert at.console_url == f"{at.api_url}/console#key={at.api_key}"


def test_only_the_pump_is_given_the_providers_keys():
    plan = a_plan(GEPETTO_API_KEY="g", SPACELY_API_KEY="s")

    has_key = {
        name: {"GEPETTO_API_KEY", "SPACELY_API_KEY"} <= environment(plan, name).keys()
        for name in plan.functions
    }

    assert has_key == {name: name == "poll_tick" for name in FUNCTIONS}


def test_no_other_secret_reaches_a_function_that_does_not_use_it():
    plan = a_plan()

    holders = {
        secret: [name for name in FUNCTIONS if secret in environment(plan, name)]
        for secret in ("API_KEYS", "CALLBACK_KEYS", "WEBHOOK_KEYS")
    }
    assert holders == {
        "API_KEYS": ["jobs_api"],
        "CALLBACK_KEYS": ["jobs_api", "deliver_callbacks"],
        "WEBHOOK_KEYS": ["provider_webhook", "poll_tick"],
    }
    assert (
        environment(plan, "jobs_api")["CALLBACK_KEYS"]
        == environment(plan, "deliver_callbacks")["CALLBACK_KEYS"]
    )
    assert (
        environment(plan, "provider_webhook")["WEBHOOK_KEYS"]
        == environment(plan, "poll_tick")["WEBHOOK_KEYS"]
    )


def test_variables_that_would_change_the_framework_stay_outside():
    environments = a_plan(ENTRY_POINT="x", DEBUG="1", WORKERS="9", THREADS="1")

    for name in environments.functions:
        assert not {"ENTRY_POINT", "DEBUG", "WORKERS"} & environment(environments, name).keys()
    assert environment(environments, "poll_tick")["THREADS"] == "8"


def test_what_the_caller_sets_wins():
    plan = a_plan(
        GOOGLE_CLOUD_PROJECT="mine",
        COMPLETIONS_TOPIC="done",
        TICKS_TOPIC="ticks",
        ACCOUNTS="gepetto",
        WEBHOOK_BASE_URL="https://tunnel.example/hooks",
        TICK_WINDOW_S="0",
        LOG_LEVEL="DEBUG",
        CALLBACK_KEYS="c" * 32,
    )

    assert plan.description.project == "mine"
    assert plan.topology.topics == ("done", "ticks-gepetto", "ticks-callbacks")
    pump = environment(plan, "poll_tick")
    assert pump["WEBHOOK_BASE_URL"] == "https://tunnel.example/hooks"
    assert pump["TICK_WINDOW_S"] == "0"
    assert pump["LOG_LEVEL"] == "DEBUG"
    assert environment(plan, "deliver_callbacks")["CALLBACK_KEYS"] == "c" * 32


def test_all_functions_send_traces_to_the_stacks_own_collector():
    plan = a_plan(collects_traces=True)

    port = service(plan, "traces").probe.port
    for name in FUNCTIONS:
        assert environment(plan, name)["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://127.0.0.1:{port}"
    assert "/checkout/.local/logs/traces.jsonl" in service(plan, "traces").command.args


def test_all_functions_send_traces_where_the_caller_says():
    collector = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=b",
        "OTEL_TRACES_SAMPLER": "always_off",
    }
    plan = a_plan(instances=1, collects_traces=False, **collector)

    for name in FUNCTIONS:
        assert collector.items() <= environment(plan, name).items()
    assert not environment(a_plan(), "poll_tick").keys() & collector.keys()


def test_traces_go_to_one_place():
    with pytest.raises(WrongEnvironment, match="drop --traces"):
        a_plan(collects_traces=True, OTEL_EXPORTER_OTLP_ENDPOINT="https://collector.example")
    with pytest.raises(WrongEnvironment, match="drop --traces"):
        a_plan(collects_traces=True, CLOUD_TRACE="1")


def test_a_variable_set_to_nothing_is_not_set():
    assert a_plan(GOOGLE_CLOUD_PROJECT="").description.project == "render-relay-local"


def test_callbacks_come_to_the_local_webhook_unless_said_otherwise():
    plan = a_plan()

    assert environment(plan, "poll_tick")["WEBHOOK_BASE_URL"] == plan.description.webhook_url


def test_both_providers_are_sandboxed_with_the_keys_that_the_pump_has():
    plan = a_plan(SPACELY_API_KEY="given")

    pump = environment(plan, "poll_tick")
    sandbox = service(plan, "sandbox").command.args
    assert pump["GEPETTO_BASE_URL"] == f"{plan.description.sandbox_url}/gepetto/v1"
    assert pump["SPACELY_BASE_URL"] == f"{plan.description.sandbox_url}/spacely/api/v1"
    assert sandbox[sandbox.index("--gepetto-key") + 1] == pump["GEPETTO_API_KEY"]
    assert sandbox[sandbox.index("--spacely-key") + 1] == pump["SPACELY_API_KEY"] == "given"


def test_a_provider_with_a_url_is_not_sandboxed():
    plan = a_plan(GEPETTO_BASE_URL="https://gepetto.example")

    pump = environment(plan, "poll_tick")
    assert pump["GEPETTO_BASE_URL"] == "https://gepetto.example"
    assert pump["SPACELY_BASE_URL"] == f"{plan.description.sandbox_url}/spacely/api/v1"


@pytest.mark.parametrize(
    "env",
    [
        {"GEPETTO_BASE_URL": "https://g.example", "SPACELY_BASE_URL": "https://s.example"},
        {"GEPETTO_BASE_URL": "https://g.example", "ACCOUNTS": "gepetto"},
    ],
    ids=["both have a URL", "the other is switched off"],
)
def test_without_a_provider_to_sandbox_there_is_no_sandbox(env):
    plan = a_plan(**env)

    assert plan.description.sandbox_url is None
    assert "sandbox" not in {each.name for each in plan.services}


def test_additional_arguments_reach_the_sandbox_as_a_shell_would_split_them():
    plan = a_plan(LOCAL_SANDBOX_ARGS="--seed 7 --say 'two words'")

    args = service(plan, "sandbox").command.args
    assert args[-4:] == ("--seed", "7", "--say", "two words")


@pytest.mark.parametrize(
    ("given", "args"),
    [
        ({}, ("--strict-ids",)),
        ({"LOCAL_SANDBOX_ARGS": "--seed 7"}, ("--seed", "7", "--strict-ids")),
    ],
    ids=["alone", "with other arguments"],
)
def test_strict_ids_reach_the_sandbox_beside_its_other_arguments(given, args):
    plan = a_plan(LOCAL_SANDBOX_ARGS=with_strict_ids(given)["LOCAL_SANDBOX_ARGS"])

    assert service(plan, "sandbox").command.args[-len(args) :] == args


def test_on_the_local_stack_only_the_sandboxs_own_host_may_be_local():
    plan = a_plan()

    for name in ("jobs_api", "deliver_callbacks", "keep_outputs"):
        allowed = ALLOW_LOCAL_URLS.parse(environment(plan, name)["ALLOW_LOCAL_URLS"])
        assert allowed == frozenset(
            {urlsplit(plan.description.sandbox_url or "").hostname, "localhost"}
        )


def test_the_demo_key_works():
    plan = a_plan()

    api_keys = json.loads(environment(plan, "jobs_api")["API_KEYS"])
    assert api_keys == {"demo": [digest(plan.description.api_key)]}


def test_the_demo_key_is_added_to_the_keys_that_were_given():
    plan = a_plan(API_KEYS=json.dumps({"acme": ["aa"], "demo": ["bb"]}))

    api_keys = json.loads(environment(plan, "jobs_api")["API_KEYS"])
    assert api_keys == {"acme": ["aa"], "demo": ["bb", digest(plan.description.api_key)]}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("API_KEYS", "not json"),
        ("API_KEYS", '["aa"]'),
        ("API_KEYS", '{"acme": "aa"}'),
        ("LOCAL_TICK_EVERY_S", "often"),
        ("LOCAL_TICK_EVERY_S", "0"),
        ("LOCAL_TICK_EVERY_S", "nan"),
        ("LOCAL_SANDBOX_ARGS", "'"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(variable, value):
    with pytest.raises(WrongEnvironment, match=variable):
        a_plan(**{variable: value})


def test_programs_on_this_machine_are_not_asked_through_a_proxy():
    plan = a_plan(HTTPS_PROXY="http://proxy.example", NO_PROXY="intranet")

    assert environment(plan, "poll_tick")["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def a_description(api_url: str = "http://127.0.0.1:1") -> StackDescription:
    return StackDescription(
        project="p",
        api_url=api_url,
        webhook_url="http://127.0.0.1:2",
        sandbox_url=None,
        firestore_emulator_host="127.0.0.1:3",
        pubsub_emulator_host="127.0.0.1:4",
        completions_topic="c",
        ticks_topics={"gepetto": "t"},
        api_key="k",
        console_url="http://127.0.0.1:1/console#key=k",
        storage_emulator_host="127.0.0.1:6",
        outputs_bucket="b",
        pids={"jobs_api": 5},
    )


def test_the_stack_file_says_what_the_description_says(tmp_path):
    path = tmp_path / "stack.json"

    a_description().write(path)

    assert StackDescription.read(path) == a_description()
    assert [each.name for each in tmp_path.iterdir()] == ["stack.json"]


def test_a_stack_removes_its_own_file(tmp_path):
    path = tmp_path / "stack.json"
    a_description().write(path)

    a_description().remove(path)

    assert not path.exists()


def test_a_stack_does_not_remove_the_file_of_another(tmp_path):
    path = tmp_path / "stack.json"
    a_description(api_url="http://127.0.0.1:9").write(path)

    a_description().remove(path)

    assert path.exists()


def test_stacks_with_files_of_their_own_have_logs_of_their_own(tmp_path):
    assert logs_directory(tmp_path / "stack.json") == tmp_path / "logs"
    assert logs_directory(tmp_path / "demo.json") == tmp_path / "demo-logs"


def test_chosen_ports_differ():
    assert len(set(free_ports(20))) == 20


def test_a_start_that_lost_a_port_is_undone_and_made_again():
    seen: list[str] = []

    def start(undo):
        undo.callback(seen.append, "undone")
        seen.append("started")
        if len(seen) == 1:
            raise PortTaken("too late")
        return "up"

    with ExitStack() as cleanup:
        assert start_on_free_ports(start, cleanup=cleanup) == "up"
        assert seen == ["started", "undone", "started"]

    assert seen[-1] == "undone"
