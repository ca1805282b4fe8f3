resource "google_billing_budget" "relay" {
  count = var.budget_per_month == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "Render Relay"

  budget_filter {
    projects = ["projects/${local.project_number}"]
  }

  # In the billing account's currency.
  amount {
    specified_amount {
      units = tostring(var.budget_per_month)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
      spend_basis       = "CURRENT_SPEND"
    }
  }

  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  # A budget takes five channels at most; those of mail alone are told.
  all_updates_rule {
    monitoring_notification_channels = slice(sort([for channel in google_monitoring_notification_channel.mail : channel.id]), 0, min(5, length(var.alert_emails)))
    disable_default_iam_recipients   = false
  }

  depends_on = [time_sleep.services]
}
