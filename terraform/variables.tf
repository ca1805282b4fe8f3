variable "project_id" {
  type        = string
  description = "Id of the Google Cloud project to deploy to."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "The project_id must be a project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "region" {
  type        = string
  description = "Region of the functions, the scheduler and the source bucket, such as europe-west1."

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "The region must be a region such as europe-west1, not a zone or a multi-region."
  }
}

variable "labels" {
  type        = map(string)
  description = "Labels for every resource that takes labels, in addition to app = render-relay."
  default     = {}
}

variable "accounts" {
  type = map(object({
    base_url   = optional(string)
    call_limit = optional(number)
  }))
  description = "The provider accounts that are switched on. For each, base_url is the URL of its API and call_limit the number of calls the provider allows (gepetto: in 60 seconds, spacely: in 1 second); values left out are as the provider documents them."
  default = {
    gepetto = {}
    spacely = {}
  }

  validation {
    condition     = length(var.accounts) > 0 && length(setsubtract(keys(var.accounts), ["gepetto", "spacely"])) == 0
    error_message = "The accounts must be gepetto, spacely or both."
  }

  validation {
    condition     = alltrue([for account in values(var.accounts) : account.call_limit == null ? true : account.call_limit >= 1 && floor(account.call_limit) == account.call_limit])
    error_message = "Each call_limit must be a whole number of calls, at least 1."
  }

  validation {
    condition     = alltrue([for account in values(var.accounts) : account.base_url == null ? true : can(regex("^https://[^\\s/?#]+[^\\s?#]*$", account.base_url))])
    error_message = "Each base_url must be an https URL without a query."
  }
}

variable "provider_keys" {
  type        = map(string)
  description = "The provider's API key for each account that is switched on. A key is written to Secret Manager when its number in secret_versions changes, and is never in the plan or the state."
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = length(setsubtract(keys(var.accounts), keys(var.provider_keys))) == 0
    error_message = "The provider_keys must hold a key for every account in accounts."
  }

  validation {
    condition     = alltrue([for key in values(var.provider_keys) : key == trimspace(key) && key != ""])
    error_message = "Each of the provider_keys must be a key without spaces around it."
  }
}

variable "webhook_keys" {
  type        = list(string)
  description = "The secrets that sign callback URLs, at least 32 characters each. The first signs new URLs; a second one is still accepted during a rotation. They are written to Secret Manager when their number in secret_versions changes, and are never in the plan or the state."
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = length(var.webhook_keys) == 1 || length(var.webhook_keys) == 2
    error_message = "The webhook_keys must be one secret, or two during a rotation: the new one first."
  }

  validation {
    condition     = alltrue([for key in var.webhook_keys : can(regex("^[^\\s,]{32,}$", key))])
    error_message = "Each of the webhook_keys must be at least 32 characters long, without spaces and commas."
  }
}

variable "callbacks" {
  type        = bool
  description = "Whether jobs may have a callbackUrl, to which deliver_callbacks posts their events; true needs callback_keys. With false the function is not deployed, and what is still to be delivered waits until it is again."
  default     = true
}

variable "callback_keys" {
  type        = list(string)
  description = "The secrets that each tenant's secret for checking callbacks is made from, at least 32 characters each. Every one of them signs each callback; a second one is needed only during a rotation. They are written to Secret Manager when their number in secret_versions changes, and are never in the plan or the state."
  default     = []
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = !var.callbacks || length(var.callback_keys) == 1 || length(var.callback_keys) == 2
    error_message = "The callback_keys must be one secret, or two during a rotation, unless callbacks is false."
  }

  validation {
    condition     = alltrue([for key in var.callback_keys : can(regex("^[^\\s,]{32,}$", key))])
    error_message = "Each of the callback_keys must be at least 32 characters long, without spaces and commas."
  }
}

variable "keep_outputs" {
  type        = bool
  description = "Whether results are copied into a bucket of this project, where they stay as long as their jobs. With false keep_outputs is not deployed, and copies that are there can no longer be read through the API."
  default     = true
}

variable "secret_versions" {
  type        = map(number)
  description = "A version number for webhook_keys, for callback_keys and for each account, 1 by default. Raising a number writes the current value as a new secret version and deploys it to the functions; otherwise given values are ignored."
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.secret_versions), concat(["webhook_keys", "callback_keys"], keys(var.accounts)))) == 0
    error_message = "The secret_versions must be numbers for webhook_keys, callback_keys or for accounts that are switched on."
  }

  validation {
    condition     = alltrue([for number in values(var.secret_versions) : number >= 1 && floor(number) == number])
    error_message = "Each of the secret_versions must be a whole number, at least 1."
  }
}

