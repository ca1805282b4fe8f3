# Google answers "done" before all of Google knows. Where the next step would be refused for that, it
# waits; each wait passes once, and again only when something is added to what it waits for.

# A service that was just enabled refuses calls for about a minute (403, SERVICE_DISABLED), and its
# service agent is made in that time.
resource "time_sleep" "services" {
  create_duration = "60s"

  triggers = { services = join(",", local.services) }

  depends_on = [google_project_service.needed]
}

# Pub/Sub's service agent is there only after the project's first use of Pub/Sub; a grant to it is
# refused until then (400, "does not exist").
resource "time_sleep" "pubsub_agent" {
  create_duration = "60s"

  depends_on = [google_pubsub_topic.completions]
}

# Cloud Build and Cloud Run check what they need when a function is deployed, and a grant usually takes
# two minutes to arrive (403). See IAM, Access change propagation.
resource "time_sleep" "grants" {
  create_duration = "120s"

  triggers = { secrets = join(",", keys(google_secret_manager_secret_iam_member.functions)) }

  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.build,
    google_secret_manager_secret_iam_member.functions,
  ]
}

# An alert on a metric that was made less than ten minutes ago is refused (404, "Cannot find metric(s)").
# See hashicorp/terraform-provider-google, issue 11102.
resource "time_sleep" "metrics" {
  create_duration = "600s"

  triggers = {
    metrics = join(",", concat(
      keys(google_logging_metric.line_counts),
      keys(google_logging_metric.line_numbers),
    ))
  }
}
