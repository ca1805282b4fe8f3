locals {
  common_variables = merge({
    GOOGLE_CLOUD_PROJECT = var.project_id
    FIRESTORE_DATABASE   = var.firestore_database
    COMPLETIONS_TOPIC    = var.completions_topic
    TICKS_TOPIC          = var.ticks_topic
    JOB_TTL_DAYS         = tostring(var.job_ttl_days)
    LOG_LEVEL            = var.log_level
  }, local.trace_variables)

  # All functions decide by the trace's id, and so alike; what the front end has sampled, at most one
  # request in 10 s of an instance, does not count (Cloud Run, "Use distributed tracing").
  trace_variables = merge({ CLOUD_TRACE = var.cloud_trace ? "1" : "0" }, !var.cloud_trace ? {} : {
    OTEL_TRACES_SAMPLER     = "traceidratio"
    OTEL_TRACES_SAMPLER_ARG = tostring(var.trace_share)
  })

  account_variables = merge(
    { ACCOUNTS = join(",", keys(local.accounts)) },
    { for account in values(local.accounts) : account.limit_variable => tostring(account.call_limit) },
  )

  # What calls the URLs that callers and providers name.
  guarded_calls_variables = { ALLOW_LOCAL_URLS = "0" }

  functions = {
    for name, function in local.all_functions : name => function
    if lookup(local.is_deployed, name, true)
  }

  all_functions = {
    jobs_api = {
      description = "Creates, reads, lists, cancels and retries jobs."
      memory      = "512Mi"
      cpu         = "1"
      concurrency = 80
      # A submission in Gepetto's shape may block for 300 s and then fetch its picture.
      timeout_s     = 400
      min_instances = var.min_instances
      max_instances = 20
      ingress       = "ALLOW_ALL"
      variables = merge(
        local.account_variables,
        local.guarded_calls_variables,
        {
          MAX_OPEN_JOBS  = tostring(var.max_open_jobs)
          OUTPUTS_BUCKET = var.keep_outputs ? google_storage_bucket.outputs.name : ""
          RAW_OPERATIONS = var.raw_operations ? "1" : "0"
        },
      )
      secrets      = concat(["API_KEYS"], var.callbacks ? ["CALLBACK_KEYS"] : [])
      publishes_to = concat(["completions"], keys(local.pumps))
    }
    provider_webhook = {
      description   = "Receives the providers' callbacks."
      memory        = "512Mi"
      cpu           = "1"
      concurrency   = 80
      timeout_s     = 60
      min_instances = var.min_instances
      max_instances = 20
      ingress       = "ALLOW_ALL"
      variables     = {}
      secrets       = ["WEBHOOK_KEYS"]
      publishes_to  = concat(["completions"], keys(local.pumps))
    }
    poll_tick = {
      description = "Sends, polls and ends all due jobs of one provider account."
      memory      = "${var.poll_tick_memory_mib}Mi"
      cpu         = tostring(var.poll_tick_cpu)
      # A tick that finds a pump running returns at once. It needs no instance of its own, unless
      # there is too little CPU for Cloud Run to let two requests into one.
      concurrency   = var.poll_tick_cpu < 1 ? 1 : 16
      timeout_s     = ceil(var.tick_window_s) + local.after_window_s
      min_instances = 0
      max_instances = var.poll_tick_cpu < 1 ? 10 : 4
      ingress       = "ALLOW_INTERNAL_ONLY"
      variables = merge(
        local.account_variables,
        { for name, account in local.accounts : "${upper(name)}_BASE_URL" => account.base_url },
        {
          TENANT_WEIGHTS   = jsonencode(var.tenant_weights)
          TICK_WINDOW_S    = tostring(var.tick_window_s)
          WEBHOOK_BASE_URL = local.webhook_base_url
        },
      )
      secrets      = concat(["WEBHOOK_KEYS"], values(local.accounts)[*].key_variable)
      publishes_to = concat(["completions"], keys(local.pumps))
    }
    deliver_callbacks = {
      description = "Posts the events of jobs to their callers' own URLs."
      memory      = "512Mi"
      cpu         = "1"
      # As poll_tick: a tick that finds a pump running returns at once.
      concurrency   = 16
      timeout_s     = ceil(var.tick_window_s) + local.after_window_s
      min_instances = 0
      max_instances = 4
      ingress       = "ALLOW_INTERNAL_ONLY"
      variables = merge(
        local.guarded_calls_variables,
        { TICK_WINDOW_S = tostring(var.tick_window_s) },
      )
      secrets      = ["CALLBACK_KEYS"]
      publishes_to = [for name in keys(local.pumps) : name if name == "callbacks"]
    }
    keep_outputs = {
      description   = "Copies the results of jobs into the outputs' bucket."
      memory        = "512Mi"
      cpu           = "1"
      concurrency   = 4 # Each holds one picture of up to 25 MiB, twice while it comes.
      timeout_s     = local.push_ack_deadline_s - 60
      min_instances = 0
      max_instances = 20
      ingress       = "ALLOW_INTERNAL_ONLY"
      variables = merge(
        local.guarded_calls_variables,
        { OUTPUTS_BUCKET = google_storage_bucket.outputs.name },
      )
      secrets      = []
      publishes_to = concat(["completions"], [for name in keys(local.pumps) : name if name == "callbacks"])
    }
  }
}

resource "google_cloudfunctions2_function" "relay" {
  #checkov:skip=CKV_GCP_124:Callers and providers are outside; the other functions are internal, since only Pub/Sub calls them.
  for_each = local.functions

  name        = local.function_names[each.key]
  location    = var.region
  description = each.value.description
  labels      = { version = local.version_label }

  build_config {
    runtime           = "python311"
    entry_point       = each.key
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.images.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.function[each.key].email
    available_memory                 = each.value.memory
    available_cpu                    = each.value.cpu
    max_instance_request_concurrency = each.value.concurrency
    timeout_seconds                  = each.value.timeout_s
    min_instance_count               = each.value.min_instances
    max_instance_count               = each.value.max_instances
    ingress_settings                 = each.value.ingress
    all_traffic_on_latest_revision   = true

    environment_variables = merge(
      local.common_variables,
      each.value.variables,
      # The framework's default is 4 threads per CPU. With 1, gunicorn is another kind of server.
      { THREADS = tostring(max(each.value.concurrency, 2)) },
    )

    dynamic "secret_environment_variables" {
      for_each = toset(each.value.secrets)
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = google_secret_manager_secret.relay[secret_environment_variables.key].secret_id
        version    = google_secret_manager_secret_version.relay[secret_environment_variables.key].version
      }
    }
  }

  depends_on = [
    google_firestore_database.relay,
    google_firestore_field.indexed,
    google_firestore_index.jobs,
    google_logging_project_exclusion.callback_urls,
    google_project_iam_member.documents,
    google_pubsub_topic_iam_member.functions,
    google_project_iam_member.traces,
    google_storage_bucket_iam_member.outputs,
    time_sleep.grants,
  ]
}

check "webhook_address" {
  data "google_cloud_run_v2_service" "provider_webhook" {
    name     = google_cloudfunctions2_function.relay["provider_webhook"].name
    location = var.region
  }

  assert {
    condition = var.webhook_base_url != null || contains(
      data.google_cloud_run_v2_service.provider_webhook.urls,
      local.webhook_base_url,
    )
    error_message = "The address that is given to providers is not one that Cloud Run gave to provider_webhook; set webhook_base_url to one of the service's addresses."
  }
}