variable "api_keys" {
  type        = map(list(string))
  description = "The SHA-256 digests, in lower-case hex, of the API keys of each tenant. Terraform never sees the keys themselves. A change takes effect with the next apply."

  validation {
    condition     = length(var.api_keys) > 0 && alltrue([for tenant, digests in var.api_keys : tenant != "" && length(digests) > 0])
    error_message = "The api_keys must name at least one tenant, and hold at least one digest for each."
  }

  validation {
    condition     = alltrue([for digest in flatten(values(var.api_keys)) : can(regex("^[0-9a-f]{64}$", digest))])
    error_message = "The api_keys must hold SHA-256 digests of 64 lower-case hex digits, not the keys themselves."
  }

  validation {
    condition     = length(distinct(flatten(values(var.api_keys)))) == length(flatten([for digests in values(var.api_keys) : distinct(digests)]))
    error_message = "No two tenants in api_keys may share a key."
  }
}

variable "public_api" {
  type        = bool
  description = "Whether jobs_api is open to everybody. API keys are checked either way. With false, Cloud Run takes the Authorization header for an identity token of its own, and callers send the API key as X-API-KEY; code that was written for Gepetto sends its key as Authorization, so it needs true."
  default     = false
}

variable "grant_to_all_users" {
  type        = bool
  description = "Whether to open what is public by a grant to allUsers: provider_webhook, and jobs_api with public_api. Organisations with domain-restricted sharing refuse such grants; with false, open the services as docs/operations.md says."
  default     = true
}

variable "api_invokers" {
  type        = set(string)
  description = "Who may call jobs_api if public_api is false, as IAM members such as serviceAccount:shop@my-project.iam.gserviceaccount.com."
  default     = []

  validation {
    condition     = alltrue([for member in var.api_invokers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):", member))])
    error_message = "The api_invokers must be IAM members with their kind in front, such as group:team@example.com; to let everybody in, set public_api."
  }
}

variable "webhook_base_url" {
  type        = string
  description = "Public URL of provider_webhook if it has its own domain; null for its Cloud Run URL. Jobs sent before a change are called back at the old URL."
  default     = null

  validation {
    condition     = var.webhook_base_url == null ? true : can(regex("^https://[^\\s/?#]+[^\\s?#]*$", var.webhook_base_url))
    error_message = "The webhook_base_url must be an https URL without a query."
  }
}

variable "create_database" {
  type        = bool
  description = "Whether to create the Firestore database; false if the project already has it. Indexes and field settings are created either way."
  default     = true
}

variable "firestore_database" {
  type        = string
  description = "Id of the Firestore database, in native mode."
  default     = "(default)"

  validation {
    condition     = var.firestore_database == "(default)" || can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", var.firestore_database))
    error_message = "The firestore_database must be (default), or 4 to 63 lower-case letters, digits and hyphens."
  }
}

variable "firestore_location" {
  type        = string
  description = "Location of the Firestore database, such as europe-west1 or eur3; null for the region. It cannot be changed later."
  default     = null
}

variable "completions_topic" {
  type        = string
  description = "Name of the topic for completion events."
  default     = "job-completions"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9._~+%-]{2,200}$", var.completions_topic)) && !startswith(var.completions_topic, "goog")
    error_message = "The completions_topic must be a topic's name: at least 3 letters, digits and hyphens, starting with a letter but not with goog."
  }
}

variable "ticks_topic" {
  type        = string
  description = "Prefix of the tick topics' names, before the hyphen and the account."
  default     = "poll-ticks"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9._~+%-]{2,200}$", var.ticks_topic)) && !startswith(var.ticks_topic, "goog")
    error_message = "The ticks_topic must be the beginning of a topic's name: at least 3 letters, digits and hyphens, starting with a letter but not with goog."
  }
}

variable "tick_window_s" {
  type        = number
  description = "How long one run of poll_tick or deliver_callbacks may work, in seconds; 0 makes one pass over what is due."
  default     = 55

  validation {
    condition     = var.tick_window_s >= 0 && var.tick_window_s <= 500
    error_message = "The tick_window_s must be a number of seconds from 0 to 500."
  }
}

variable "poll_tick_cpu" {
  type        = number
  description = "How many vCPUs an instance of poll_tick has. 0.3 is enough for Gepetto's limit and for half a million jobs a day at Spacely; 1 uses all of Spacely's limit. Below 1, Cloud Run lets an instance take one request at a time, so each account's pump has an instance of its own."
  default     = 0.3

  validation {
    condition     = contains([1, 2], var.poll_tick_cpu) || (var.poll_tick_cpu >= 0.08 && var.poll_tick_cpu < 1 && abs(var.poll_tick_cpu * 1000 - floor(var.poll_tick_cpu * 1000 + 0.5)) < 0.000001)
    error_message = "The poll_tick_cpu must be 1, 2, or from 0.08 to 0.999 with at most three decimals."
  }
}

variable "poll_tick_memory_mib" {
  type        = number
  description = "How much memory an instance of poll_tick has, in MiB. It uses less than 300, whatever tenants send."
  default     = 512

  validation {
    condition     = var.poll_tick_memory_mib >= 512 && var.poll_tick_memory_mib <= 4096 && floor(var.poll_tick_memory_mib) == var.poll_tick_memory_mib
    error_message = "The poll_tick_memory_mib must be a whole number of MiB from 512 to 4096."
  }

  validation {
    condition     = var.poll_tick_cpu >= 1 || var.poll_tick_memory_mib <= (var.poll_tick_cpu >= 0.5 ? 1024 : 512)
    error_message = "The poll_tick_memory_mib above 512 needs half a vCPU in poll_tick_cpu, and above 1024 a whole one."
  }
}

