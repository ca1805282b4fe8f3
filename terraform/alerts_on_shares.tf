# Alerts that compare counts, or must also fire where nothing was ever counted, which a condition on a
# metric's absence does not: it needs one value first. So these are written in PromQL.
locals {
  runs  = "logging_googleapis_com:user_${google_logging_metric.line_counts["relay_pump_runs"].name}"
  moves = "logging_googleapis_com:user_${google_logging_metric.line_counts["relay_job_moves"].name}"

  # A pump logs a run when it ends: once a window, or once a minute if that is shorter.
  no_run_within_s = max(240, ceil(var.tick_window_s) + 185)

  share_alerts = merge(
    {
      many_jobs_fail = {
        title    = "Render Relay: many jobs fail"
        severity = "ERROR"
        when     = "More than a quarter of a provider's jobs failed, at least 10 within 30 minutes"
        part     = "status=\"failed\""
        whole    = "status=~\"succeeded|failed\""
        above    = 0.25
        at_least = 10
        text     = "See \"Why jobs failed\" on the dashboard: the code says whether callers, the provider or its limit are the reason."
        runbook  = "many-jobs-fail"
      }
      many_jobs_unconfirmed = {
        title    = "Render Relay: many jobs are unconfirmed"
        severity = "ERROR"
        when     = "More than 5 % of a provider's submissions are unconfirmed, at least 5 within 30 minutes"
        part     = "status=\"unconfirmed\""
        whole    = "status=\"submitting\""
        above    = 0.05
        at_least = 5
        text     = "Submissions end without saying whether the provider took the job, and each may have been bought: the provider breaks connections or answers 5xx, or pumps die while they call."
        runbook  = "many-jobs-are-unconfirmed"
      }
    },
    {
      for name in keys(local.accounts) : "webhooks_missing" => {
        title    = "Render Relay: Gepetto's webhooks are missing"
        severity = "WARNING"
        when     = "More than half of Gepetto's results were found by polling, at least 5 within 30 minutes"
        part     = "provider=\"gepetto\",status=\"succeeded\",by=\"poll\""
        whole    = "provider=\"gepetto\",status=\"succeeded\""
        above    = 0.5
        at_least = 5
        text     = "Jobs still end, but later: provider_webhook cannot be reached from outside, has another address than Gepetto was given, or Gepetto does not call."
        runbook  = "gepettos-webhooks-are-missing"
      } if name == "gepetto"
    },
  )
}

resource "google_monitoring_alert_policy" "no_pump" {
  display_name          = "Render Relay: no pump works"
  severity              = "CRITICAL"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  dynamic "conditions" {
    for_each = local.pumps
    content {
      display_name = "No pump of ${conditions.key} has finished a run for 5 minutes"
      condition_prometheus_query_language {
        query                     = "(sum(increase(${local.runs}{monitored_resource=\"cloud_run_revision\",account=\"${conditions.key}\"}[${local.no_run_within_s}s])) or vector(0)) < 0.5"
        duration                  = "120s"
        evaluation_interval       = "60s"
        disable_metric_validation = true
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Ticks do not come, do not arrive, or poll-tick (for callbacks: deliver-callbacks) fails. Jobs wait meanwhile. It also fires where no pump has ever worked.\n\nRunbook: ${local.runbooks}/no-pump-works.md"
  }

  # Last, so that a first apply is no alert.
  depends_on = [
    google_cloud_scheduler_job.ticks,
    google_pubsub_subscription.ticks,
  ]
}

resource "google_monitoring_alert_policy" "shares" {
  for_each = local.share_alerts

  display_name          = each.value.title
  severity              = each.value.severity
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = each.value.when
    condition_prometheus_query_language {
      query = join(" ", [
        "sum by (provider) (increase(${local.moves}{monitored_resource=\"cloud_run_revision\",${each.value.part}}[30m]))",
        "/ sum by (provider) (increase(${local.moves}{monitored_resource=\"cloud_run_revision\",${each.value.whole}}[30m]))",
        "> ${each.value.above}",
        "and sum by (provider) (increase(${local.moves}{monitored_resource=\"cloud_run_revision\",${each.value.part}}[30m]))",
        "> ${each.value.at_least - 0.5}",
      ])
      duration                  = "0s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.text}\n\nRunbook: ${local.runbooks}/${each.value.runbook}.md"
  }
}

resource "google_monitoring_alert_policy" "quota" {
  display_name          = "Render Relay: quota reached"
  severity              = "WARNING"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "Creates of a tenant were refused"
    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.line_counts["relay_quotas_reached"].name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.tenant", "metric.label.account"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The tenant has max_open_jobs open jobs in the account. Its creates get a 429 with Retry-After; nobody else is affected.\n\nRunbook: ${local.runbooks}/quota-reached.md"
  }

  depends_on = [time_sleep.metrics]
}

resource "google_monitoring_alert_policy" "memory" {
  display_name          = "Render Relay: a function was killed for its memory"
  severity              = "ERROR"
  combiner              = "OR"
  enabled               = true
  notification_channels = local.channels

  conditions {
    display_name = "Cloud Run logged that a memory limit was exceeded"
    condition_matched_log {
      filter           = "${local.log_lines_of_functions} AND textPayload:\"Memory limit of\" AND textPayload:\"exceeded\""
      label_extractors = { service = "EXTRACT(resource.labels.service_name)" }
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
    content   = "The instance was killed with all it was doing. No job is lost or sent twice, but callers got a 503 and calls in flight are unconfirmed. Every function should stay under 300 MiB.\n\nRunbook: ${local.runbooks}/a-function-was-killed-for-its-memory.md"
  }

  depends_on = [time_sleep.services]
}
