output "api_url" {
  description = "Where jobs_api answers."
  value       = google_cloudfunctions2_function.relay["jobs_api"].service_config[0].uri
}

output "webhook_url" {
  description = "What the callback addresses given to providers begin with."
  value       = local.webhook_base_url
}

output "completions_topic" {
  description = "The topic to subscribe to for completion events."
  value       = google_pubsub_topic.completions.id
}

output "event_schema" {
  description = "The name of the schema of an event's data, as each event has it in ce-dataschema."
  value       = "urn:render-relay:schema:job:1"
}

output "dead_letter_subscriptions" {
  description = "Where ticks that failed again and again are kept, by account."
  value       = { for name, subscription in google_pubsub_subscription.dead_ticks : name => subscription.id }
}

output "service_accounts" {
  description = "The identity of each function."
  value       = { for name, account in google_service_account.function : name => account.email }
}

output "dashboard" {
  description = "The dashboard's name in Cloud Monitoring."
  value       = google_monitoring_dashboard.relay.id
}
