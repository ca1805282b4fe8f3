/** The state that the address holds: the view, the job, the filters; and the key, for a moment. */

/**
 * @typedef {Object} Filters  As `GET /v1/jobs` names them, and a time span before now.
 * @property {string} provider
 * @property {string} operation
 * @property {string[]} status
 * @property {string} providerJobId
 * @property {string} metadataKey
 * @property {string} metadataValue
 * @property {string} within  One of SPANS, or empty.
 * @property {string} createdAfter
 * @property {string} createdBefore
 */

/**
 * @typedef {Object} Address
 * @property {"board" | "job" | "accounts" | "new"} view
 * @property {string} job
 * @property {"" | "cards" | "list"} layout  Empty: both, where there is room.
 * @property {boolean} readOnly
 * @property {Filters} filters
 */

/** @type {Readonly<Record<string, number>>} Seconds. */
export const SPANS = { "1h": 3600, "24h": 86_400, "7d": 604_800 };

const PLAIN = /** @type {const} */ ([
  "provider",
  "operation",
  "providerJobId",
  "within",
  "createdAfter",
  "createdBefore",
]);

/** @returns {Filters} */
export function noFilters() {
  return {
    provider: "",
    operation: "",
    status: [],
    providerJobId: "",
    metadataKey: "",
    metadataValue: "",
    within: "",
    createdAfter: "",
    createdBefore: "",
  };
}

/** @param {string} query @returns {Address} */
export function readAddress(query) {
  const given = new URLSearchParams(query);
  const filters = noFilters();
  for (const name of PLAIN) filters[name] = given.get(name) ?? "";
  if (!Object.hasOwn(SPANS, filters.within)) filters.within = "";
  for (const name of /** @type {const} */ (["createdAfter", "createdBefore"])) {
    const at = Date.parse(filters[name]);
    filters[name] = Number.isNaN(at) ? "" : new Date(at).toISOString();
  }
  filters.status = given.getAll("status");
  for (const [name, value] of given) {
    if (name.startsWith("metadata.")) {
      filters.metadataKey = name.slice("metadata.".length);
      filters.metadataValue = value;
    }
  }
  const job = given.get("job") ?? "";
  const view = given.get("view");
  const layout = given.get("as");
  return {
    view: job ? "job" : view === "accounts" || view === "new" ? view : "board",
    job,
    layout: layout === "cards" || layout === "list" ? layout : "",
    readOnly: given.has("readonly") && given.get("readonly") !== "0",
    filters,
  };
}

/** @param {Address} address @returns {string} the query, with its question mark */
export function writeAddress(address) {
  const query = new URLSearchParams();
  if (address.view === "job") query.set("job", address.job);
  else if (address.view !== "board") query.set("view", address.view);
  for (const [name, value] of filterQuery(address.filters)) query.append(name, value);
  if (address.filters.within) query.set("within", address.filters.within);
  if (address.layout) query.set("as", address.layout);
  if (address.readOnly) query.set("readonly", "1");
  return `?${query}`;
}

/**
 * Returns the filters as the API takes them, but for `within`.
 *
 * @param {Filters} filters @returns {[string, string][]}
 */
export function filterQuery(filters) {
  /** @type {[string, string][]} */
  const query = [];
  for (const name of PLAIN) {
    if (name !== "within" && filters[name]) query.push([name, filters[name]]);
  }
  for (const status of filters.status) query.push(["status", status]);
  if (filters.metadataKey) query.push([`metadata.${filters.metadataKey}`, filters.metadataValue]);
  return query;
}

/** @param {Filters} filters */
export function isFiltered(filters) {
  return filterQuery(filters).length > 0 || filters.within !== "";
}

/** Returns the key in the fragment, which it removes at once from the address and its history. */
export function takeKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return key;
}
