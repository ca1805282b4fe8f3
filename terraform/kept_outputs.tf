# The copies of outputs (contract, section 5b): their bucket, who may touch it, and what wakes
# keep_outputs. The bucket is there also if keep_outputs is false: so switching it off deletes
# nothing at once, and its lifecycle empties it.
resource "google_storage_bucket" "outputs" {
  #checkov:skip=CKV_GCP_62:Pictures are read through the API, which logs each request; usage logs would name every job.
  #checkov:skip=CKV_GCP_78:A copy is written once and never changed; old versions would outlive their jobs.
  name                        = "${var.project_id}-render-relay-outputs"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # A destroy stops here while there are pictures.
  force_destroy = false

  versioning {
    enabled = false
  }

  # What is deleted is gone: no copy outlives its job.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  # A copy is made after its job has ended, so it goes no sooner than the job.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = var.job_ttl_days
      matches_prefix = ["jobs/"]
    }
  }

  depends_on = [time_sleep.services]
}

# keep_outputs writes each object once, on condition that it is not there. If it is (412), it compares
# checksums, and reading an object's metadata takes storage.objects.get. roles/storage.objectCreator
# would not have that; every role that does may list, too.
resource "google_project_iam_custom_role" "outputs_writer" {
  count = var.keep_outputs ? 1 : 0

  role_id     = "renderRelayOutputsWriter"
  title       = "Writer of Render Relay's outputs"
  description = "Creates objects and reads single ones; may not list, replace or delete any."
  permissions = ["storage.objects.create", "storage.objects.get"]

  depends_on = [time_sleep.services]
}

resource "google_storage_bucket_iam_member" "outputs" {
  for_each = var.keep_outputs ? {
    jobs_api     = "roles/storage.objectViewer"
    keep_outputs = google_project_iam_custom_role.outputs_writer[0].name
  } : {}

  bucket = google_storage_bucket.outputs.name
  role   = each.value
  member = google_service_account.function[each.key].member
}

resource "google_pubsub_subscription" "results" {
  count = var.keep_outputs ? 1 : 0

  name                       = "${var.completions_topic}-keep"
  topic                      = google_pubsub_topic.completions.id
  ack_deadline_seconds       = local.push_ack_deadline_s
  message_retention_duration = "604800s"
  retain_acked_messages      = false
  enable_message_ordering    = false

  # By type, not by status: the event that outputs were kept has the status succeeded, too.
  filter = join(" OR ", [
    for type in ["succeeded", "late_result"] : "attributes.ce-type = \"com.renderrelay.job.${type}\""
  ])

  push_config {
    push_endpoint = google_cloudfunctions2_function.relay["keep_outputs"].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.relay["keep_outputs"].service_config[0].uri
    }
  }

  # A hundred tries with these pauses take most of a day.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_results[0].id
    max_delivery_attempts = 100
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.push,
    google_service_account_iam_member.push_tokens,
  ]
}

resource "google_pubsub_topic" "dead_results" {
  #checkov:skip=CKV_GCP_83:Google's default encryption is enough; jobs hold links to pictures, no credentials.
  count = var.keep_outputs ? 1 : 0

  name                       = "${var.completions_topic}-keep-dead-letters"
  message_retention_duration = "604800s"

  depends_on = [time_sleep.services]
}

resource "google_pubsub_subscription" "dead_results" {
  count = var.keep_outputs ? 1 : 0

  name                       = "${var.completions_topic}-keep-dead-letters"
  topic                      = google_pubsub_topic.dead_results[0].id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"
  retain_acked_messages      = false

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub's service agent moves the dead letters.
resource "google_pubsub_topic_iam_member" "dead_results" {
  count = var.keep_outputs ? 1 : 0

  topic  = google_pubsub_topic.dead_results[0].id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent

  depends_on = [time_sleep.pubsub_agent]
}

resource "google_pubsub_subscription_iam_member" "dead_results" {
  count = var.keep_outputs ? 1 : 0

  subscription = google_pubsub_subscription.results[0].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent

  depends_on = [time_sleep.pubsub_agent]
}
