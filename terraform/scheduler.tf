resource "google_cloud_scheduler_job" "ticks" {
  for_each = local.ticks_topics

  name             = each.value
  region           = var.region
  description      = "Wakes the pump of ${each.key}."
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "30s"

  # Publishes as an identity that may do nothing else; a Pub/Sub target would use the scheduler's
  # service agent, which may publish to every topic of the project.
  http_target {
    uri         = "https://pubsub.googleapis.com/v1/${google_pubsub_topic.ticks[each.key].id}:publish"
    http_method = "POST"
    headers     = { "Content-Type" = "application/json" }
    body = base64encode(jsonencode({
      messages = [{ data = base64encode(jsonencode({ account = each.key })) }]
    }))

    oauth_token {
      service_account_email = google_service_account.scheduler.email
      scope                 = "https://www.googleapis.com/auth/pubsub"
    }
  }

  # One retry is enough: the next tick comes within a minute.
  retry_config {
    retry_count          = 1
    min_backoff_duration = "5s"
    max_backoff_duration = "10s"
  }

  depends_on = [google_pubsub_topic_iam_member.scheduler]
}
