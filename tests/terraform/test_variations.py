"""What changes in a deployment when a variable does."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from relay import config
from relay.domain.catalogue import CATALOGUE
from tests.terraform.hcl_files import labelled, read_folder
from tests.terraform.running import SOURCE, VARIABLES
from tests.terraform.stand_in import PROJECT_NUMBER
from tests.terraform.state import (
    FUNCTIONS,
    NOT_READ_YET,
    READERS,
    account,
    environment,
    misread,
    of_type,
    service,
)


@pytest.mark.parametrize("account", CATALOGUE)
def test_one_account_alone_needs_only_its_own_variables(fresh, account):
    keys = {account: VARIABLES["provider_keys"][account]}
    fresh.set({**VARIABLES, "accounts": {account: {}}, "provider_keys": keys})
    fresh.apply()
    resources = fresh.resources()

    for function in READERS:
        env = environment(resources, function)
        assert misread(env, function) <= NOT_READ_YET
        assert not any(other.upper() in " ".join(env) for other in CATALOGUE.keys() - {account})


def test_a_quota_can_be_changed(fresh):
    fresh.set({**VARIABLES, "accounts": {"gepetto": {"call_limit": 60}, "spacely": {}}})
    fresh.apply()

    for function in ("jobs_api", "poll_tick"):
        assert environment(fresh.resources(), function)["GEPETTO_CALLS_PER_MINUTE"] == "60"


def test_admission_can_be_changed(fresh):
    shop = next(iter(VARIABLES["api_keys"]))
    fresh.set(
        {**VARIABLES, "max_open_jobs": 70, "tenant_weights": {shop: 3}, "raw_operations": False}
    )
    fresh.apply()
    resources = fresh.resources()

    api = config.api_settings(environment(resources, "jobs_api"))
    assert (api.max_open_jobs, api.raw_operations) == (70, False)
    assert config.pump_settings(environment(resources, "poll_tick")).tenant_weights == {shop: 3}


def test_the_api_is_public_if_it_is_said(fresh):
    fresh.set({**VARIABLES, "public_api": True})
    fresh.apply()

    invokers = of_type(fresh.resources(), "google_cloud_run_v2_service_iam_member")
    assert ("jobs-api", "allUsers") in {(one["name"], one["member"]) for one in invokers.values()}


def test_nothing_is_granted_to_everybody_where_that_is_refused(fresh):
    fresh.set({**VARIABLES, "public_api": True, "grant_to_all_users": False})
    fresh.apply()

    invokers = of_type(fresh.resources(), "google_cloud_run_v2_service_iam_member").values()
    assert {one["name"] for one in invokers} == {"poll-tick", "deliver-callbacks", "keep-outputs"}
    assert "allUsers" not in {one["member"] for one in invokers}


@pytest.mark.parametrize("window_s", [0, 500])
def test_the_function_outlives_its_window_and_the_message_the_function(fresh, window_s):
    fresh.set({**VARIABLES, "tick_window_s": window_s})
    fresh.apply()
    resources = fresh.resources()

    timeout_s = service(resources, "poll_tick")["timeout_seconds"]
    (ack_s,) = {
        one["ack_deadline_seconds"]
        for one in of_type(resources, "google_pubsub_subscription").values()
        if one["push_config"]
    }
    assert window_s + 60 <= timeout_s < ack_s <= 600


@pytest.mark.parametrize(
    ("size", "cpu", "memory", "concurrency"),
    [
        ({"poll_tick_cpu": 0.08}, "0.08", "512Mi", 1),
        ({"poll_tick_cpu": 0.5, "poll_tick_memory_mib": 1024}, "0.5", "1024Mi", 1),
        ({"poll_tick_cpu": 0.583}, "0.583", "512Mi", 1),
        ({"poll_tick_cpu": 1}, "1", "512Mi", 16),
        ({"poll_tick_cpu": 2, "poll_tick_memory_mib": 4096}, "2", "4096Mi", 16),
    ],
    ids=["the least", "half", "three decimals", "one", "the most"],
)
def test_pumps_have_the_size_that_is_said(fresh, size, cpu, memory, concurrency):
    fresh.set({**VARIABLES, **size})
    fresh.apply()

    its = service(fresh.resources(), "poll_tick")
    assert (its["available_cpu"], its["available_memory"]) == (cpu, memory)
    assert its["max_instance_request_concurrency"] == concurrency
    assert int(its["environment_variables"]["THREADS"]) >= concurrency


def test_a_longer_window_gives_pumps_longer_before_they_are_missed(fresh):
    fresh.set({**VARIABLES, "tick_window_s": 500})
    fresh.apply()

    for one in fresh.resources()["google_monitoring_alert_policy.no_pump"]["conditions"]:
        (query,) = one["condition_prometheus_query_language"]
        (within_s,) = re.findall(r"\[(\d+)s\]", query["query"])
        assert int(within_s) > 500 + 60


def test_alerts_link_to_where_the_runbooks_are_published(fresh):
    fresh.set({**VARIABLES, "runbooks_url": "https://example.com/relay/docs/runbooks"})
    fresh.apply()

    for alert in of_type(fresh.resources(), "google_monitoring_alert_policy").values():
        content = alert["documentation"][0]["content"]
        assert "\n\nRunbook: https://example.com/relay/docs/runbooks/" in content


def test_without_gepetto_nobody_misses_its_webhooks(fresh):
    keys = {"spacely": VARIABLES["provider_keys"]["spacely"]}
    fresh.set({**VARIABLES, "accounts": {"spacely": {}}, "provider_keys": keys})
    fresh.apply()

    alerts = of_type(fresh.resources(), "google_monitoring_alert_policy").values()
    assert not any("Gepetto" in one["display_name"] for one in alerts)


def test_a_public_api_is_called_from_outside_too_and_webhooks_at_their_own_address(fresh):
    fresh.set(
        {**VARIABLES, "public_api": True, "webhook_base_url": "https://hooks.example.com/renders"}
    )
    fresh.apply()
    checks = of_type(fresh.resources(), "google_monitoring_uptime_check_config")

    called = {
        (
            one["monitored_resource"][0]["labels"]["host"],
            one["http_check"][0]["path"],
            one["http_check"][0]["accepted_response_status_codes"][0]["status_value"],
        )
        for one in checks.values()
    }
    assert {("hooks.example.com", "/renders/", 405)} < called
    assert {one[1:] for one in called} == {("/renders/", 405), ("/v1/providers", 401)}


def test_traces_need_one_variable_and_bring_their_rights_and_services(fresh):
    fresh.set({**VARIABLES, "cloud_trace": True, "trace_share": 0.25})
    fresh.apply()
    resources = fresh.resources()

    assert {
        (one["member"], one["role"])
        for at, one in of_type(resources, "google_project_iam_member").items()
        if ".traces" in at
    } == {
        (f"serviceAccount:{account(function)}", "roles/telemetry.tracesWriter")
        for function in FUNCTIONS
    }
    services = {one["service"] for one in of_type(resources, "google_project_service").values()}
    assert {"cloudtrace.googleapis.com", "telemetry.googleapis.com"} < services
    for function in FUNCTIONS:
        given = environment(resources, function)
        assert config.common_settings(given).traces is not None
        assert (given["OTEL_TRACES_SAMPLER"], given["OTEL_TRACES_SAMPLER_ARG"]) == (
            "traceidratio",
            "0.25",
        )


def test_a_budget_tells_of_what_was_spent_and_of_what_will_be(fresh):
    fresh.set({**VARIABLES, "budget_per_month": 200, "billing_account": "012345-6789AB-CDEF01"})
    fresh.apply()

    (budget,) = of_type(fresh.resources(), "google_billing_budget").values()
    assert budget["budget_filter"][0]["projects"] == [f"projects/{PROJECT_NUMBER}"]
    assert budget["amount"][0]["specified_amount"][0]["units"] == "200"
    assert [
        (one["threshold_percent"], one["spend_basis"]) for one in budget["threshold_rules"]
    ] == [
        (0.5, "CURRENT_SPEND"),
        (0.9, "CURRENT_SPEND"),
        (1, "CURRENT_SPEND"),
        (1, "FORECASTED_SPEND"),
    ]


def test_a_project_may_have_its_database_already(fresh):
    fresh.set({**VARIABLES, "create_database": False, "firestore_database": "renders"})
    fresh.apply()
    resources = fresh.resources()

    assert not any(at.startswith("google_firestore_database.") for at in resources)
    databases = {
        one["database"]
        for kind in ("google_firestore_index", "google_firestore_field")
        for one in of_type(resources, kind).values()
    }
    assert databases == {"renders"}
    assert environment(resources, "poll_tick")["FIRESTORE_DATABASE"] == "renders"


def test_a_rotation_gives_the_new_secret_to_those_who_have_it_before_the_old_one_goes(fresh):
    fresh.apply()
    rotated = {"webhook_keys": ["n" * 32, "w" * 32], "secret_versions": {"webhook_keys": 2}}
    fresh.set({**VARIABLES, **rotated})

    planned = fresh.run("plan", "-no-color", "-input=false").output

    assert "+/- create replacement and then destroy" in planned
    assert changed(planned) == {
        'google_secret_manager_secret_version.relay["WEBHOOK_KEYS"] must be replaced',
        'google_cloudfunctions2_function.relay["provider_webhook"] will be updated in-place',
        'google_cloudfunctions2_function.relay["poll_tick"] will be updated in-place',
    }
    assert "n" * 32 not in planned


def test_a_second_callback_key_reaches_those_who_sign_and_those_who_show_it(fresh):
    fresh.apply()
    fresh.set(
        {
            **VARIABLES,
            "callback_keys": ["c" * 32, "n" * 32],
            "secret_versions": {"callback_keys": 2},
        }
    )

    assert changed(fresh.run("plan", "-no-color", "-input=false").output) == {
        'google_secret_manager_secret_version.relay["CALLBACK_KEYS"] must be replaced',
        'google_cloudfunctions2_function.relay["jobs_api"] will be updated in-place',
        'google_cloudfunctions2_function.relay["deliver_callbacks"] will be updated in-place',
    }


def test_callbacks_can_be_switched_off(fresh):
    fresh.set({**VARIABLES, "callbacks": False, "callback_keys": []})
    fresh.apply()
    resources = fresh.resources()

    assert not any("deliver_callbacks" in at or '["callbacks"]' in at for at in resources)
    assert not any(at.startswith("google_monitoring_alert_policy.callbacks") for at in resources)
    assert "CALLBACK_KEYS" not in environment(resources, "jobs_api")
    assert "poll-ticks-callbacks" not in json.dumps(resources)


def test_outputs_need_not_be_kept(fresh):
    fresh.set({**VARIABLES, "keep_outputs": False})
    fresh.apply()
    resources = fresh.resources()

    assert environment(resources, "jobs_api")["OUTPUTS_BUCKET"] == ""
    assert not any("keep_outputs" in at for at in resources)
    assert not any(at.startswith("google_monitoring_alert_policy.copies") for at in resources)
    assert "job-completions-keep" not in json.dumps(resources)
    assert not any(at.startswith("google_storage_bucket_iam_member.") for at in resources)


def test_switching_copies_off_leaves_those_that_are_there_to_their_lifecycle(fresh):
    fresh.apply()
    fresh.set({**VARIABLES, "keep_outputs": False})

    planned = changed(fresh.run("plan", "-no-color", "-input=false").output)

    assert "google_pubsub_subscription.results[0] will be destroyed" in planned
    assert not any("google_storage_bucket.outputs" in one for one in planned)


@pytest.mark.parametrize("ttl_days", [1, 90])
def test_copies_stay_as_long_as_their_jobs(fresh, ttl_days):
    fresh.set({**VARIABLES, "job_ttl_days": ttl_days})
    fresh.apply()

    (rule,) = fresh.resources()["google_storage_bucket.outputs"]["lifecycle_rule"]
    assert rule["condition"][0]["age"] == ttl_days


def test_new_api_keys_need_no_number(fresh):
    fresh.apply()
    fresh.set({**VARIABLES, "api_keys": {"shop": ["3" * 64]}})

    assert changed(fresh.run("plan", "-no-color", "-input=false").output) == {
        'google_secret_manager_secret_version.relay["API_KEYS"] must be replaced',
        'google_cloudfunctions2_function.relay["jobs_api"] will be updated in-place',
    }


def test_a_secret_given_anew_without_a_new_number_changes_nothing(fresh):
    fresh.apply()
    fresh.set({**VARIABLES, "webhook_keys": ["n" * 32]})

    assert changed(fresh.run("plan", "-no-color", "-input=false").output) == set()


def changed(planned: str) -> set[str]:
    """Return what a plan says of each resource that it would change."""
    says = re.findall(r"^  # (google_\S+ (?:must|will) be [^\n]*)$", planned, re.MULTILINE)
    return {one for one in says if "read during apply" not in one}


SECRET_VARIABLES = ("provider_keys", "webhook_keys", "callback_keys")


def test_the_example_can_be_applied_as_it_is(fresh):
    fresh.forget_variables()
    (fresh.folder / "terraform.tfvars.example").rename(fresh.folder / "terraform.tfvars")
    secrets = {name: json.dumps(VARIABLES[name]) for name in SECRET_VARIABLES}
    by_hand = replace(
        fresh, env={**fresh.env, **{f"TF_VAR_{name}": value for name, value in secrets.items()}}
    )

    assert "Apply complete!" in by_hand.apply()


REFUSED: dict[str, dict[str, Any]] = {
    "The project_id must be": {"project_id": "My Project"},
    "The region must be": {"region": "europe-west1-b"},
    "The accounts must be": {"accounts": {"ikea": {}}},
    "Each call_limit must be": {"accounts": {"gepetto": {"call_limit": 0}, "spacely": {}}},
    "Each base_url must be": {"accounts": {"gepetto": {"base_url": "http://x"}, "spacely": {}}},
    "The provider_keys must hold": {"provider_keys": {"gepetto": "key"}},
    "Each of the provider_keys": {"provider_keys": {"gepetto": " key", "spacely": "key"}},
    "The webhook_keys must be one": {"webhook_keys": ["a" * 32, "b" * 32, "c" * 32]},
    "Each of the webhook_keys": {"webhook_keys": ["short"]},
    "The callback_keys must be one": {"callback_keys": []},
    "Each of the callback_keys": {"callback_keys": ["short"]},
    "The secret_versions must be": {"secret_versions": {"api_keys": 2}},
    "Each of the secret_versions": {"secret_versions": {"gepetto": 1.5}},
    "The api_keys must name": {"api_keys": {}},
    "The api_keys must hold": {"api_keys": {"shop": ["a key"]}},
    "No two tenants": {"api_keys": {"shop": ["0" * 64], "studio": ["0" * 64]}},
    "The api_invokers must be": {"api_invokers": ["allUsers"]},
    "The webhook_base_url must be": {"webhook_base_url": "http://example.com"},
    "The firestore_database must be": {"firestore_database": "Renders"},
    "The completions_topic must be": {"completions_topic": "google-completions"},
    "The ticks_topic must be": {"ticks_topic": "x"},
    "The tick_window_s must be": {"tick_window_s": 501},
    "The poll_tick_cpu must be": {"poll_tick_cpu": 1.5},
    "The poll_tick_memory_mib must be": {"poll_tick_memory_mib": 256},
    "The poll_tick_memory_mib above": {"poll_tick_memory_mib": 1024, "poll_tick_cpu": 0.4},
    "The max_open_jobs must be": {"max_open_jobs": 0},
    "The tenant_weights must be": {"tenant_weights": {"nobody": 2}},
    "Each of the tenant_weights": {"tenant_weights": {"shop": 101}},
    "The job_ttl_days must be": {"job_ttl_days": 0},
    "The completions_retention_days must be": {"completions_retention_days": 32},
    "The log_level must be": {"log_level": "WARNING"},
    "The trace_share must be": {"trace_share": 1.5},
    "The min_instances must be": {"min_instances": -1},
    "The alert_emails must be": {"alert_emails": ["nobody"]},
    "The runbooks_url must be": {"runbooks_url": "http://example.com/runbooks"},
    "The budget_per_month must be": {
        "budget_per_month": 0,
        "billing_account": "012345-6789AB-CDEF01",
    },
    "The budget_per_month needs": {"budget_per_month": 100},
    "The billing_account must be": {"billing_account": "my-account"},
    "The notification_channels must be": {"notification_channels": ["7"]},
}


@pytest.mark.parametrize("complaint", REFUSED)
def test_a_wrong_value_is_refused_in_words(fresh, complaint):
    fresh.set({**VARIABLES, **REFUSED[complaint]})

    result = fresh.run("plan", "-no-color", "-input=false", "-refresh=false")

    assert result.code == 1
    assert complaint in result.output


def test_every_validation_was_seen_to_refuse():
    complaints = [
        validation["error_message"].strip('"')
        for variable in labelled(read_folder(SOURCE), "variable").values()
        for validation in variable.get("validation", [])
    ]

    assert len(complaints) == len(REFUSED)
    for complaint in complaints:
        assert any(complaint.startswith(one) for one in REFUSED), complaint


@pytest.mark.parametrize(
    ("file", "written", "planted", "complaint"),
    [
        ("functions.tf", "= each.value.timeout_s", '= "soon"', "a number is required"),
        ("functions.tf", "= var.region", "= var.regoin", "undeclared input variable"),
        ("topics.tf", "ticks[each.key].id", "tocks[each.key].id", "undeclared resource"),
        ("outputs.tf", "dashboard.relay.id", "dashboard.relay.uri", "no argument, nested block"),
    ],
    ids=["wrong type", "unknown variable", "unknown resource", "unknown result"],
)
def test_terraform_itself_finds_what_is_wrong(fresh, file, written, planted, complaint):
    path = fresh.folder / file
    text = path.read_text()
    assert written in text
    path.write_text(text.replace(written, planted, 1))

    result = fresh.run("validate", "-no-color")

    assert result.code == 1
    assert complaint in " ".join(result.output.split())
