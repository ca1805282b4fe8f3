"""What an apply would make, read from the state after Terraform ran against stand-ins."""

import ast
import base64
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from infra.bench.operations import INSTANCE, PUMP_INSTANCE
from infra.local.topics import topology
from relay import config
from relay.adapters import document, firestore, pubsub
from relay.domain.callback import CALLBACKS
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import EventType, Status
from tests.factories import a_job
from tests.terraform.running import Workspace
from tests.terraform.stand_in import PROJECT_NUMBER
from tests.terraform.state import (
    FUNCTIONS,
    NOT_READ_YET,
    READERS,
    Resources,
    account,
    environment,
    misread,
    of_type,
    secret_id,
    secrets,
    service,
)

ROOT = Path(__file__).parents[2]
WEBHOOK_URL = f"https://provider-webhook-{PROJECT_NUMBER}.europe-west1.run.app"
BUCKET = "a-project-render-relay-outputs"
PUSHED_TO = ("poll_tick", "deliver_callbacks", "keep_outputs")
PUMPS = (*CATALOGUE, CALLBACKS)
LONGEST_FILTER = 256  # bytes, see Pub/Sub, Filter messages from a subscription
EVERY_FUNCTION_HAS = {
    "GOOGLE_CLOUD_PROJECT",
    "FIRESTORE_DATABASE",
    "COMPLETIONS_TOPIC",
    "TICKS_TOPIC",
    "JOB_TTL_DAYS",
    "LOG_LEVEL",
    "CLOUD_TRACE",
    "THREADS",
}


@pytest.fixture(scope="module")
def resources(applied: Workspace) -> Resources:
    """Everything that an apply with two accounts makes."""
    return applied.resources()


def test_a_second_apply_changes_nothing(applied):
    said = applied.apply()

    assert "0 added, 0 changed, 0 destroyed" in said
    assert "Warning" not in said


@pytest.mark.parametrize("function", READERS)
def test_a_function_is_given_just_what_it_reads(resources, function):
    assert misread(environment(resources, function), function) <= NOT_READ_YET


@pytest.mark.parametrize(
    ("function", "own"),
    [
        ("deliver_callbacks", {"ALLOW_LOCAL_URLS", "CALLBACK_KEYS", "TICK_WINDOW_S"}),
        ("keep_outputs", {"ALLOW_LOCAL_URLS", "OUTPUTS_BUCKET"}),
    ],
)
def test_what_calls_foreign_addresses_is_given_little(resources, function, own):
    assert set(environment(resources, function)) == EVERY_FUNCTION_HAS | own


def test_the_api_knows_where_copies_are_and_what_signs_callbacks(resources):
    api = environment(resources, "jobs_api")

    assert (
        api["OUTPUTS_BUCKET"] == environment(resources, "keep_outputs")["OUTPUTS_BUCKET"] == BUCKET
    )
    assert api["CALLBACK_KEYS"] == environment(resources, "deliver_callbacks")["CALLBACK_KEYS"]


def test_what_is_left_out_is_as_the_code_has_it(resources):
    documented = config.pump_settings(
        {
            "GOOGLE_CLOUD_PROJECT": "a-project",
            "WEBHOOK_BASE_URL": WEBHOOK_URL,
            "WEBHOOK_KEYS": "w" * 32,
            "GEPETTO_API_KEY": "key-of-gepetto",
            "SPACELY_API_KEY": "key-of-spacely",
        }
    )

    assert config.pump_settings(environment(resources, "poll_tick")) == documented


def test_local_addresses_are_not_allowed(resources):
    assert not config.api_settings(environment(resources, "jobs_api")).allow_local_urls
    for function in ("deliver_callbacks", "keep_outputs"):
        assert environment(resources, function)["ALLOW_LOCAL_URLS"] == "0"


def test_only_secrets_are_secret(resources):
    assert secrets(resources, "jobs_api") == {"API_KEYS", "CALLBACK_KEYS"}
    assert secrets(resources, "deliver_callbacks") == {"CALLBACK_KEYS"}
    assert secrets(resources, "keep_outputs") == set()
    assert secrets(resources, "provider_webhook") == {"WEBHOOK_KEYS"}
    assert secrets(resources, "poll_tick") == {
        "GEPETTO_API_KEY",
        "SPACELY_API_KEY",
        "WEBHOOK_KEYS",
    }


