/** One job: its pictures, its whole story, and what can be done. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { actionButtons } from "./actions.js";
import { Problem } from "./api.js";
import { stateOf } from "./board.js";
import { duration, number, roundDuration, size, title, until, webUrl } from "./format.js";
import { isOpen } from "./live_jobs.js";
import { badge, copyButton, time, troubleBanner } from "./parts.js";
import { after, before, compared, image } from "./pictures.js";
import { Poller } from "./poller.js";
import { SNIPPETS, createBody } from "./snippets.js";
import { texts } from "./texts.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./app.js").App} App */

const EVERY_MS = 2_000;
/** Once a job has ended only callbacks, copies and a late result may still come. */
const ENDED_EVERY_MS = 10_000;

/** @param {App} app @param {string} id @returns {import("./app.js").View} */
export function createJob(app, id) {
  /** @type {Job | null} */
  let job = null;
  let isGone = false;
  let chosen = 0;
  let readAtMs = 0;

  const read = async () => {
    const wasOpen = job !== null && isOpen(job);
    if (isGone || (job !== null && !wasOpen && Date.now() - readAtMs < ENDED_EVERY_MS)) return;
    try {
      job = await app.api.job(id);
      readAtMs = Date.now();
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      isGone = true;
    }
    if (wasOpen && job !== null && !isOpen(job)) app.announce(texts.status[job.status]);
  };
  const poller = new Poller(read, { everyMs: EVERY_MS, onState: () => app.update() });

  /** @param {Job} changed */
  const put = (changed) => {
    job = changed;
    app.update();
  };
  /** @param {number} index */
  const choose = (index) => {
    chosen = index;
    app.update();
  };

  const render = () => html`<main id="content" class="job">
    <p class="back"><a href=${app.link({ view: "board", job: "" })}>‹ ${texts.back}</a></p>
    ${troubleBanner(app, poller)} ${job ? story(app, job, { chosen, choose, put }) : nothing}
    ${job === null ? html`<p class="empty">${isGone ? texts.jobGone : texts.loading}</p>` : nothing}
  </main>`;

  return {
    get title() {
      return job ? `${title(job.operation)}: ${texts.status[job.status]}` : texts.job;
    },
    open: () => poller.start(),
    close: () => poller.stop(),
    render,
  };
}

/**
 * @param {App} app
 * @param {Job} job
 * @param {{chosen: number, choose: (index: number) => void, put: (job: Job) => void}} state
 */
function story(app, job, { chosen, choose, put }) {
  return html`
    <div class="job-head">
      <h1>${title(job.operation)} <small>${title(job.provider)}</small></h1>
      ${badge(job.status)}
      <div class="buttons">
        ${actionButtons(app, job, put)}
        ${copyButton(app, texts.copyCurl, () => SNIPPETS.curl(createBody(job)))}
        ${copyButton(app, texts.copyId, () => job.id)}
      </div>
    </div>
    <div class="job-columns">
      <div class="job-main">${gallery(app, job, chosen, choose)} ${failure(job)} ${input(job)}</div>
      <div class="job-side">
        ${timeline(app, job)} ${callback(app, job)} ${copies(job)} ${metadata(job)} ${details(app, job)}
      </div>
    </div>
  `;
}

/** @param {App} app @param {Job} job @param {number} chosen @param {(index: number) => void} choose */
function gallery(app, job, chosen, choose) {
  const beforeUrl = before(job);
  const pictures = after(job);
  const picture = pictures[chosen] ?? pictures[0];
  const isLate = !job.outputs.length && pictures.length > 0;
  let large;
  if (picture && beforeUrl !== null) large = compared(app, job, beforeUrl, picture);
  else if (picture) large = html`<div class="alone">${image(app, job, picture, texts.afterOf(job.operation))}</div>`;
  else {
    large = html`<div class="pair is-large">
      ${beforeUrl === null
        ? nothing
        : html`<figure>
            ${image(app, job, { url: beforeUrl, kept: null }, texts.beforeOf(job.operation))}
            <figcaption class="tag tag-before">${texts.before}</figcaption>
          </figure>`}
      <figure>${stateOf(app, job)}</figure>
    </div>`;
  }
  return html`<section class="gallery" aria-label=${texts.after}>
    ${large}
    ${isLate ? html`<p class="banner is-warning"><b>${texts.late}.</b> ${texts.lateText}</p>` : nothing}
    ${pictures.length > 1
      ? html`<div class="thumbs" role="group" aria-label=${texts.after}>
          ${pictures.map(
            (one, index) => html`<button
              type="button"
              class="thumb"
              aria-pressed=${one === picture ? "true" : "false"}
              @click=${() => choose(index)}
            >
              ${image(app, job, one, texts.outputOf(index + 1, pictures.length))}
            </button>`,
          )}
        </div>`
      : nothing}
    ${picture?.url ? html`<p class="small">${link(picture.url, texts.original)}</p>` : nothing}
  </section>`;
}

