resource "google_cloud_scheduler_job" "ticks" {
  for_each = local.accounts

  name             = each.value.ticks_topic
  region           = var.region
  description      = "Wakes the pump of ${each.key}."
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "30s"

  # Published as an identity that may do nothing else; with a Pub/Sub target it would be the
  # scheduler's own account, which may publish to every topic of the project.
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

  # The next minute brings another tick.
  retry_config {
    retry_count          = 1
    min_backoff_duration = "5s"
    max_backoff_duration = "10s"
  }

  depends_on = [google_pubsub_topic_iam_member.scheduler]
}