def test_a_function_may_read_its_own_secrets_alone(resources):
    allowed = {
        (one["member"], one["secret_id"])
        for one in of_type(resources, "google_secret_manager_secret_iam_member").values()
    }

    assert allowed == {
        (
            f"serviceAccount:{account(function)}",
            f"google_secret_manager_secret/{secret_id(name)}/id",
        )
        for function in FUNCTIONS
        for name in secrets(resources, function)
    }


def test_every_secret_has_a_pinned_version(resources):
    for function in FUNCTIONS:
        for one in service(resources, function)["secret_environment_variables"]:
            assert one["secret"] == secret_id(one["key"])
            version = resources[f'google_secret_manager_secret_version.relay["{one["key"]}"]']
            assert one["version"] == version["version"] != "latest"


def test_no_secret_is_in_the_state(applied):
    state = (applied.folder / "terraform.tfstate").read_text()

    assert "relay-webhook-keys" in state
    for secret in ("w" * 32, "c" * 32, "key-of-gepetto", "key-of-spacely"):
        assert secret not in state


def test_each_function_has_an_identity_of_its_own(resources):
    assert {name: service(resources, name)["service_account_email"] for name in FUNCTIONS} == {
        name: account(name) for name in FUNCTIONS
    }


def test_project_wide_a_function_may_touch_one_database_and_no_more(resources):
    granted = of_type(resources, "google_project_iam_member")
    to_functions = [
        one
        for one in granted.values()
        if one["member"] in {f"serviceAccount:{account(name)}" for name in FUNCTIONS}
    ]

    assert len(to_functions) == len(FUNCTIONS)
    for one in to_functions:
        assert one["role"] == "roles/datastore.user"
        (condition,) = one["condition"]
        assert condition["expression"] == (
            'resource.name == "projects/a-project/databases/(default)"'
        )
    assert {one["role"] for one in granted.values()} == {
        "roles/datastore.user",
        "roles/logging.logWriter",
        "roles/storage.objectViewer",
    }


def test_only_callbacks_are_public(resources):
    invokers = of_type(resources, "google_cloud_run_v2_service_iam_member")

    assert {(one["name"], one["member"]) for one in invokers.values()} == {
        ("provider-webhook", "allUsers"),
        *(
            (name.replace("_", "-"), "serviceAccount:relay-push@example.iam.gserviceaccount.com")
            for name in PUSHED_TO
        ),
    }
    assert {one["role"] for one in invokers.values()} == {"roles/run.invoker"}


def test_every_entry_point_is_deployed(resources):
    tree = ast.parse((ROOT / "functions" / "main.py").read_text())
    entry_points = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    functions = of_type(resources, "google_cloudfunctions2_function").values()

    assert {one["build_config"][0]["entry_point"] for one in functions} == set(FUNCTIONS)
    assert entry_points <= set(FUNCTIONS)
    assert {one["build_config"][0]["runtime"] for one in functions} == {"python311"}
    assert not any(one["event_trigger"] for one in functions)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_there_is_a_thread_for_each_request_that_is_let_in(resources, function):
    its = service(resources, function)

    concurrency = its["max_instance_request_concurrency"]
    assert its["environment_variables"]["THREADS"] == str(max(concurrency, 2))
    # Cloud Run refuses less than a vCPU with more than one request at a time.
    assert float(its["available_cpu"]) >= 1 or concurrency == 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_instances_are_of_the_size_that_the_bill_counts(resources, function):
    its = service(resources, function)

    size = PUMP_INSTANCE if function == "poll_tick" else INSTANCE
    assert its["available_memory"] == f"{size.gib * 1024:.0f}Mi"
    assert float(its["available_cpu"]) == size.vcpus


def test_a_tick_that_finds_the_pumps_at_work_finds_an_instance(resources):
    its = service(resources, "poll_tick")

    pumps = len(CATALOGUE)
    assert its["max_instance_count"] * its["max_instance_request_concurrency"] >= pumps + 4