/** @param {Job} job */
function failure(job) {
  const { error } = job;
  if (!error) return nothing;
  const [cause, remedy] = causeAndRemedy(error);
  return html`<section class="panel is-failure">
    <h2>${texts.error}</h2>
    <p>${sentence(cause)} <code>${error.code}</code></p>
    ${error.provider
      ? html`<h3>${texts.providerSaid}</h3>
          <blockquote><b>${texts.providerStatus(error.provider.status)}</b> ${error.provider.message}</blockquote>`
      : nothing}
    <h3>${texts.toDo}</h3>
    <p>${sentence(remedy)} ${error.retryable ? texts.retryable : texts.notRetryable}</p>
  </section>`;
}

/**
 * Divides a message at the semicolon after what the provider said, which may have some of its own.
 *
 * @param {NonNullable<Job["error"]>} error
 */
function causeAndRemedy({ message, provider }) {
  const said = provider?.message ?? "";
  const from = said && message.includes(said) ? message.indexOf(said) + said.length : 0;
  const at = message.indexOf("; ", from);
  return at < 0 ? [message, ""] : [message.slice(0, at), message.slice(at + 2)];
}

/** @param {string} text */
function sentence(text) {
  const end = /[.?!]$/.test(text) ? "" : ".";
  return text && `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}

/**
 * The steps from the create to the event, each with how long it lasted.
 *
 * @param {App} app
 * @param {Job} job
 */
function timeline(app, job) {
  const isFinal = job.finishedAt !== null;
  const ends = job.history.map((_, index) => job.history[index + 1]?.at ?? null);
  const endMs = job.finishedAt ? Date.parse(job.finishedAt) : app.now();
  const eventAt = job.finishedAt;
  return html`<section class="panel">
    <h2>${texts.timeline}</h2>
    <ol class="timeline">
      ${job.history.map((entry, index) => {
        const end = ends[index];
        const isNow = end === null && !isFinal;
        const lasted = end !== null ? Date.parse(end) - Date.parse(entry.at) : null;
        return html`<li class="is-${entry.status} ${isNow ? "is-now" : ""}">
          <span class="step">
            <b>${texts.status[entry.status] ?? entry.status}</b>
            <small>${texts.by[entry.by] ?? entry.by}</small>
          </span>
          <span class="step-time">${time(app, entry.at)}</span>
          <span class="step-note">${entry.note}</span>
          ${lasted !== null ? html`<span class="lasted">${duration(lasted)}</span>` : nothing}
          ${isNow
            ? html`<span class="lasted is-running">${roundDuration(app.now() - Date.parse(entry.at))}</span>`
            : nothing}
          ${isNow && job.status === "queued" && job.waitingFor
            ? html`<span class="step-note">${texts.waitingFor[job.waitingFor]}</span>`
            : nothing}
          ${isNow && job.expectedAt
            ? html`<span class="step-note">${texts.expected(roundDuration(Date.parse(job.expectedAt) - app.now()))}</span>`
            : nothing}
        </li>`;
      })}
      ${eventAt
        ? html`<li class="is-event">
            <span class="step"><b>${texts.event}</b></span>
            <span class="step-time">${time(app, eventAt)}</span>
            <span class="step-note">${texts.eventId(`${job.id}.${job.status}`)}</span>
          </li>`
        : nothing}
      ${job.lateOutputs?.length
        ? html`<li class="is-event">
            <span class="step"><b>${texts.late}</b></span>
            <span class="step-note">${texts.eventId(`${job.id}.late_result`)}</span>
          </li>`
        : nothing}
    </ol>
    <p class="total">
      <b class=${isFinal ? "" : "is-running"}
        >${texts.total(
          isFinal ? duration(endMs - Date.parse(job.createdAt)) : roundDuration(endMs - Date.parse(job.createdAt)),
        )}</b
      >
      ${isFinal ? nothing : html`<span>${texts.deadlineAt(until(job.deadlineAt, app.now()))}</span>`}
    </p>
  </section>`;
}

/** @param {Job} job */
function input(job) {
  return html`<section class="panel">
    <h2>${texts.input}</h2>
    ${job.input === null
      ? html`<p>${texts.noInput}</p>`
      : html`<dl>${Object.entries(job.input).map(([name, value]) => entry(html`<code>${name}</code>`, shown(value)))}</dl>`}
  </section>`;
}

/** @param {unknown} value */
function shown(value) {
  const url = webUrl(value);
  if (url !== null) return link(url, url);
  if (typeof value === "string") return html`<span class="value">${value}</span>`;
  return html`<pre>${JSON.stringify(value, null, 2)}</pre>`;
}

/** @param {Job} job */
function metadata(job) {
  const pairs = Object.entries(job.metadata);
  return html`<section class="panel">
    <h2>${texts.metadata}</h2>
    ${pairs.length
      ? html`<dl>${pairs.map(([key, value]) => entry(key, html`<span class="value">${value}</span>`))}</dl>`
      : html`<p class="small">${texts.noMetadata}</p>`}
  </section>`;
}

/** @param {App} app @param {Job} job */
function callback(app, job) {
  const { callback } = job;
  if (!callback) return nothing;
  return html`<section class="panel">
    <h2>${texts.callback}</h2>
    <p><b class="callback is-${callback.status}">${texts.callbackStatus[callback.status] ?? callback.status}</b></p>
    <dl>
      ${entry("URL", html`<span class="value">${callback.url}</span>`)}
      ${entry(texts.attempts, callback.attempts)}
      ${callback.attempts ? entry(texts.lastStatus, callback.lastStatus ?? texts.noAnswer) : nothing}
      ${callback.nextAt
        ? entry(texts.nextAttempt, html`${time(app, callback.nextAt)}, ${until(callback.nextAt, app.now())}`)
        : nothing}
    </dl>
  </section>`;
}

/** @param {Job} job */
function copies(job) {
  const kept = job.keptOutputs;
  if (!kept?.length) return nothing;
  return html`<section class="panel">
    <h2>${texts.copies}</h2>
    <dl>
      ${kept.map((one) =>
        entry(
          texts.outputOf(one.index + 1, kept.length),
          one.error
            ? html`<span class="complaint">${texts.notKept(one.error)}</span>`
            : html`<span class="value">${one.uri}</span>
                <small>${one.contentType}, ${size(one.bytes ?? 0)}</small>`,
        ),
      )}
    </dl>
  </section>`;
}

/** @param {App} app @param {Job} job */
function details(app, job) {
  /** @type {[string, unknown][]} */
  const all = [
    ["id", html`<code>${job.id}</code>`],
    ["providerJobId", job.providerJobId && html`<code>${job.providerJobId}</code>`],
    ["providerStatus", job.providerStatus],
    ["path", job.path],
    ["finishedBy", job.finishedBy],
    ["credits", job.credits === null ? texts.unknownCredits : number(job.credits)],
    ["priority", texts.choices[job.priority]],
    ["onUnconfirmed", texts.choices[job.onUnconfirmed]],
    ["createdAt", time(app, job.createdAt)],
    ["submittedAt", job.submittedAt && time(app, job.submittedAt)],
    ["finishedAt", job.finishedAt && time(app, job.finishedAt)],
    ["deadlineAt", time(app, job.deadlineAt)],
    ["retryOf", job.retryOf && html`<a href=${app.link({ view: "job", job: job.retryOf })}>${job.retryOf}</a>`],
  ];
  return html`<section class="panel">
    <h2>${texts.details}</h2>
    <dl>${all.map(([name, value]) => (value ? entry(texts.fields[name], value) : nothing))}</dl>
  </section>`;
}

/** @param {unknown} name @param {unknown} value */
function entry(name, value) {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** @param {string} url @param {string} text */
function link(url, text) {
  return html`<a href=${url} target="_blank" rel="noopener noreferrer">${text}</a>`;
}
