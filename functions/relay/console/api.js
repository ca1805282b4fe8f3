/** The relay's HTTP API, as docs/openapi.yaml describes it. */

/** @typedef {import("relay-api").components["schemas"]} Schemas */
/**
 * @typedef {Object} Callback
 * @property {string} url
 * @property {"waiting" | "pending" | "delivered" | "failed"} status
 * @property {number} attempts
 * @property {number | null} lastStatus
 * @property {string | null} nextAt
 */
/**
 * @typedef {Object} KeptOutput
 * @property {number} index
 * @property {string} [uri]
 * @property {string} [contentType]
 * @property {number} [bytes]
 * @property {string} [sha256]
 * @property {string | null} [error]
 */
/**
 * @typedef {Omit<Schemas["Job"], "callback" | "keptOutputs">
 *   & {callback?: Callback | null, keptOutputs?: KeptOutput[]}} Job
 */
/** @typedef {{jobs: Job[], nextPageToken: string | null}} JobPage */
/** @typedef {Schemas["Providers"]["providers"][number]} Provider */
/** @typedef {Provider["catalogue"]["operations"][number]} Operation */
/** @typedef {{detail: string, pointer?: string, parameter?: string}} Mistake */

const TIMEOUT_MS = 20_000;

/** The API refused a request. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{code?: string, detail?: string, errors?: Mistake[]}} body
   * @param {number} retryAfterS  0 without a `Retry-After`.
   */
  constructor(status, body, retryAfterS) {
    super(body.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.mistakes = body.errors ?? [];
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may succeed later. */
  get isTransient() {
    return this.status >= 500 || this.status === 429;
  }
}

/** The API did not answer. */
export class Unreachable extends Error {}

export class Api {
  #key;
  #onRefusedKey;
  #behindMs = 0;

  /**
   * @param {string} key
   * @param {() => void} onRefusedKey
   */
  constructor(key, onRefusedKey) {
    this.#key = key;
    this.#onRefusedKey = onRefusedKey;
  }

  /** The time by the relay's clock, in ms, from the last answer's `Date`. */
  now() {
    return Date.now() + this.#behindMs;
  }

  /** @param {[string, string][]} query @returns {Promise<JobPage>} */
  list(query) {
    return this.#json("GET", `v1/jobs?${new URLSearchParams(query)}`);
  }

  /** @param {string} id @returns {Promise<Job>} */
  job(id) {
    return this.#json("GET", jobPath(id));
  }

  /** @param {string} id @returns {Promise<Job>} */
  cancel(id) {
    return this.#json("POST", `${jobPath(id)}/cancel`);
  }

  /** @param {string} id @param {string} idempotencyKey @returns {Promise<Job>} */
  retry(id, idempotencyKey) {
    return this.#json("POST", `${jobPath(id)}/retry`, { idempotencyKey });
  }

  /** @param {string} id */
  async redeliver(id) {
    await this.#answer("POST", `${jobPath(id)}/redeliver`, {});
  }

  /** @param {unknown} body @param {string} idempotencyKey @returns {Promise<Job>} */
  create(body, idempotencyKey) {
    return this.#json("POST", "v1/jobs", { body, idempotencyKey });
  }

  /** @returns {Promise<Provider[]>} */
  async providers() {
    return (await this.#json("GET", "v1/providers")).providers;
  }

  /** Returns the kept copy of an output. @param {string} id @param {number} index */
  async output(id, index) {
    return (await this.#answer("GET", `${jobPath(id)}/outputs/${index}`, {})).blob();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: unknown, idempotencyKey?: string}} [more]
   * @returns {Promise<any>}
   */
  async #json(method, path, more = {}) {
    const answer = await this.#answer(method, path, more);
    try {
      return await answer.json();
    } catch {
      throw new Unreachable();
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: unknown, idempotencyKey?: string}} more
   */
  async #answer(method, path, { body, idempotencyKey }) {
    // Not as a bearer: a proxy in front of a private service has its own use for that header.
    /** @type {Record<string, string>} */
    const headers = { "X-API-KEY": this.#key };
    if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        cache: "no-store",
        credentials: "same-origin",
        redirect: "error",
      });
    } catch {
      throw new Unreachable();
    }
    this.#learnTime(answer);
    if (answer.ok) return answer;
    const retryAfterS = Number(answer.headers.get("Retry-After")) || 0;
    const problem = new Problem(answer.status, await problemBody(answer), retryAfterS);
    if (answer.status === 401) this.#onRefusedKey();
    throw problem;
  }

  /** @param {Response} answer */
  #learnTime(answer) {
    const said = Date.parse(answer.headers.get("Date") ?? "");
    if (Number.isNaN(said)) return;
    const behindMs = said - Date.now();
    // The header has whole seconds, so small differences say nothing.
    this.#behindMs = Math.abs(behindMs) > 2_000 ? behindMs : 0;
  }
}

/** @param {string} id */
function jobPath(id) {
  return `v1/jobs/${encodeURIComponent(id)}`;
}

/** @param {Response} answer */
async function problemBody(answer) {
  try {
    const body = await answer.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return {};
  }
}