variable "max_open_jobs" {
  type        = number
  description = "How many open jobs a tenant may have in one provider account; further creates get a 429."
  default     = 5000

  validation {
    condition     = var.max_open_jobs >= 1 && floor(var.max_open_jobs) == var.max_open_jobs
    error_message = "The max_open_jobs must be a whole number of jobs, at least 1."
  }
}

variable "tenant_weights" {
  type        = map(number)
  description = "The weight of each tenant whose weight is not 1: while both have jobs waiting, a tenant of weight 2 gets twice as many submissions as one of weight 1."
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.tenant_weights), keys(var.api_keys))) == 0
    error_message = "The tenant_weights must be of tenants that are in api_keys."
  }

  validation {
    condition     = alltrue([for weight in values(var.tenant_weights) : weight >= 1 && weight <= 100 && floor(weight) == weight])
    error_message = "Each of the tenant_weights must be a whole number from 1 to 100."
  }
}

variable "raw_operations" {
  type        = bool
  description = "Whether to allow raw jobs, which name a provider's path outside the catalogue, with any input."
  default     = true
}

variable "job_ttl_days" {
  type        = number
  description = "How many days after its end a job is removed, with the copies of its outputs."
  default     = 30

  validation {
    condition     = var.job_ttl_days >= 1 && var.job_ttl_days <= 36500 && floor(var.job_ttl_days) == var.job_ttl_days
    error_message = "The job_ttl_days must be a whole number of days from 1 to 36500."
  }
}

variable "completions_retention_days" {
  type        = number
  description = "How many days the completions topic keeps events, for new subscriptions and for seeking back."
  default     = 7

  validation {
    condition     = var.completions_retention_days >= 1 && var.completions_retention_days <= 31 && floor(var.completions_retention_days) == var.completions_retention_days
    error_message = "The completions_retention_days must be a whole number of days from 1 to 31."
  }
}

variable "log_level" {
  type        = string
  description = "The lowest severity that the functions log. The metrics are made from INFO lines."
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "The log_level must be DEBUG or INFO, because metrics and alerts are made from INFO lines."
  }
}

variable "cloud_trace" {
  type        = bool
  description = "Whether the functions send a trace of each job to Cloud Trace."
  default     = false
}

variable "trace_share" {
  type        = number
  description = "Which share of jobs is traced, from 0 to 1, where cloud_trace is on."
  default     = 1

  validation {
    condition     = var.trace_share >= 0 && var.trace_share <= 1
    error_message = "The trace_share must be a number from 0 to 1."
  }
}

variable "min_instances" {
  type        = number
  description = "How many instances of jobs_api and of provider_webhook are always kept warm."
  default     = 0

  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= 10 && floor(var.min_instances) == var.min_instances
    error_message = "The min_instances must be a whole number from 0 to 10."
  }
}

variable "alert_emails" {
  type        = set(string)
  description = "Email addresses that receive alerts."
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^\\s@]+@[^\\s@]+$", address))])
    error_message = "The alert_emails must be mail addresses."
  }
}

variable "runbooks_url" {
  type        = string
  description = "The address under which the pages of docs/runbooks are published, such as your repository's, for the alerts to link to; null to name the files."
  default     = null

  validation {
    condition     = var.runbooks_url == null ? true : can(regex("^https://[^\\s?#]+[^\\s/?#]$", var.runbooks_url))
    error_message = "The runbooks_url must be an https URL without a slash at its end and without a query."
  }
}

variable "budget_per_month" {
  type        = number
  description = "What the project may cost in a month, in whole units of the billing account's currency, before the billing account's administrators and alert_emails are told; null for no budget. A budget stops nothing."
  default     = null

  validation {
    condition     = var.budget_per_month == null ? true : var.budget_per_month >= 1 && floor(var.budget_per_month) == var.budget_per_month
    error_message = "The budget_per_month must be a whole amount, at least 1."
  }

  validation {
    condition     = var.budget_per_month == null || var.billing_account != null
    error_message = "The budget_per_month needs the billing_account."
  }
}

variable "billing_account" {
  type        = string
  description = "Id of the project's billing account, such as 012345-6789AB-CDEF01; only a budget needs it."
  default     = null

  validation {
    condition     = var.billing_account == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "The billing_account must be a billing account's id, three groups of six hex digits."
  }
}

variable "notification_channels" {
  type        = set(string)
  description = "Existing Cloud Monitoring notification channels that also receive alerts, as projects/PROJECT/notificationChannels/NUMBER."
  default     = []

  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "The notification_channels must be written projects/PROJECT/notificationChannels/NUMBER."
  }
}
