resource "google_firestore_database" "relay" {
  count = var.create_database ? 1 : 0

  name                              = var.firestore_database
  location_id                       = coalesce(var.firestore_location, var.region)
  type                              = "FIRESTORE_NATIVE"
  database_edition                  = "STANDARD"
  concurrency_mode                  = "OPTIMISTIC"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON"

  depends_on = [time_sleep.services]
}

locals {
  # Firestore merges the first with the index of open jobs, to count those with one status. Each
  # deliveryKey begins with its tenant, as those of the queue do, and few jobs have one.
  jobs_indexed_fields = ["status", "deliveryKey"]

  # Lists show one tenant's jobs, newest first. Firestore merges indexes that hold one filter each
  # and end in the same order, so five serve every combination of filters and the search by the
  # provider's id. Firestore adds __name__ at the end, in the direction of the last field.
  # One more serves lists of ended jobs: the API sorts out what other filters do not take.
  jobs_indexes = {
    due = [
      { path = "account", mode = "ASCENDING" },
      { path = "wakeAt", mode = "ASCENDING" },
    ]
    ended = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "finishedAt", mode = "ASCENDING" },
    ]
    # One index for all tenants' lines. Keys begin with the tenant, so writes spread over the
    # tenants instead of piling up at the end as ever-growing times would.
    queue = [
      { path = "account", mode = "ASCENDING" },
      { path = "queueKey", mode = "ASCENDING" },
    ]
    first-of-render = [
      { path = "provider", mode = "ASCENDING" },
      { path = "providerJobId", mode = "ASCENDING" },
      { path = "createdAt", mode = "ASCENDING" },
    ]
    submissions-of-render = [
      { path = "provider", mode = "ASCENDING" },
      { path = "providerJobId", mode = "ASCENDING" },
      { path = "submittedAt", mode = "ASCENDING" },
    ]
    # Of the jobs that have not ended. Merged from an index per field, a count would read past other
    # tenants' open jobs, or past all ended ones.
    open = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "account", mode = "ASCENDING" },
      { path = "finishedAt", mode = "ASCENDING" },
    ]
    newest = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "createdAt", mode = "DESCENDING" },
    ]
    newest-by-metadata = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "metadataPairs", mode = "CONTAINS" },
      { path = "createdAt", mode = "DESCENDING" },
    ]
    newest-by-operation = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "operation", mode = "ASCENDING" },
      { path = "createdAt", mode = "DESCENDING" },
    ]
    newest-by-provider = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "provider", mode = "ASCENDING" },
      { path = "createdAt", mode = "DESCENDING" },
    ]
    newest-by-provider-job = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "providerJobId", mode = "ASCENDING" },
      { path = "createdAt", mode = "DESCENDING" },
    ]
    newest-by-status = [
      { path = "tenant", mode = "ASCENDING" },
      { path = "status", mode = "ASCENDING" },
      { path = "createdAt", mode = "DESCENDING" },
    ]
  }
}

resource "google_firestore_index" "jobs" {
  for_each = local.jobs_indexes

  database    = var.firestore_database
  collection  = "jobs"
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = each.value
    content {
      field_path   = fields.value.path
      order        = fields.value.mode == "CONTAINS" ? null : fields.value.mode
      array_config = fields.value.mode == "CONTAINS" ? "CONTAINS" : null
    }
  }

  depends_on = [google_firestore_database.relay]
}

# No single-field indexes: inputs, outputs and histories are large, and createdAt, wakeAt and
# queueKey only grow, which would limit the write rate. The other collections are only read by id.
resource "google_firestore_field" "unindexed" {
  for_each = toset(["accounts", "durations", "jobs", "listRequests", "lists"])

  database   = var.firestore_database
  collection = each.key
  field      = "*"

  index_config {}

  depends_on = [google_firestore_database.relay]
}

resource "google_firestore_field" "indexed" {
  for_each = toset(local.jobs_indexed_fields)

  database   = var.firestore_database
  collection = "jobs"
  field      = each.key

  index_config {
    indexes {
      order       = "ASCENDING"
      query_scope = "COLLECTION"
    }
  }

  depends_on = [google_firestore_field.unindexed]
}

resource "google_firestore_field" "expiry" {
  database   = var.firestore_database
  collection = "jobs"
  field      = "expireAt"

  ttl_config {}
  index_config {}

  depends_on = [google_firestore_field.unindexed]
}
