/** Cancels or retries all jobs that match the filters, one request at a time. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { RETRYABLE, failureText, isRetryable, retryCost } from "./actions.js";
import { isFiltered } from "./address.js";
import { Problem } from "./api.js";
import { OPEN, allMatching } from "./live_jobs.js";
import { texts } from "./texts.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./app.js").App} App */

const LONGEST_WAIT_S = 60;
const MOST_TRIES = 5;
const MOST_FAILURES_SHOWN = 5;

/** @param {App} app @param {import("./address.js").Filters} filters @param {() => void} onDone */
export function showBulk(app, filters, onDone) {
  /** @type {"choose" | "counting" | "ask" | "working" | "done"} */
  let step = "choose";
  /** @type {"cancel" | "retry"} */
  let kind = "cancel";
  /** @type {Job[]} */
  let jobs = [];
  let found = 0;
  let done = 0;
  let cost = "";
  let isStopped = false;
  let failure = "";
  /** @type {string[]} */
  const failures = [];

  /** @param {"cancel" | "retry"} chosen */
  const count = async (chosen) => {
    kind = chosen;
    step = "counting";
    isStopped = false;
    failure = "";
    app.update();
    const wanted = kind === "cancel" ? OPEN : RETRYABLE;
    const status = filters.status.length ? wanted.filter((one) => filters.status.includes(one)) : wanted;
    try {
      jobs = status.length
        ? await allMatching(app.api, { ...filters, status }, (soFar) => {
            found = soFar;
            app.update();
            return !isStopped && isShown();
          })
        : [];
      if (isStopped || !isShown()) return;
      if (kind === "retry") jobs = jobs.filter(isRetryable);
      cost = kind === "cancel" ? texts.bulkCancelText(sent(jobs)) : await costOf(jobs);
      step = "ask";
    } catch (error) {
      failure = failureText(error);
      step = "choose";
    }
    app.update();
  };

  /** @param {Job[]} all */
  const costOf = async (all) => {
    let credits = 0;
    let unknown = 0;
    for (const job of all) {
      const one = await retryCost(app, job);
      if (one === null) unknown += 1;
      else credits += one;
    }
    return texts.bulkRetryCost(Math.round(credits * 100) / 100, unknown);
  };

  const work = async () => {
    step = "working";
    isStopped = false;
    const run = crypto.randomUUID();
    app.update();
    for (const job of jobs) {
      if (isStopped || !isShown()) break;
      try {
        await patiently(() =>
          kind === "cancel" ? app.api.cancel(job.id) : app.api.retry(job.id, `console-${run}-${job.id}`),
        );
      } catch (error) {
        failures.push(`${job.id}: ${failureText(error)}`);
      }
      done += 1;
      app.update();
    }
    step = "done";
    app.announce(isStopped ? texts.bulkStopped : texts.bulkDone);
    app.update();
    onDone();
  };

  /** Repeats a request that the relay was too busy for. @param {() => Promise<Job>} request */
  const patiently = async (request) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await request();
      } catch (error) {
        const mayRepeat = error instanceof Problem && error.isTransient && tries < MOST_TRIES;
        if (!mayRepeat || isStopped) throw error;
        const waitS = Math.min(LONGEST_WAIT_S, error.retryAfterS || 2 ** tries);
        await new Promise((resolve) => setTimeout(resolve, waitS * 1000));
      }
    }
  };

  const stop = () => {
    isStopped = true;
    if (step === "counting") step = "choose";
    app.update();
  };
  const close = () => {
    isStopped = true;
    app.closeDialog();
  };
  // Whoever closes the dialog, by the Escape key too, stops it.
  const isShown = () => document.querySelector("#dialog[open] .bulk") !== null;

  /** @param {string} label @param {() => void} act @param {string} [look] */
  const button = (label, act, look = "") =>
    html`<button type="button" class="button ${look}" @click=${act}>${label}</button>`;

  const body = () => {
    if (step === "choose") {
      return html`<div class="buttons is-stacked">
        ${button(texts.bulkCancel, () => count("cancel"))} ${button(texts.bulkRetry, () => count("retry"))}
        ${button(texts.close, close, "is-quiet")}
      </div>`;
    }
    if (step === "counting") {
      return html`<p role="status">${found ? texts.countingSoFar(found) : texts.counting}</p>
        <div class="buttons">${button(texts.bulkStop, stop)}</div>`;
    }
    if (step === "ask") {
      const said = kind === "cancel" ? texts.bulkCancelCount(jobs.length) : texts.bulkRetryCount(jobs.length);
      if (!jobs.length) {
        return html`<p role="status">${said} ${texts.bulkNothing}</p>
          <div class="buttons">${button(texts.close, close)}</div>`;
      }
      const yes = kind === "cancel" ? texts.bulkCancelYes(jobs.length) : texts.bulkRetryYes(jobs.length);
      return html`<p role="status"><b>${said}</b> ${cost}</p>
        <div class="buttons">
          ${button(texts.notNow, close)} ${button(yes, work, kind === "cancel" ? "is-danger" : "is-main")}
        </div>`;
    }
    return html`<progress aria-label=${texts.bulkTitle} max=${jobs.length} .value=${done}></progress>
      <p role="status">
        ${texts.bulkProgress(done, jobs.length)}
        ${step === "done" ? (isStopped && done < jobs.length ? texts.bulkStopped : texts.bulkDone) : nothing}
      </p>
      ${failures.length
        ? html`<p class="complaint">${texts.bulkFailed(failures.length)}</p>
            <ul class="failures">
              ${failures.slice(0, MOST_FAILURES_SHOWN).map((one) => html`<li>${one}</li>`)}
            </ul>`
        : nothing}
      <div class="buttons">${step === "working" ? button(texts.bulkStop, stop) : button(texts.close, close)}</div>`;
  };

  app.showDialog(
    () => html`<div class="bulk">
      <h2 id="dialog-title">${texts.bulkTitle}</h2>
      ${isFiltered(filters) ? nothing : html`<p>${texts.bulkNoFilter}</p>`}
      ${failure ? html`<p class="complaint" role="alert">${failure}</p>` : nothing} ${body()}
    </div>`,
  );
}

/** @param {Job[]} jobs */
function sent(jobs) {
  return jobs.filter((job) => job.status !== "queued").length;
}
