/** The board: all jobs as cards with their pictures, and as a compact list beside them. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { failureText } from "./actions.js";
import { isFiltered } from "./address.js";
import { showBulk } from "./bulk.js";
import { filterForm, statusChips } from "./filters.js";
import { duration, roundDuration, title } from "./format.js";
import { LiveJobs, isOpen } from "./live_jobs.js";
import { ageOf, badge, metadataTags, troubleBanner } from "./parts.js";
import { after, before, compared, image } from "./pictures.js";
import { Poller } from "./poller.js";
import { texts } from "./texts.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./app.js").App} App */

const EVERY_MS = 2_000;

/** @param {App} app @param {import("./address.js").Filters} filters @returns {import("./app.js").View} */
export function createBoard(app, filters) {
  const live = new LiveJobs(app.api, filters);
  /** @type {Poller | null} */
  let poller = null;
  let isPaused = false;
  /** The first job in sight when the board was left, and where it stood. */
  let anchor = { job: "", top: 0 };
  /** The job under the slider. */
  let comparing = "";
  let isOwnSpan = false;
  let isLoadingOlder = false;
  /** @type {import("./api.js").Provider[]} */
  let providers = [];

  live.onEnded = (ended) => {
    /** @type {Record<string, number>} */
    const counts = {};
    for (const job of ended) counts[job.status] = (counts[job.status] ?? 0) + 1;
    app.announce(texts.endedAnnouncement(counts));
  };

  const open = () => {
    poller = new Poller(() => live.poll(), { everyMs: EVERY_MS, onState: () => app.update() });
    if (isPaused) poller.pause(true);
    else poller.start();
    app.catalogue().then(
      (known) => {
        providers = known;
        app.update();
      },
      () => {}, // The filters do without it, and the poller says what is wrong.
    );
    requestAnimationFrame(() => scrollToJob(anchor));
  };

  const close = () => {
    anchor = jobInSight();
    poller?.stop();
  };

  // Browsers keep the place only as long as cards do not change columns, and not all of them do.
  /** @type {Job[]} */
  let drawn = [];
  const keepPlace = () => {
    if (live.jobs === drawn) return null;
    drawn = live.jobs;
    // Who is at the top wants to see what is new.
    if (scrollY === 0) return null;
    const seen = jobInSight();
    return () => scrollToJob(seen);
  };

  const pause = () => {
    isPaused = !isPaused;
    poller?.pause(isPaused);
    app.announce(isPaused ? texts.paused : texts.live);
  };

  const older = async () => {
    isLoadingOlder = true;
    app.update();
    try {
      await live.more();
    } catch (error) {
      app.tell(failureText(error));
    } finally {
      isLoadingOlder = false;
      app.update();
    }
  };

  /** @param {string} id */
  const compare = (id) => {
    comparing = comparing === id ? "" : id;
    app.update();
  };

  const bulk = () => showBulk(app, filters, () => poller?.now());

  const render = () => {
    const { jobs } = live;
    const { layout, readOnly } = app.address;
    return html`<main id="content" class="board">
      <h1 class="hidden-text">${texts.board}</h1>
      <div class="toolbar">
        ${filterForm(app, providers, {
          isOwnSpan,
          setOwnSpan: (isOwn) => {
            isOwnSpan = isOwn;
            app.update();
          },
        })}
        <div class="toolbar-end">
          ${layoutSwitch(app)}
          ${readOnly
            ? nothing
            : html`<button type="button" class="button" @click=${bulk}>${texts.bulk}</button>`}
          <button type="button" class="button live ${liveState(poller)}" aria-pressed=${isPaused ? "true" : "false"} @click=${pause}>
            <span class="dot" aria-hidden="true"></span>${isPaused ? texts.resume : texts.pause}
          </button>
        </div>
      </div>
      <div class="summary">
        ${statusChips(app, jobs)}
        <span class="count">${live.hasOlder ? texts.andMore(jobs.length) : texts.shown(jobs.length)}</span>
      </div>
      ${poller ? troubleBanner(app, poller) : nothing} ${holdBanner(app, jobs)}
      ${jobs.length
        ? html`<div class="columns ${layout ? `only-${layout}` : ""}">
              <nav class="rows" aria-label=${texts.jobList}>
                <ol>
                  ${repeat(jobs, (job) => job.id, (job) => row(app, job))}
                </ol>
              </nav>
              <section aria-label=${texts.jobCards}>
                <ol class="cards">
                  ${repeat(jobs, (job) => job.id, (job) => card(app, job, comparing === job.id, compare))}
                </ol>
              </section>
            </div>
            ${live.hasOlder
              ? html`<p class="older">
                  <button type="button" class="button" ?disabled=${isLoadingOlder} @click=${older}>
                    ${texts.older}
                  </button>
                </p>`
              : nothing}`
        : poller?.trouble?.isRefusal
          ? nothing
          : emptiness(app, live.isLoaded)}
    </main>`;
  };

  return {
    title: texts.board,
    open,
    close,
    render,
    keepPlace,
  };
}

