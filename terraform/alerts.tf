locals {
  channels = concat(
    tolist(var.notification_channels),
    [for channel in google_monitoring_notification_channel.mail : channel.id],
  )

  # Where the pages of docs/runbooks are read.
  runbooks = coalesce(var.runbooks_url, "docs/runbooks")

  # Each of these lines calls for a person.
  line_alerts = {
    account_on_hold = {
      title    = "Render Relay: account on hold"
      runbook  = "account-on-hold"
      severity = "CRITICAL"
      message  = "account on hold"
      fields   = ["account", "code"]
      text     = "The provider refuses the account: provider_auth means a wrong key, provider_out_of_credits that credits have run out. Jobs wait, and nothing is lost before their deadlines. The relay probes after 30 s and then at gaps that double up to 10 minutes, each time with a different job; \"account off hold\" is logged once a probe is answered. Buy credits, or put the right key into provider_keys and raise its number in secret_versions."
    }
    provider_throttled = {
      title    = "Render Relay: provider throttled"
      runbook  = "provider-throttled"
      severity = "ERROR"
      message  = "provider throttled"
      fields   = ["account"]
      text     = "The provider answered 429 although the relay stays below the documented limit, and Spacely blocks accounts that keep calling. All calls of the account pause for the provider's Retry-After, or for one window, doubling up to 5 minutes; then a single call probes. Look for something else that uses the same key, or ask the provider whether it has lowered the limit, and set call_limit in accounts to what is left for the relay."
    }
    provider_down = {
      title    = "Render Relay: provider down"
      runbook  = "provider-down"
      severity = "ERROR"
      message  = "provider down"
      fields   = ["account"]
      text     = "Two tenants' submissions repeatedly got 500, 502 or 504, timed out or were reset, so the account submits one job at a time, after 30 s and then at gaps that double up to 10 minutes. Polls continue. \"provider back\" is logged once a submission is answered. Look at the provider's status page. Some jobs may be unconfirmed; all others wait, and fail as not_sent_in_time if the outage outlasts their time."
    }
    job_set_aside = {
      title    = "Render Relay: job set aside"
      runbook  = "job-set-aside"
      severity = "ERROR"
      message  = "job set aside"
      fields   = ["account", "why"]
      text     = "A job's document cannot be parsed, or a step on it raised an error. The job is left alone for 6 hours, or until its deadline, so that it does not block others. The line names the job; \"job step broke\" before it has the traceback."
    }
  }
}

resource "google_monitoring_notification_channel" "mail" {
  for_each = var.alert_emails

  display_name = "Render Relay: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [time_sleep.services]
}

resource "google_monitoring_alert_policy" "lines" {
  for_each = local.line_alerts

  display_name          = each.value.title
  severity              = each.value.severity
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "\"${each.value.message}\" was logged"
    condition_matched_log {
      filter           = "${local.log_lines_of_functions} AND jsonPayload.message=\"${each.value.message}\""
      label_extractors = { for field in each.value.fields : field => "EXTRACT(jsonPayload.${field})" }
    }
  }

  alert_strategy {
    auto_close = "3600s"
    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.text}\n\nRunbook: ${local.runbooks}/${each.value.runbook}.md"
  }

  depends_on = [time_sleep.services]
}

resource "google_monitoring_alert_policy" "overdue" {
  display_name          = "Render Relay: jobs are not worked on in time"
  severity              = "ERROR"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "A job was due more than 2 minutes ago"
    condition_threshold {
      # A receiver that does not answer makes its own callbacks late, which is no fault of the relay.
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.line_numbers["relay_oldest_due_seconds"].name}\" AND resource.type=\"cloud_run_revision\" AND metric.labels.account!=\"callbacks\""
      comparison      = "COMPARISON_GT"
      threshold_value = 120
      duration        = "120s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
        group_by_fields      = ["metric.label.account"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "More polls come due than the provider's limit allows: see \"Calls to ..., against its limit\" on the dashboard. Or Firestore or the provider is slow. Queued jobs that wait for their turn do not cause this alert.\n\nRunbook: ${local.runbooks}/jobs-are-not-worked-on-in-time.md"
  }

  depends_on = [time_sleep.metrics]
}

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "Render Relay: dead letters"
  severity              = "ERROR"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "A tick was given up"
    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=one_of(${join(",", [for subscription in google_pubsub_subscription.dead_ticks : "\"${subscription.name}\""])})"
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.subscription_id"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "poll_tick or deliver_callbacks failed 5 times on one tick, usually because Firestore did not answer. No work is lost, and the next tick comes within a minute: find the cause in the logs, then clear the dead letters.\n\nRunbook: ${local.runbooks}/dead-letters.md"
  }
}

