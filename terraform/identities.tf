resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = "relay-${local.function_names[each.key]}"
  display_name = "Render Relay: ${each.key}"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "push" {
  account_id   = "relay-push"
  display_name = "Render Relay: pushes Pub/Sub's messages to the functions"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "scheduler" {
  account_id   = "relay-scheduler"
  display_name = "Render Relay: publishes a tick every minute"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "build" {
  account_id   = "relay-build"
  display_name = "Render Relay: builds the functions"

  depends_on = [time_sleep.services]
}

# All functions read and write documents in this one database.
resource "google_project_iam_member" "documents" {
  for_each = local.functions

  project = var.project_id
  role    = "roles/datastore.user"
  member  = google_service_account.function[each.key].member

  condition {
    title      = "only-this-database"
    expression = "resource.name == \"projects/${var.project_id}/databases/${var.firestore_database}\""
  }
}

resource "google_project_iam_member" "traces" {
  for_each = { for name, function in local.functions : name => function if var.cloud_trace }

  project = var.project_id
  role    = "roles/telemetry.tracesWriter"
  member  = google_service_account.function[each.key].member
}

# Whoever publishes events wakes the callbacks' pump. No function but these three wakes a pump that
# spends credits.
resource "google_pubsub_topic_iam_member" "functions" {
  for_each = merge([
    for function, its in local.functions : {
      for topic in its.publishes_to : "${function}/${topic}" => { function = function, topic = topic }
    }
  ]...)

  topic = (
    each.value.topic == "completions"
    ? google_pubsub_topic.completions.id
    : google_pubsub_topic.ticks[each.value.topic].id
  )
  role   = "roles/pubsub.publisher"
  member = google_service_account.function[each.value.function].member
}

resource "google_secret_manager_secret_iam_member" "functions" {
  for_each = merge([
    for function, its in local.functions : {
      for secret in its.secrets : "${function}/${secret}" => { function = function, secret = secret }
    }
  ]...)

  secret_id = google_secret_manager_secret.relay[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}

resource "google_pubsub_topic_iam_member" "scheduler" {
  for_each = local.ticks_topics

  topic  = google_pubsub_topic.ticks[each.key].id
  role   = "roles/pubsub.publisher"
  member = google_service_account.scheduler.member
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = toset([for name in ["poll_tick", "deliver_callbacks", "keep_outputs"] : name if contains(keys(local.functions), name)])

  name     = google_cloudfunctions2_function.relay[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

moved {
  from = google_cloud_run_v2_service_iam_member.push
  to   = google_cloud_run_v2_service_iam_member.push["poll_tick"]
}

resource "google_cloud_run_v2_service_iam_member" "callbacks" {
  #checkov:skip=CKV_GCP_102:Providers call back without credentials; the URL carries a token that is checked.
  count = var.grant_to_all_users ? 1 : 0

  name     = google_cloudfunctions2_function.relay["provider_webhook"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "api" {
  #checkov:skip=CKV_GCP_102:Open to everybody only with public_api; API keys are checked either way.
  for_each = var.public_api ? toset([for one in ["allUsers"] : one if var.grant_to_all_users]) : var.api_invokers

  name     = google_cloudfunctions2_function.relay["jobs_api"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}

# Pub/Sub's service agent signs pushes as the push identity.
resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.pubsub_agent

  depends_on = [time_sleep.pubsub_agent]
}

resource "google_project_iam_member" "build" {
  for_each = {
    logs   = { role = "roles/logging.logWriter", condition = null }
    source = { role = "roles/storage.objectViewer", condition = local.build_buckets }
  }

  project = var.project_id
  role    = each.value.role
  member  = google_service_account.build.member

  dynamic "condition" {
    for_each = each.value.condition == null ? [] : [each.value.condition]
    content {
      title      = "only-sources-of-functions"
      expression = condition.value
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "build" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

locals {
  pubsub_agent = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # Cloud Functions copies the archive into its own bucket and builds from there.
  build_buckets = join(" || ", [
    "resource.name.startsWith(\"projects/_/buckets/${var.project_id}-render-relay-source\")",
    "resource.name.startsWith(\"projects/_/buckets/gcf-v2-\")",
  ])
}