/** The job that is worked with or, if none is, the first one in sight. */
function jobInSight() {
  const inSight = jobElements().filter((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });
  const seen = inSight.find((one) => one.contains(document.activeElement)) ?? inSight[0];
  return { job: seen?.dataset.job ?? "", top: seen?.getBoundingClientRect().top ?? 0 };
}

/** Not to an offset: there may be more jobs above by now. */
/** @param {{job: string, top: number}} anchor */
function scrollToJob({ job, top }) {
  const element = jobElements().find((one) => one.dataset.job === job);
  if (element) scrollBy(0, element.getBoundingClientRect().top - top);
}

/** The cards or, where there are none, the rows. @returns {HTMLElement[]} */
function jobElements() {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("li[data-job]")]);
  const cards = all.filter((one) => one.matches(".card") && one.offsetParent !== null);
  return cards.length ? cards : all.filter((one) => one.offsetParent !== null);
}

/** @param {Poller | null} poller */
function liveState(poller) {
  if (poller?.isPaused) return "is-paused";
  return poller?.trouble ? "is-offline" : "is-live";
}

/** @param {App} app */
function layoutSwitch(app) {
  const { layout } = app.address;
  /** @type {[import("./address.js").Address["layout"], string][]} */
  const layouts = [
    ["", texts.both],
    ["cards", texts.cards],
    ["list", texts.list],
  ];
  return html`<div class="segments" role="group" aria-label=${texts.layout}>
    ${layouts.map(
      ([name, label]) => html`<button
        type="button"
        class="segment ${name === "" ? "is-both" : ""}"
        aria-pressed=${layout === name ? "true" : "false"}
        @click=${() => app.go({ layout: name }, { replace: true })}
      >
        ${label}
      </button>`,
    )}
  </div>`;
}

/** @param {App} app @param {Job[]} jobs */
function holdBanner(app, jobs) {
  if (!jobs.some((job) => job.waitingFor === "account_hold")) return nothing;
  return html`<p class="banner is-warning">
    ${texts.holdBanner} <a href=${app.link({ view: "accounts", job: "" })}>${texts.holdLink}</a>
  </p>`;
}

/** @param {App} app @param {boolean} isLoaded */
function emptiness(app, isLoaded) {
  if (!isLoaded) {
    return html`<ol class="cards is-loading" aria-label=${texts.loading}>
      ${[1, 2, 3, 4, 5, 6].map(() => html`<li class="card" aria-hidden="true"></li>`)}
    </ol>`;
  }
  if (isFiltered(app.address.filters)) return html`<p class="empty">${texts.emptyFiltered}</p>`;
  return html`<div class="empty">
    <h2>${texts.empty}</h2>
    <p>${texts.emptyText}</p>
    ${app.address.readOnly
      ? nothing
      : html`<a class="button is-main" href=${app.link({ view: "new", job: "" })}>${texts.newJob}</a>`}
  </div>`;
}

/** @param {App} app @param {Job} job */
function row(app, job) {
  return html`<li data-job=${job.id}>
    <a class="row is-${job.status}" href=${app.link({ view: "job", job: job.id })}>
      <span class="dot" aria-hidden="true"></span>
      <span class="row-name">${title(job.operation)} <small>${title(job.provider)}</small></span>
      <span class="row-status">${texts.status[job.status]}</span>
      <span class="row-age">${ageOf(app, job.createdAt)}</span>
      <span class="row-more">${Object.values(job.metadata).join(" · ")}</span>
    </a>
  </li>`;
}

