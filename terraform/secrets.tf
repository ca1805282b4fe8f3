locals {
  # The number of each secret, by environment variable; it changes with the value.
  secrets = merge(
    {
      API_KEYS     = substr(sha256(jsonencode(var.api_keys)), 0, 16)
      WEBHOOK_KEYS = tostring(lookup(var.secret_versions, "webhook_keys", 1))
    },
    {
      for name, account in local.accounts :
      account.key_variable => tostring(lookup(var.secret_versions, name, 1))
    },
    {
      for name in ["CALLBACK_KEYS"] : name => tostring(lookup(var.secret_versions, "callback_keys", 1))
      if var.callbacks
    },
  )

  secret_values = merge(
    {
      API_KEYS      = jsonencode(var.api_keys)
      CALLBACK_KEYS = join(",", var.callback_keys)
      WEBHOOK_KEYS  = join(",", var.webhook_keys)
    },
    { for name, account in local.accounts : account.key_variable => var.provider_keys[name] },
  )
}

resource "google_secret_manager_secret" "relay" {
  for_each = local.secrets

  secret_id = "relay-${lower(replace(each.key, "_", "-"))}"

  replication {
    auto {}
  }

  depends_on = [time_sleep.services]
}

resource "google_secret_manager_secret_version" "relay" {
  for_each = local.secrets

  secret                 = google_secret_manager_secret.relay[each.key].id
  secret_data_wo         = local.secret_values[each.key]
  secret_data_wo_version = each.value
  enabled                = true

  # Disabled, not destroyed: a secret rotated too early can be enabled again.
  deletion_policy = "DISABLE"

  lifecycle {
    # The functions move to the new version before the old one is disabled.
    create_before_destroy = true
  }
}