@pytest.fixture(scope="module")
def local():
    return topology(
        completions_topic="job-completions", ticks_topic="poll-ticks", accounts=tuple(CATALOGUE)
    )


def test_there_is_a_topic_for_completions_and_one_for_the_ticks_of_each_pump(resources, local):
    topics = {one["name"] for one in of_type(resources, "google_pubsub_topic").values()}

    assert {one for one in topics if not one.endswith("-dead-letters")} == {
        "job-completions",
        *(f"poll-ticks-{name}" for name in PUMPS),
    }
    assert set(local.topics) <= topics


def test_the_local_stack_pushes_the_same_way(resources, local):
    pushed = {
        one["name"]: (
            one["topic"].rpartition("/")[2],
            one["push_config"][0]["push_endpoint"],
            one["ack_deadline_seconds"],
        )
        for one in of_type(resources, "google_pubsub_subscription").values()
        if one["push_config"]
    }
    uris = {name: service(resources, name)["uri"] for name in PUSHED_TO}

    assert pushed == {
        "poll-ticks-gepetto-push": ("poll-ticks-gepetto", uris["poll_tick"], 600),
        "poll-ticks-spacely-push": ("poll-ticks-spacely", uris["poll_tick"], 600),
        "poll-ticks-callbacks-push": ("poll-ticks-callbacks", uris["deliver_callbacks"], 600),
        "job-completions-keep": ("job-completions", uris["keep_outputs"], 600),
    }
    for one in local.push_subscriptions:
        assert pushed[one.name] == (one.topic, uris[one.function], one.ack_deadline_s)


PUSHES = {
    **{f'google_pubsub_subscription.ticks["{name}"]': "poll_tick" for name in CATALOGUE},
    'google_pubsub_subscription.ticks["callbacks"]': "deliver_callbacks",
    "google_pubsub_subscription.results[0]": "keep_outputs",
}


@pytest.mark.parametrize("subscription", PUSHES)
def test_messages_are_pushed_with_an_identity_that_may_push(resources, subscription):
    (push,) = resources[subscription]["push_config"]
    (token,) = push["oidc_token"]

    assert push["push_endpoint"] == service(resources, PUSHES[subscription])["uri"]
    assert token["audience"] == push["push_endpoint"]
    assert token["service_account_email"] == "relay-push@example.iam.gserviceaccount.com"


def test_results_are_pushed_by_the_type_of_their_event_for_most_of_a_day(resources):
    results = resources["google_pubsub_subscription.results[0]"]
    (backoff,) = results["retry_policy"]
    (policy,) = results["dead_letter_policy"]

    assert results["filter"] == (
        f'attributes.ce-type = "{EventType.SUCCEEDED}" OR '
        f'attributes.ce-type = "{EventType.LATE_RESULT}"'
    )
    assert len(results["filter"]) <= LONGEST_FILTER
    assert (backoff["minimum_backoff"], backoff["maximum_backoff"]) == ("10s", "600s")
    assert policy["max_delivery_attempts"] == 100
    assert not results["enable_message_ordering"]


@pytest.mark.parametrize("subscription", PUSHES)
def test_what_is_given_up_is_kept(resources, subscription):
    pushed = resources[subscription]
    dead = subscription.partition(".")[2].replace("ticks", "dead_ticks")
    dead = dead.replace("results", "dead_results")
    kept = resources[f"google_pubsub_subscription.{dead}"]
    (policy,) = pushed["dead_letter_policy"]

    assert policy["dead_letter_topic"] == kept["topic"]
    assert kept["message_retention_duration"] == "604800s"
    assert not kept["push_config"]
    assert [one["ttl"] for one in kept["expiration_policy"]] == [""]
    pubsub_itself = f"serviceAccount:service-{PROJECT_NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
    publisher = resources[f"google_pubsub_topic_iam_member.{dead}"]
    subscriber = resources[f"google_pubsub_subscription_iam_member.{dead}"]
    assert (publisher["topic"], publisher["member"]) == (kept["topic"], pubsub_itself)
    assert (subscriber["subscription"], subscriber["member"]) == (pushed["id"], pubsub_itself)


