locals {
  counted = {
    for title, chart in {
      "Jobs coming into each state"           = { metric = "relay_job_moves", by = ["metric.label.status"] }
      "Jobs created by provider"              = { metric = "relay_jobs_created", by = ["metric.label.provider"] }
      "Jobs created by tenant"                = { metric = "relay_jobs_created", by = ["metric.label.tenant"] }
      "What ended jobs"                       = { metric = "relay_job_moves", by = ["metric.label.by"], only = " AND metric.labels.status=one_of(\"succeeded\",\"failed\",\"cancelled\")" }
      "How jobs ended by provider"            = { metric = "relay_job_moves", by = ["metric.label.provider", "metric.label.status"], only = " AND metric.labels.status=one_of(\"succeeded\",\"failed\",\"cancelled\")" }
      "Why jobs failed"                       = { metric = "relay_job_moves", by = ["metric.label.provider", "metric.label.code"], only = " AND metric.labels.status=\"failed\"" }
      "Holds, pauses and outages of accounts" = { metric = "relay_account_stops", by = ["metric.label.account", "metric.label.message"], unit = "times" }
      "Breakers opened by tenant"             = { metric = "relay_breakers_opened", by = ["metric.label.account", "metric.label.tenant"], unit = "times" }
      "Callbacks by outcome"                  = { metric = "relay_callback_attempts", by = ["metric.label.message"], unit = "attempts" }
      "Callbacks that failed by tenant"       = { metric = "relay_callback_attempts", by = ["metric.label.tenant"], only = " AND metric.labels.message!=\"callback delivered\"", unit = "attempts" }
      "Outputs kept and not kept"             = { metric = "relay_outputs_decided", by = ["metric.label.message"], unit = "outputs" }
      "Quotas reached by tenant"              = { metric = "relay_quotas_reached", by = ["metric.label.account", "metric.label.tenant"], unit = "times" }
      } : title => {
      filter      = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.line_counts[chart.metric].name}\" AND resource.type=\"cloud_run_revision\"${lookup(chart, "only", "")}"
      aligner     = "ALIGN_DELTA"
      reducer     = "REDUCE_SUM"
      by          = chart.by
      plot        = "STACKED_BAR"
      thresholds  = []
      unit_legend = lookup(chart, "unit", "jobs")
    }
  }

  spread = {
    for title, chart in {
      "Time to completion, half of the jobs"      = { metric = "relay_job_seconds", aligner = "ALIGN_PERCENTILE_50", by = ["metric.label.provider"], unit = "seconds" }
      "Time to completion, 95 % of the jobs"      = { metric = "relay_job_seconds", aligner = "ALIGN_PERCENTILE_95", by = ["metric.label.provider"], unit = "seconds" }
      "Queue age: how overdue the oldest job was" = { metric = "relay_oldest_due_seconds", aligner = "ALIGN_PERCENTILE_99", by = ["metric.label.account"], unit = "seconds", threshold = 120 }
      "Queued jobs in hand when a pump ended"     = { metric = "relay_queued_jobs", aligner = "ALIGN_PERCENTILE_99", by = ["metric.label.account"], unit = "jobs" }
      } : title => {
      filter      = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.line_numbers[chart.metric].name}\" AND resource.type=\"cloud_run_revision\""
      aligner     = chart.aligner
      reducer     = "REDUCE_MAX"
      by          = chart.by
      plot        = "LINE"
      thresholds  = [for value in [lookup(chart, "threshold", null)] : { value = value } if value != null]
      unit_legend = chart.unit
    }
  }

  platform = {
    "Answers by class" = {
      filter      = local.requests_of_functions
      aligner     = "ALIGN_DELTA"
      reducer     = "REDUCE_SUM"
      by          = ["resource.label.service_name", "metric.label.response_code_class"]
      plot        = "STACKED_BAR"
      thresholds  = []
      unit_legend = "requests"
    }
    "Dead letters" = {
      filter      = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=one_of(${join(",", [for subscription in concat(values(google_pubsub_subscription.dead_ticks), google_pubsub_subscription.dead_results) : "\"${subscription.name}\""])})"
      aligner     = "ALIGN_MAX"
      reducer     = "REDUCE_SUM"
      by          = ["resource.label.subscription_id"]
      plot        = "LINE"
      thresholds  = []
      unit_legend = "messages"
    }
  }

  charts = concat(
    [
      for title, chart in merge(local.counted, local.spread, local.platform) : {
        title = title
        xyChart = {
          dataSets = [{
            plotType   = chart.plot
            targetAxis = "Y1"
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter = chart.filter
                aggregation = {
                  alignmentPeriod    = "60s"
                  perSeriesAligner   = chart.aligner
                  crossSeriesReducer = chart.reducer
                  groupByFields      = chart.by
                }
              }
            }
          }]
          thresholds = chart.thresholds
          yAxis      = { label = chart.unit_legend, scale = "LINEAR" }
        }
      }
    ],
    [
      for name, account in local.accounts : {
        title = "Calls to ${name}, in ${account.window_s} s, against its limit"
        xyChart = {
          dataSets = [{
            plotType   = "LINE"
            targetAxis = "Y1"
            timeSeriesQuery = {
              # Only PromQL can query the sum of a distribution.
              prometheusQuery = "${account.window_s} * sum(rate(logging_googleapis_com:user_${google_logging_metric.line_numbers["relay_provider_calls"].name}_sum{monitored_resource=\"cloud_run_revision\",account=\"${name}\"}[5m]))"
            }
          }]
          thresholds = [{ value = account.call_limit }]
          yAxis      = { label = "calls", scale = "LINEAR" }
        }
      }
    ],
  )
}

resource "google_monitoring_dashboard" "relay" {
  dashboard_json = jsonencode({
    displayName = "Render Relay"
    mosaicLayout = {
      columns = 48
      tiles = [
        for place, widget in local.charts : {
          xPos   = place % 2 * 24
          yPos   = floor(place / 2) * 16
          width  = 24
          height = 16
          widget = widget
        }
      ]
    }
  })

  depends_on = [time_sleep.services]
}
