"""Every block and argument is one that the providers have, by their real schemas."""

import hcl2
import pytest

from tests.terraform.hcl_files import declared, misfits, read_folder
from tests.terraform.running import SOURCE


def test_everything_fits_the_providers_schemas(schemas):
    files = read_folder(SOURCE)

    assert len(declared(files)) > 30
    assert misfits(files, schemas) == []


def test_the_versions_that_are_required_are_those_that_were_checked(schemas):
    versions = (SOURCE / "versions.tf").read_text()

    for schema in schemas.values():
        newest = ".".join(schema.version.split(".")[:2])
        assert f'version = "~> {newest}"' in versions


def test_the_locked_versions_are_those_that_were_checked(schemas):
    lock = hcl2.loads((SOURCE / ".terraform.lock.hcl").read_text())
    locked = {
        address.strip('"').rpartition("/")[2]: its["version"].strip('"')
        for one in lock["provider"]
        for address, its in one.items()
    }

    assert locked == {name: schema.version for name, schema in schemas.items()}


@pytest.mark.parametrize(
    ("file", "written", "planted", "complaint"),
    [
        pytest.param(
            "topics.tf",
            "ack_deadline_seconds       = 60",
            "ack_deadline_s = 60",
            "resource google_pubsub_subscription.dead_ticks: ack_deadline_s: no such argument",
            id="unknown argument",
        ),
        pytest.param(
            "functions.tf",
            "available_memory ",
            "available_ram ",
            "resource google_cloudfunctions2_function.relay: service_config: available_ram: "
            "no such argument",
            id="unknown argument in a block",
        ),
        pytest.param(
            "functions.tf",
            "        project_id = var.project_id\n",
            "",
            "resource google_cloudfunctions2_function.relay: service_config: "
            "secret_environment_variables: project_id: missing",
            id="missing argument in a dynamic block",
        ),
        pytest.param(
            "scheduler.tf",
            "  name             = each.value\n",
            "",
            "resource google_cloud_scheduler_job.ticks: name: missing",
            id="missing argument",
        ),
        pytest.param(
            "secrets.tf",
            "  replication {\n    auto {}\n  }\n",
            "",
            "resource google_secret_manager_secret.relay: replication: missing",
            id="missing block",
        ),
        pytest.param(
            "topics.tf",
            "  retry_policy {",
            "  retries {",
            "resource google_pubsub_subscription.ticks: retries: no such block",
            id="unknown block",
        ),
        pytest.param(
            "functions.tf",
            'dynamic "secret_environment_variables"',
            'dynamic "secret_variables"',
            "resource google_cloudfunctions2_function.relay: service_config: secret_variables: "
            "no such block",
            id="unknown dynamic block",
        ),
        pytest.param(
            "topics.tf",
            'resource "google_pubsub_topic" "completions"',
            'resource "google_pubsub_queue" "completions"',
            "resource google_pubsub_queue.completions: no such type",
            id="unknown resource type",
        ),
        pytest.param(
            "services.tf",
            'data "google_project" "this"',
            'data "google_projekt" "this"',
            "data google_projekt.this: no such type",
            id="unknown data source",
        ),
        pytest.param(
            "functions.tf",
            "    location = var.region\n  }\n\n  assert",
            "    region = var.region\n  }\n\n  assert",
            "data google_cloud_run_v2_service.provider_webhook: region: no such argument",
            id="unknown argument in a check",
        ),
        pytest.param(
            "firestore.tf",
            "  ttl_config {}\n",
            "  ttl_config = {}\n",
            "resource google_firestore_field.expiry: ttl_config: is a block, not an argument",
            id="block written as an argument",
        ),
        pytest.param(
            "identities.tf",
            '  display_name = "Render Relay: builds the functions"\n',
            '  email = "me@example.com"\n',
            "resource google_service_account.build: email: a result, not an argument",
            id="result given",
        ),
        pytest.param(
            "topics.tf",
            "  retry_policy {",
            '  expiration_policy {\n    ttl = "86400s"\n  }\n\n  retry_policy {',
            "resource google_pubsub_subscription.ticks: expiration_policy: more than one",
            id="block given twice",
        ),
        pytest.param(
            "versions.tf",
            "  default_labels =",
            "  labels =",
            "provider google: labels: no such argument",
            id="unknown argument of the provider",
        ),
    ],
)
def test_what_does_not_fit_is_found(schemas, tmp_path, file, written, planted, complaint):
    text = (SOURCE / file).read_text()
    assert written in text
    (tmp_path / file).write_text(text.replace(written, planted, 1))

    assert complaint in misfits(read_folder(tmp_path), schemas)
