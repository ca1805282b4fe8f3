locals {
  log_lines_of_functions = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=(${join(" OR ", [for name in values(local.function_names) : "\"${name}\""])})",
  ])

  # Counts of log lines, by some of their fields.
  line_counts = {
    relay_jobs_created = {
      description = "Jobs created."
      messages    = ["job created"]
      labels      = ["provider", "operation", "tenant"]
    }
    relay_job_moves = {
      description = "Jobs that moved to a state; for failed jobs, code says why."
      messages    = ["job moved", "job finished"]
      labels      = ["provider", "status", "by", "code"]
    }
    relay_pump_runs = {
      description = "Finished pump runs."
      messages    = ["pump done"]
      labels      = ["account"]
    }
    relay_account_stops = {
      description = "Holds, pauses and outages of accounts that began; a prolonged pause counts again."
      messages    = ["account on hold", "provider throttled", "provider down"]
      labels      = ["account", "message"]
    }
    relay_breakers_opened = {
      description = "Tenants' circuit breakers that opened, pausing their submissions."
      messages    = ["tenant's breaker opened"]
      labels      = ["account", "tenant"]
    }
    relay_quotas_reached = {
      description = "Creates refused because a tenant has too many open jobs, counted once per instance, tenant and account in 5 seconds."
      messages    = ["quota reached"]
      labels      = ["account", "tenant"]
    }
    relay_callback_attempts = {
      description = "Attempts to deliver a callback; callback failed was the last one of an event."
      messages    = ["callback delivered", "callback not delivered", "callback failed"]
      labels      = ["tenant", "message"]
    }
    relay_outputs_decided = {
      description = "Outputs that were copied into the bucket, or given up."
      messages    = ["output kept", "output not kept"]
      labels      = ["message"]
    }
    relay_events_unpublished = {
      description = "Attempts to publish an event that failed, or whose success could not be recorded."
      messages    = ["event not published", "event left to the pump"]
      labels      = []
    }
  }

  # Distributions of numbers in log lines, by some of their fields.
  line_numbers = {
    relay_job_seconds = {
      description = "Time from a job's creation to its end."
      message     = "job finished"
      field       = "seconds"
      unit        = "s"
      labels      = ["provider", "status"]
      bounds      = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600, 86400]
    }
    relay_oldest_due_seconds = {
      description = "How overdue the oldest due job was when a pump run found it. Jobs that wait for their turn are not due."
      message     = "pump done"
      field       = "oldest_due_s"
      unit        = "s"
      labels      = ["account"]
      bounds      = [1, 5, 15, 30, 60, 120, 180, 300, 600, 1800, 3600, 21600]
    }
    relay_provider_calls = {
      description = "Calls made to the provider in a run."
      message     = "pump done"
      field       = "calls"
      unit        = "1"
      labels      = ["account"]
      bounds      = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
    }
    relay_queued_jobs = {
      description = "Queued jobs that a run had read but not sent when it ended: the heads of the queue, not all of it."
      message     = "pump done"
      field       = "queued"
      unit        = "1"
      labels      = ["account"]
      bounds      = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    }
  }
}

# Cloud Run logs the URL of each request, and a provider's callback has its token in there. Excluded
# from the project's _Default bucket; a sink of your own needs the same exclusion.
resource "google_logging_project_exclusion" "callback_urls" {
  name        = "relay-callback-urls"
  description = "Request logs of provider_webhook: their URLs contain tokens."
  filter = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=\"${local.function_names.provider_webhook}\"",
    "logName=\"projects/${var.project_id}/logs/run.googleapis.com%2Frequests\"",
  ])

  depends_on = [time_sleep.services]
}

resource "google_logging_metric" "line_counts" {
  for_each = local.line_counts

  name        = each.key
  description = each.value.description
  filter      = "${local.log_lines_of_functions} AND jsonPayload.message=(${join(" OR ", [for message in each.value.messages : "\"${message}\""])})"

  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_logging_metric" "line_numbers" {
  for_each = local.line_numbers

  name            = each.key
  description     = each.value.description
  filter          = "${local.log_lines_of_functions} AND jsonPayload.message=\"${each.value.message}\""
  value_extractor = "EXTRACT(jsonPayload.${each.value.field})"

  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  bucket_options {
    explicit_buckets {
      bounds = each.value.bounds
    }
  }

  depends_on = [time_sleep.services]
}