def test_copies_are_private_and_go_with_their_jobs(resources):
    bucket = resources["google_storage_bucket.outputs"]
    (rule,) = bucket["lifecycle_rule"]
    (condition,) = rule["condition"]

    assert bucket["name"] == BUCKET
    assert bucket["uniform_bucket_level_access"]
    assert bucket["public_access_prevention"] == "enforced"
    assert [one["enabled"] for one in bucket["versioning"]] == [False]
    assert [one["retention_duration_seconds"] for one in bucket["soft_delete_policy"]] == [0]
    assert not bucket["force_destroy"]
    assert rule["action"][0]["type"] == "Delete"
    ttl_days = environment(resources, "jobs_api")["JOB_TTL_DAYS"]
    assert (str(condition["age"]), condition["matches_prefix"]) == (ttl_days, ["jobs/"])


def test_copies_are_read_by_the_api_and_made_by_one_function(resources):
    granted = {
        (one["bucket"], one["role"], one["member"])
        for one in of_type(resources, "google_storage_bucket_iam_member").values()
    }
    writer = resources["google_project_iam_custom_role.outputs_writer[0]"]

    assert granted == {
        (BUCKET, "roles/storage.objectViewer", f"serviceAccount:{account('jobs_api')}"),
        (BUCKET, writer["name"], f"serviceAccount:{account('keep_outputs')}"),
    }
    assert set(writer["permissions"]) == {"storage.objects.create", "storage.objects.get"}


@pytest.mark.parametrize("account", PUMPS)
def test_the_scheduler_says_every_minute_what_the_pump_understands(resources, account):
    job = resources[f'google_cloud_scheduler_job.ticks["{account}"]']
    (target,) = job["http_target"]
    (message,) = json.loads(base64.b64decode(target["body"]))["messages"]

    assert job["schedule"] == "* * * * *"
    assert json.loads(base64.b64decode(message["data"])) == {"account": account}
    assert target["uri"] == (
        f"https://pubsub.googleapis.com/v1/projects/a-project/topics/poll-ticks-{account}:publish"
    )


def test_everybody_publishes_only_where_it_belongs(resources):
    granted = {
        (one["member"].partition(":")[2].partition("@")[0], one["topic"].rpartition("/")[2])
        for at, one in of_type(resources, "google_pubsub_topic_iam_member").items()
        if ".dead_" not in at
    }
    ticks = {f"poll-ticks-{name}" for name in PUMPS}
    enders = {"relay-jobs-api", "relay-provider-webhook", "relay-poll-tick"}

    assert granted == {
        *((function, topic) for function in enders for topic in {*ticks, "job-completions"}),
        ("relay-deliver-callbacks", "poll-ticks-callbacks"),
        ("relay-keep-outputs", "poll-ticks-callbacks"),
        ("relay-keep-outputs", "job-completions"),
        *(("relay-scheduler", topic) for topic in ticks),
    }


def test_events_name_the_schema_that_is_told(applied):
    assert applied.outputs()["event_schema"] == pubsub.JOB_SCHEMA


def test_providers_call_back_where_the_service_is(applied, resources):
    told = resources["data.google_cloud_run_v2_service.provider_webhook"]["urls"]

    assert environment(resources, "poll_tick")["WEBHOOK_BASE_URL"] in told
    assert applied.outputs()["webhook_url"] == WEBHOOK_URL


def indexes(resources: Resources) -> set[tuple[str, ...]]:
    return {
        tuple(f"{one['field_path']} {one['array_config'] or one['order']}" for one in its["fields"])
        for its in of_type(resources, "google_firestore_index").values()
    }


def test_the_pump_finds_what_is_due(resources):
    due = (f"{document.ACCOUNT} ASCENDING", f"{document.WAKE_AT} ASCENDING")

    assert due in indexes(resources)