/**
 * @param {App} app
 * @param {Job} job
 * @param {boolean} isCompared
 * @param {(id: string) => void} compare
 */
function card(app, job, isCompared, compare) {
  const beforeUrl = before(job);
  const pictures = after(job);
  const canCompare = beforeUrl !== null && pictures.length > 0;
  return html`<li class="card is-${job.status}" data-job=${job.id}>
    <article aria-labelledby="t-${job.id}">
      <header>
        <h2 id="t-${job.id}">
          <a href=${app.link({ view: "job", job: job.id })}>${title(job.operation)}</a>
          <small>${title(job.provider)}</small>
        </h2>
        ${badge(job.status)}
      </header>
      ${canCompare && isCompared
        ? compared(app, job, beforeUrl, pictures[0])
        : html`<div class="pair">
            <figure>
              ${beforeUrl === null ? wish(job) : image(app, job, { url: beforeUrl, kept: null }, texts.beforeOf(job.operation))}
              ${beforeUrl === null ? nothing : html`<figcaption class="tag tag-before">${texts.before}</figcaption>`}
            </figure>
            <figure>
              ${pictures.length
                ? html`${image(app, job, pictures[0], texts.afterOf(job.operation))}
                    <figcaption class="tag tag-after">
                      ${job.outputs.length ? texts.after : texts.late}
                      ${pictures.length > 1 ? texts.moreOutputs(pictures.length - 1) : nothing}
                    </figcaption>`
                : stateOf(app, job)}
            </figure>
          </div>`}
      <footer>
        <span class="when">${ageOf(app, job.createdAt)}${runningTime(app, job)}</span>
        ${canCompare
          ? html`<button
              type="button"
              class="button is-small"
              aria-pressed=${isCompared ? "true" : "false"}
              aria-describedby="t-${job.id}"
              @click=${() => compare(job.id)}
            >
              ${isCompared ? texts.stopComparing : texts.compare}
            </button>`
          : nothing}
        ${metadataTags(job.metadata)}
      </footer>
    </article>
  </li>`;
}

/** What was asked for in words, where there is no picture before. @param {Job} job */
function wish(job) {
  const { prompt } = /** @type {Record<string, unknown>} */ (job.input ?? {});
  const words = typeof prompt === "string" && prompt ? `“${prompt}”` : texts.noBefore;
  return html`<p class="wish">${words}</p>`;
}

/** @param {App} app @param {Job} job */
function runningTime(app, job) {
  const began = Date.parse(job.createdAt);
  if (job.finishedAt) return html` · ${texts.took(duration(Date.parse(job.finishedAt) - began))}`;
  if (!isOpen(job)) return nothing;
  return html` · ${texts.since(roundDuration(app.now() - began))}`;
}

/** What stands in the place of the picture after, in words. @param {App} app @param {Job} job */
export function stateOf(app, job) {
  if (job.error) {
    return html`<div class="state is-failed">
      <b>${title(job.error.code.replaceAll("_", "-"))}</b>
      <p>${job.error.message}</p>
    </div>`;
  }
  return html`<div class="state is-${job.status}">
    <b>${stateWords(job)}</b>
    ${progress(app, job)}
  </div>`;
}

/** @param {Job} job */
function stateWords(job) {
  if (job.status === "queued") return texts.waitingFor[job.waitingFor ?? "turn"] ?? texts.status.queued;
  if (job.status === "submitting") return texts.sending;
  if (job.status === "unconfirmed") return texts.unconfirmed;
  return job.status === "processing" ? texts.rendering : texts.cancelled;
}

/** How far a render is by what such renders usually take. @param {App} app @param {Job} job */
export function progress(app, job) {
  if (job.status !== "processing") return nothing;
  const began = Date.parse(job.submittedAt ?? job.createdAt);
  const expected = job.expectedAt ? Date.parse(job.expectedAt) : null;
  const leftMs = expected === null ? 0 : expected - app.now();
  if (expected === null || leftMs <= 0) {
    return html`<progress aria-label=${texts.rendering}></progress><p>${texts.later}</p>`;
  }
  return html`<progress
      aria-label=${texts.rendering}
      max=${expected - began}
      .value=${Math.max(0, app.now() - began)}
    ></progress>
    <p>${texts.expected(roundDuration(leftMs))}</p>`;
}