resource "google_monitoring_alert_policy" "unpublished" {
  display_name          = "Render Relay: events are not published"
  severity              = "ERROR"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "More than 3 tries failed within 10 minutes"
    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.line_counts["relay_events_unpublished"].name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 3
      duration        = "0s"
      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Jobs have ended, but the completions topic does not accept their events: check that it exists and that the functions may publish to it. The documents keep the events, and pumps retry at least every 10 minutes.\n\nRunbook: ${local.runbooks}/events-are-not-published.md"
  }

  depends_on = [time_sleep.metrics]
}

resource "google_monitoring_alert_policy" "callbacks" {
  count = var.callbacks ? 1 : 0

  display_name          = "Render Relay: callbacks fail"
  severity              = "WARNING"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "A tenant's callback was given up"
    condition_threshold {
      filter          = "${local.callback_attempts} AND metric.labels.message=\"callback failed\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.tenant"]
      }
    }
  }

  conditions {
    display_name = "More than 20 attempts to reach a tenant failed within 10 minutes"
    condition_threshold {
      filter          = "${local.callback_attempts} AND metric.labels.message=\"callback not delivered\""
      comparison      = "COMPARISON_GT"
      threshold_value = 20
      duration        = "0s"
      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.tenant"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The label tenant says whose receiver does not take callbacks. Nobody else waits for it. Each event is tried again 9 times over three days, then it is given up as \"callback failed\", at once if the receiver answers 410. Tell the tenant; once its receiver works, what was given up can be delivered again (POST /v1/jobs/{id}/redeliver).\n\nRunbook: ${local.runbooks}/callbacks-fail.md"
  }

  depends_on = [time_sleep.metrics]
}

resource "google_monitoring_alert_policy" "copies" {
  count = var.keep_outputs ? 1 : 0

  display_name          = "Render Relay: outputs not kept"
  severity              = "ERROR"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "keep_outputs gave up a result"
    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_results[0].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.subscription_id"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "A result could not be copied for most of a day: the provider's host, the bucket or Firestore did not answer. The job still shows the provider's URL, which may soon stop working. Save what is still there, then clear the dead letters.\n\nRunbook: ${local.runbooks}/outputs-not-kept.md"
  }
}

resource "google_monitoring_alert_policy" "server_errors" {
  display_name          = "Render Relay: server errors"
  severity              = "ERROR"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "More than 5 % of a function's answers are 5xx other than 501"
    condition_threshold {
      # 501 tells callers that something is not supported yet: nothing is broken.
      filter             = "${local.requests_of_functions} AND metric.labels.response_code_class=\"5xx\" AND metric.labels.response_code!=\"501\""
      denominator_filter = local.requests_of_functions
      comparison         = "COMPARISON_GT"
      threshold_value    = 0.05
      duration           = "300s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }
      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "503 means that Firestore does not answer; callers and Pub/Sub retry. 500 is a bug or a missing variable: the log has the traceback, or one line that names every variable.\n\nRunbook: ${local.runbooks}/server-errors.md"
  }

  depends_on = [time_sleep.services]
}

locals {
  callback_attempts = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.line_counts["relay_callback_attempts"].name}\" AND resource.type=\"cloud_run_revision\""

  requests_of_functions = join(" AND ", [
    "metric.type=\"run.googleapis.com/request_count\"",
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=one_of(${join(",", [for name in values(local.function_names) : "\"${name}\""])})",
  ])
}
