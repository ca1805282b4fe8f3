locals {
  services = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "firestore.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    var.budget_per_month == null ? [] : ["billingbudgets.googleapis.com"],
    # The Telemetry API takes traces; it drops them where the other one is not enabled.
    var.cloud_trace ? ["cloudtrace.googleapis.com", "telemetry.googleapis.com"] : [],
  ))
}

resource "google_project_service" "needed" {
  for_each = local.services

  service            = each.key
  disable_on_destroy = false
}

# Read while planning, so that nothing that is named by the project's number is replaced when a
# service is added. The first deployment enables the Resource Manager for it beforehand.
data "google_project" "this" {
  project_id = var.project_id
}
