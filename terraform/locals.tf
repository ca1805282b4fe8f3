locals {
  # By entry point. A function's Cloud Run service has the function's name.
  function_names = {
    jobs_api          = "jobs-api"
    provider_webhook  = "provider-webhook"
    poll_tick         = "poll-tick"
    deliver_callbacks = "deliver-callbacks"
    keep_outputs      = "keep-outputs"
  }

  # Functions that are left out if their feature is switched off.
  is_deployed = {
    deliver_callbacks = var.callbacks
    keep_outputs      = var.keep_outputs
  }

  # As the providers document; the same as in functions/relay/domain/catalogue.
  provider_facts = {
    gepetto = {
      base_url       = "https://europe-west1-gepettoai.cloudfunctions.net/v1"
      call_limit     = 120
      window_s       = 60
      limit_variable = "GEPETTO_CALLS_PER_MINUTE"
    }
    spacely = {
      base_url       = "https://api.spacely.ai/api/v1"
      call_limit     = 100
      window_s       = 1
      limit_variable = "SPACELY_CALLS_PER_SECOND"
    }
  }

  accounts = {
    for name, account in var.accounts : name => {
      base_url       = coalesce(account.base_url, local.provider_facts[name].base_url)
      call_limit     = coalesce(account.call_limit, local.provider_facts[name].call_limit)
      window_s       = local.provider_facts[name].window_s
      limit_variable = local.provider_facts[name].limit_variable
      key_variable   = "${upper(name)}_API_KEY"
    }
  }

  # The function that runs each pump, by what the pump's ticks name: an account, or the callbacks.
  pumps = merge(
    { for name in keys(local.accounts) : name => "poll_tick" },
    { for name in ["callbacks"] : name => "deliver_callbacks" if var.callbacks },
  )

  ticks_topics = { for name in keys(local.pumps) : name => "${var.ticks_topic}-${name}" }

  # Time for the work after the window: calls in flight, the store's retry budget, the lease.
  after_window_s = 65

  # On a push subscription this is also the request's timeout; 600 is the maximum.
  push_ack_deadline_s = 600

  project_number = data.google_project.this.number

  # The URL that Cloud Run gives a service of this name, known before the service exists.
  webhook_base_url = coalesce(
    var.webhook_base_url,
    "https://${local.function_names.provider_webhook}-${local.project_number}.${var.region}.run.app",
  )

  # Said in one place; a label's value has no dots.
  version       = regex("[0-9]+[.][0-9]+[.][0-9]+", file("${path.module}/../functions/relay/__init__.py"))
  version_label = replace(local.version, ".", "-")
}
