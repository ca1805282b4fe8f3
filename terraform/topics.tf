resource "google_pubsub_topic" "completions" {
  #checkov:skip=CKV_GCP_83:Google's default encryption is enough; jobs hold links to pictures, no credentials.
  name                       = var.completions_topic
  message_retention_duration = "${var.completions_retention_days * 86400}s"

  # No Pub/Sub schema; docs/decisions/0007 says why. Each event names its schema, which is
  # docs/schemas/job.schema.json.
  labels = {
    event-schema = "render-relay-job-1"
  }

  depends_on = [time_sleep.services]
}

resource "google_pubsub_topic" "ticks" {
  #checkov:skip=CKV_GCP_83:A tick says nothing but the name of an account.
  for_each = local.ticks_topics

  name                       = each.value
  message_retention_duration = "3600s"

  depends_on = [time_sleep.services]
}

resource "google_pubsub_topic" "dead_ticks" {
  #checkov:skip=CKV_GCP_83:A tick says nothing but the name of an account.
  for_each = local.ticks_topics

  name                       = "${each.value}-dead-letters"
  message_retention_duration = "604800s"

  depends_on = [time_sleep.services]
}

resource "google_pubsub_subscription" "ticks" {
  for_each = local.ticks_topics

  name                       = "${each.value}-push"
  topic                      = google_pubsub_topic.ticks[each.key].id
  ack_deadline_seconds       = local.push_ack_deadline_s
  message_retention_duration = "3600s"
  retain_acked_messages      = false
  enable_message_ordering    = false

  push_config {
    push_endpoint = google_cloudfunctions2_function.relay[local.pumps[each.key]].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.relay[local.pumps[each.key]].service_config[0].uri
    }
  }

  # Five tries of at most two minutes, with these pauses, fit into the retention.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_ticks[each.key].id
    max_delivery_attempts = 5
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.push,
    google_service_account_iam_member.push_tokens,
  ]
}

resource "google_pubsub_subscription" "dead_ticks" {
  for_each = local.ticks_topics

  name                       = "${each.value}-dead-letters"
  topic                      = google_pubsub_topic.dead_ticks[each.key].id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"
  retain_acked_messages      = false

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub's service agent moves the dead letters.
resource "google_pubsub_topic_iam_member" "dead_ticks" {
  for_each = local.ticks_topics

  topic  = google_pubsub_topic.dead_ticks[each.key].id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent

  depends_on = [time_sleep.pubsub_agent]
}

resource "google_pubsub_subscription_iam_member" "dead_ticks" {
  for_each = local.ticks_topics

  subscription = google_pubsub_subscription.ticks[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent

  depends_on = [time_sleep.pubsub_agent]
}
