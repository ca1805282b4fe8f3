# Calls from outside, answered before the store is asked. They tell a function that was closed to
# strangers, or does not start, from one that answers.
locals {
  public_addresses = merge(
    {
      provider_webhook = {
        url    = local.webhook_base_url
        path   = ""
        status = 405
        says   = "method_not_allowed"
      }
    },
    {
      for name in ["jobs_api"] : name => {
        url    = google_cloudfunctions2_function.relay[name].service_config[0].uri
        path   = "/v1/providers"
        status = 401
        says   = "unauthenticated"
      } if var.public_api
    },
  )
}

resource "google_monitoring_uptime_check_config" "public" {
  for_each = local.public_addresses

  display_name = "Render Relay: ${each.key}"
  period       = "300s"
  timeout      = "30s"

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project_id
      host       = regex("^https://([^/]+)", each.value.url)[0]
    }
  }

  http_check {
    path         = "${try(regex("^https://[^/]+(/.*)$", each.value.url)[0], "")}${each.value.path == "" ? "/" : each.value.path}"
    port         = 443
    use_ssl      = true
    validate_ssl = true

    accepted_response_status_codes {
      status_value = each.value.status
    }
  }

  content_matchers {
    content = each.value.says
    matcher = "CONTAINS_STRING"
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.api,
    google_cloud_run_v2_service_iam_member.callbacks,
    google_cloudfunctions2_function.relay,
  ]
}

resource "google_monitoring_alert_policy" "uptime" {
  display_name          = "Render Relay: a public address does not answer"
  severity              = "CRITICAL"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  dynamic "conditions" {
    for_each = google_monitoring_uptime_check_config.public
    content {
      display_name = "${conditions.key} fails from several regions"
      condition_threshold {
        filter          = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND resource.type=\"uptime_url\" AND metric.labels.check_id=\"${conditions.value.uptime_check_id}\""
        comparison      = "COMPARISON_GT"
        threshold_value = 1
        duration        = "300s"
        aggregations {
          alignment_period     = "600s"
          per_series_aligner   = "ALIGN_NEXT_OLDER"
          cross_series_reducer = "REDUCE_COUNT_FALSE"
          group_by_fields      = ["resource.label.host"]
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Calls from outside fail, or are not answered by the function itself: it was closed to strangers (403), does not start (5xx), or its domain is broken.\n\nRunbook: ${local.runbooks}/a-public-address-does-not-answer.md"
  }
}