def test_lists_are_served_by_merging_one_index_a_filter(resources):
    filters = ("provider", "operation", "status", "providerJobId", document.METADATA_PAIRS)
    newest = {
        ("tenant ASCENDING", f"{one} {mode}", "createdAt DESCENDING")
        for one in filters
        for mode in [("ASCENDING", "CONTAINS")[one == document.METADATA_PAIRS]]
    }

    assert newest | {("tenant ASCENDING", "createdAt DESCENDING")} <= indexes(resources)


def test_lists_of_ended_jobs_are_served_by_one_index_whatever_their_filters(resources):
    by_end = {one for one in indexes(resources) if one[-1] == f"{document.FINISHED_AT} ASCENDING"}

    of_open_jobs = ("tenant ASCENDING", "account ASCENDING", "finishedAt ASCENDING")
    assert by_end - {of_open_jobs} == {("tenant ASCENDING", "finishedAt ASCENDING")}


def test_indexes_are_of_fields_that_jobs_have(resources):
    job = document.to_document(a_job(), time_to_live=timedelta(days=1))
    fields = {field.partition(" ")[0] for index in indexes(resources) for field in index}
    single = {one["field"] for one in of_type(resources, "google_firestore_field").values()}

    assert fields - {document.WAKE_AT} <= job.keys()
    assert single - {"*", document.EXPIRE_AT, document.DELIVERY_KEY} <= job.keys()
    its = of_type(resources, "google_firestore_index").values()
    assert {one["collection"] for one in its} == {firestore.JOBS}


def test_nothing_else_is_indexed_and_old_jobs_are_removed(resources):
    fields = {
        (one["collection"], one["field"]): one
        for one in of_type(resources, "google_firestore_field").values()
    }
    collections = {firestore.JOBS, firestore.ACCOUNTS, firestore.DURATIONS}

    for collection in collections:
        assert fields[collection, "*"]["index_config"] == [{"indexes": []}]
    assert [at for at, one in fields.items() if one["ttl_config"]] == [
        (firestore.JOBS, document.EXPIRE_AT)
    ]
    assert {field for at, field in fields if fields[at, field]["index_config"][0]["indexes"]} == {
        "status",
        document.DELIVERY_KEY,
    }


def test_the_database_cannot_be_deleted_by_mistake(resources):
    database = resources["google_firestore_database.relay[0]"]

    assert database["delete_protection_state"] == "DELETE_PROTECTION_ENABLED"
    assert database["deletion_policy"] == "ABANDON"


LOGGED_BY_KEEP_OUTPUTS = {"output kept", "output not kept"}


