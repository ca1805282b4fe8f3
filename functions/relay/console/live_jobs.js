/** A filtered list of jobs that is kept up to date with few reads.
 *
 * A round asks for jobs newer than the newest known one, which is one read when there are none, and
 * for the open jobs among those known. What has left that list has ended and is read by its id.
 * Finished jobs are not read again.
 */

import { Problem } from "./api.js";
import { SPANS, filterQuery } from "./address.js";
import { stamp } from "./format.js";

/** @typedef {import("./api.js").Job} Job */

export const PAGE_SIZE = 50;
const LARGEST_PAGE = 100;
export const OPEN = ["queued", "submitting", "unconfirmed", "processing"];
/** How long a job may take to appear after one that was created later. */
const SETTLED_MS = 8_000;
const MOST_AT_ONCE = 6;
/** More new jobs than this are a reason to begin again. */
const MOST_NEW_PAGES = 5;

/** @param {Job} job */
export function isOpen(job) {
  return OPEN.includes(job.status);
}

export class LiveJobs {
  #api;
  #filters;
  /** @type {Map<string, Job>} */
  #known = new Map();
  /** @type {Job[] | null} */
  #shown = null;
  /** @type {string | null} */
  #olderToken = null;
  #isLoaded = false;
  #loadedAtMs = 0;
  /** Where the walk over open jobs goes on if they do not fit one page: one page a round. */
  /** @type {{query: [string, string][], token: string | null, from: string} | null} */
  #walk = null;

  /** Called with jobs that ended while they were followed. @type {(ended: Job[]) => void} */
  onEnded = () => {};

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./address.js").Filters} filters
   */
  constructor(api, filters) {
    this.#api = api;
    this.#filters = filters;
  }

  get isLoaded() {
    return this.#isLoaded;
  }

  get hasOlder() {
    return this.#olderToken !== null;
  }

  /** The jobs that match, newest first. @returns {Job[]} */
  get jobs() {
    this.#shown ??= [...this.#known.values()].filter((job) => this.#matches(job)).sort(newestFirst);
    return this.#shown;
  }

  /** One round. */
  async poll() {
    if (!this.#isLoaded) return this.#load();
    const openBefore = this.#openKnown();
    await this.#readNew();
    if (openBefore.length) await this.#readOpen(openBefore);
  }

  /** Reads the next page of older jobs. */
  async more() {
    if (this.#olderToken === null) return;
    const page = await this.#api.list([
      ...this.#query(),
      ["pageSize", String(PAGE_SIZE)],
      ["pageToken", this.#olderToken],
    ]);
    this.#olderToken = page.nextPageToken;
    this.put(page.jobs);
  }

  /** Takes in jobs as they were read. @param {Job[]} jobs */
  put(jobs) {
    for (const job of jobs) this.#known.set(job.id, job);
    if (jobs.length) this.#shown = null;
  }

  async #load() {
    this.#loadedAtMs = this.#api.now();
    const page = await this.#api.list([...this.#query(), ["pageSize", String(PAGE_SIZE)]]);
    this.#olderToken = page.nextPageToken;
    this.put(page.jobs);
    // A job that matches once it has ended does not match yet.
    if (this.#filters.status.length) this.put((await this.#api.list(this.#openQuery())).jobs);
    this.#isLoaded = true;
  }

  async #readNew() {
    if (this.#filters.createdBefore && Date.parse(this.#filters.createdBefore) < this.#api.now()) {
      return;
    }
    const query = this.#query({ status: [], createdAfter: this.#newest() });
    /** @type {string | null} */
    let token = null;
    for (let pages = 0; pages < MOST_NEW_PAGES; pages += 1) {
      /** @type {import("./api.js").JobPage} */
      const page = await this.#api.list([...query, ["pageSize", String(LARGEST_PAGE)], ...pageToken(token)]);
      this.put(page.jobs);
      token = page.nextPageToken;
      if (token === null) return;
    }
    this.#known.clear();
    this.#shown = null;
    await this.#load();
  }

