output "api_url" {
  description = "URL of jobs_api."
  value       = google_cloudfunctions2_function.relay["jobs_api"].service_config[0].uri
}

output "webhook_url" {
  description = "The beginning of all callback URLs given to providers."
  value       = local.webhook_base_url
}

output "completions_topic" {
  description = "Topic to subscribe to for completion events."
  value       = google_pubsub_topic.completions.id
}

output "event_schema" {
  description = "The schema URI of event data, as in each event's ce-dataschema."
  value       = "urn:render-relay:schema:job:1"
}

output "outputs_bucket" {
  description = "The bucket with the copies of outputs."
  value       = google_storage_bucket.outputs.name
}

output "dead_letter_subscriptions" {
  description = "The subscriptions that keep what failed repeatedly: ticks, by account, and the events of results that keep_outputs gave up."
  value = merge(
    { for name, subscription in google_pubsub_subscription.dead_ticks : name => subscription.id },
    { for subscription in google_pubsub_subscription.dead_results : "keep_outputs" => subscription.id },
  )
}

output "service_accounts" {
  description = "The identity of each function."
  value       = { for name, account in google_service_account.function : name => account.email }
}

output "dashboard" {
  description = "The dashboard's name in Cloud Monitoring."
  value       = google_monitoring_dashboard.relay.id
}