def logged_messages() -> set[str]:
    """Return every text in the functions that could be the message of a log line."""
    return {
        node.value
        for file in (ROOT / "functions").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def filters(resources: Resources) -> Iterator[str]:
    for one in of_type(resources, "google_logging_metric").values():
        yield one["filter"]
    for one in of_type(resources, "google_monitoring_alert_policy").values():
        for condition in one["conditions"]:
            yield from (its["filter"] for its in condition["condition_matched_log"])


def test_metrics_and_alerts_wait_for_lines_that_are_logged(resources):
    awaited = {
        message
        for line in filters(resources)
        for message in re.findall(r'"([^"]+)"', line.partition("jsonPayload.message=")[2])
    }

    assert {"account on hold", "job set aside", "job finished"} <= awaited
    assert awaited - logged_messages() <= LOGGED_BY_KEEP_OUTPUTS


def test_urls_with_tokens_are_not_logged_and_nothing_else_is_left_out(resources):
    (exclusion,) = of_type(resources, "google_logging_project_exclusion").values()
    only_of_callbacks = 'resource.labels.service_name="provider-webhook"'
    only_requests = 'logName="projects/a-project/logs/run.googleapis.com%2Frequests"'

    assert exclusion["filter"].split(" AND ") == [
        'resource.type="cloud_run_revision"',
        only_of_callbacks,
        only_requests,
    ]
    assert not exclusion["disabled"]


def metrics_in(text: str) -> set[str]:
    return set(
        re.findall(r"(?:googleapis\.com/user/|com:user_)(relay_[a-z_]+?)(?:_sum)?[\"\\{]", text)
    )


def test_alerts_and_the_dashboard_show_metrics_that_there_are(resources):
    made = {one["name"] for one in of_type(resources, "google_logging_metric").values()}
    dashboard = resources["google_monitoring_dashboard.relay"]["dashboard_json"]
    alerts = json.dumps(
        [one["conditions"] for one in of_type(resources, "google_monitoring_alert_policy").values()]
    )

    assert metrics_in(dashboard) | metrics_in(alerts) == made


def test_the_dashboard_has_its_tiles_side_by_side(resources):
    layout = json.loads(resources["google_monitoring_dashboard.relay"]["dashboard_json"])
    tiles = layout["mosaicLayout"]["tiles"]
    places = {(one.get("xPos", 0), one.get("yPos", 0)) for one in tiles}

    assert len(places) == len(tiles)
    assert all(x + 24 <= layout["mosaicLayout"]["columns"] for x, _ in places)


def test_every_alert_says_what_to_do_and_whom_to_tell(resources):
    (mail,) = of_type(resources, "google_monitoring_notification_channel").values()

    for alert in of_type(resources, "google_monitoring_alert_policy").values():
        assert alert["notification_channels"] == [mail["id"]]
        assert len(alert["documentation"][0]["content"]) > 100


def test_every_alert_names_its_runbook(resources):
    for alert in of_type(resources, "google_monitoring_alert_policy").values():
        named = re.fullmatch(r".+\n\nRunbook: (\S+)", alert["documentation"][0]["content"])
        assert named, alert["display_name"]
        page = (ROOT / named[1]).read_text()
        assert page.startswith(f"# {alert['display_name']}\n\n")


def queries(resources: Resources) -> dict[str, str]:
    """Return every condition in PromQL, by its title."""
    return {
        condition["display_name"]: query["query"]
        for alert in of_type(resources, "google_monitoring_alert_policy").values()
        for condition in alert["conditions"]
        for query in condition["condition_prometheus_query_language"]
    }


@pytest.mark.parametrize("pump", PUMPS)
def test_a_pump_that_never_ran_is_an_alert(resources, pump):
    query = queries(resources)[f"No pump of {pump} has finished a run for 5 minutes"]

    # Without any time series the sum is empty, and only the other side of "or" is left.
    assert query == (
        '(sum(increase(logging_googleapis_com:user_relay_pump_runs{monitored_resource="cloud_run_'
        f'revision",account="{pump}"}}[240s])) or vector(0)) < 0.5'
    )


def test_shares_are_of_metrics_by_labels_that_they_have(resources):
    moves = resources['google_logging_metric.line_counts["relay_job_moves"]']
    labels = {*moves["label_extractors"], "monitored_resource"}

    shares = [query for query in queries(resources).values() if "user_relay_job_moves{" in query]

    assert len(shares) == 3
    for query in shares:
        assert {*re.findall(r'(\w+)=~?"', query)} <= labels
        statuses = set(re.findall(r"[a-z]+", " ".join(re.findall(r'status=~?"([^"]+)"', query))))
        assert statuses <= set(Status)


@pytest.mark.parametrize(
    ("text", "is_kill"),
    [
        ("Memory limit of 512 MiB exceeded with 533 MiB used. Consider increasing it.", True),
        ("Memory limit of 244M exceeded with 245M used", True),
        ("A request was exceeded", False),
    ],
)
def test_kills_for_memory_are_told_by_the_platforms_own_line(resources, text, is_kill):
    (condition,) = resources["google_monitoring_alert_policy.memory"]["conditions"]
    (matched,) = condition["condition_matched_log"]

    wanted = re.findall(r'textPayload:"([^"]+)"', matched["filter"])

    assert wanted
    assert all(part in text for part in wanted) == is_kill


def test_the_callbacks_address_is_called_from_outside(resources):
    (check,) = of_type(resources, "google_monitoring_uptime_check_config").values()
    (http,) = check["http_check"]

    assert check["monitored_resource"][0]["labels"]["host"] == WEBHOOK_URL.removeprefix("https://")
    assert (http["path"], http["accepted_response_status_codes"][0]["status_value"]) == ("/", 405)