  /** Reads a page of the open jobs, and by its id each that has left it. @param {Job[]} known */
  async #readOpen(known) {
    const walk = this.#walk ?? { query: this.#openQuery(justBefore(known[known.length - 1].createdAt)), token: null, from: "" };
    this.#walk = null;
    const page = await this.#api.list([...walk.query, ...pageToken(walk.token)]);
    const last = page.jobs.at(-1);
    const until = page.nextPageToken === null || last === undefined ? "" : stamp(last.createdAt);
    const listed = new Set(page.jobs.map((job) => job.id));
    const gone = known.filter((job) => {
      const at = stamp(job.createdAt);
      return !listed.has(job.id) && (walk.from === "" || at < walk.from) && at > until;
    });
    this.put(page.jobs);
    if (page.nextPageToken !== null) {
      this.#walk = { query: walk.query, token: page.nextPageToken, from: until || walk.from };
    }
    const ended = (await readAll(gone, (job) => this.#again(job.id))).filter((job) => job !== null);
    this.put(ended);
    if (ended.length) this.onEnded(ended.filter((job) => !isOpen(job) && this.#matches(job)));
  }

  /** @param {string} id @returns {Promise<Job | null>} null, and forgotten, if it was removed */
  async #again(id) {
    try {
      return await this.#api.job(id);
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      this.#known.delete(id);
      this.#shown = null;
      return null;
    }
  }

  #openKnown() {
    return [...this.#known.values()].filter(isOpen).sort(newestFirst);
  }

  /** @returns {string} the moment after which unknown jobs may have been created */
  #newest() {
    const newest = [...this.#known.values()].reduce(
      (latest, job) => (stamp(job.createdAt) > stamp(latest) ? job.createdAt : latest),
      "",
    );
    const at = newest === "" ? this.#loadedAtMs : Date.parse(newest);
    if (newest !== "" && this.#api.now() - at > SETTLED_MS) return newest;
    return new Date(at - SETTLED_MS).toISOString();
  }

  /**
   * @param {Partial<import("./address.js").Filters>} [other]
   * @returns {[string, string][]}
   */
  #query(other = {}) {
    const { within } = this.#filters;
    const since = within ? new Date(this.#loadedAtMs - SPANS[within] * 1000).toISOString() : "";
    const createdAfter = [other.createdAfter ?? "", this.#filters.createdAfter, since]
      .reduce((latest, one) => (stamp(one) > stamp(latest) ? one : latest), "");
    return filterQuery({ ...this.#filters, ...other, createdAfter });
  }

  /** @param {string} [createdAfter] @returns {[string, string][]} */
  #openQuery(createdAfter = "") {
    return [
      ...this.#query({ status: OPEN, createdAfter }),
      ["pageSize", String(LARGEST_PAGE)],
    ];
  }

  /** @param {Job} job */
  #matches(job) {
    const { status, within } = this.#filters;
    if (status.length && !status.includes(job.status)) return false;
    return !within || Date.parse(job.createdAt) > this.#api.now() - SPANS[within] * 1000;
  }
}

/**
 * Returns every job that the API lists for these filters.
 *
 * @param {import("./api.js").Api} api
 * @param {import("./address.js").Filters} filters
 * @param {(found: number) => boolean} goOn  Asked after every page.
 */
export async function allMatching(api, filters, goOn) {
  /** @type {Job[]} */
  const found = [];
  /** @type {string | null} */
  let token = null;
  const { within } = filters;
  const since = within ? new Date(api.now() - SPANS[within] * 1000).toISOString() : "";
  const query = filterQuery({ ...filters, createdAfter: since || filters.createdAfter });
  do {
    /** @type {import("./api.js").JobPage} */
    const page = await api.list([...query, ["pageSize", String(LARGEST_PAGE)], ...pageToken(token)]);
    found.push(...page.jobs);
    token = page.nextPageToken;
  } while (token !== null && goOn(found.length));
  return found;
}

/** @param {Job} one @param {Job} other */
function newestFirst(one, other) {
  const [age, otherAge] = [stamp(one.createdAt), stamp(other.createdAt)];
  if (age !== otherAge) return age < otherAge ? 1 : -1;
  return one.id < other.id ? 1 : -1;
}

/** @param {string} moment */
function justBefore(moment) {
  return new Date(Date.parse(moment) - 1).toISOString();
}

/** @param {string | null} token @returns {[string, string][]} */
function pageToken(token) {
  return token === null ? [] : [["pageToken", token]];
}

/**
 * @template T, R
 * @param {T[]} items
 * @param {(item: T) => Promise<R>} read
 */
async function readAll(items, read) {
  /** @type {R[]} */
  const all = [];
  for (let start = 0; start < items.length; start += MOST_AT_ONCE) {
    all.push(...(await Promise.all(items.slice(start, start + MOST_AT_ONCE).map(read))));
  }
  return all;
}
