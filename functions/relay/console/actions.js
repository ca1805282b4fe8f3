/** What can be done to a job, each after a confirmation that says what it costs. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { Problem, Unreachable } from "./api.js";
import { isOpen } from "./live_jobs.js";
import { texts } from "./texts.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./app.js").App} App */

export const RETRYABLE = ["failed", "cancelled", "unconfirmed"];

/** Whether the relay knows the input that a retry needs. @param {Job} job */
export function isRetryable(job) {
  return RETRYABLE.includes(job.status) && job.input !== null;
}

/** Returns what a new job like this one costs in credits; null where it is not known. */
/** @param {App} app @param {Job} job @returns {Promise<number | null>} */
export async function retryCost(app, job) {
  // A job that ended before it was sent has cost nothing, but another try would.
  if (job.credits !== 0) return job.credits;
  const operation = (await app.catalogue())
    .find((one) => one.name === job.provider)
    ?.catalogue.operations.find((one) => one.name === job.operation);
  if (!operation) return null;
  const input = /** @type {Record<string, unknown>} */ (job.input ?? {});
  const withField = Object.entries(operation.credits.withField).find(([name]) => name in input);
  return withField ? withField[1] : operation.credits.amount;
}

/**
 * The buttons of a job.
 *
 * @param {App} app
 * @param {Job} job
 * @param {(job: Job) => void} onChange
 */
export function actionButtons(app, job, onChange) {
  if (app.address.readOnly) return nothing;
  return html`
    ${isOpen(job)
      ? html`<button type="button" class="button is-danger" @click=${() => cancel(app, job, onChange)}>
          ${texts.cancel}
        </button>`
      : nothing}
    ${isRetryable(job)
      ? html`<button type="button" class="button is-main" @click=${() => retry(app, job)}>
          ${texts.retry}
        </button>`
      : nothing}
    ${job.callback && job.callback.status !== "waiting"
      ? html`<button type="button" class="button" @click=${() => redeliver(app, job)}>
          ${texts.redeliver}
        </button>`
      : nothing}
  `;
}

/** @param {App} app @param {Job} job @param {(job: Job) => void} onChange */
function cancel(app, job, onChange) {
  app.confirm({
    title: texts.cancelTitle,
    text: texts.cancelText(job.status !== "queued"),
    yes: texts.cancelYes,
    no: texts.keepIt,
    isDanger: true,
    act: async () => {
      onChange(await app.api.cancel(job.id));
      app.tell(texts.cancelledDone);
    },
  });
}

/** @param {App} app @param {Job} job */
async function retry(app, job) {
  // One key for all tries of this one decision, so that a lost answer cannot make two jobs.
  const key = `console-${crypto.randomUUID()}`;
  const cost = await retryCost(app, job).catch(() => null);
  const doubt = job.status === "unconfirmed" ? ` ${texts.retryUnconfirmed}` : "";
  app.confirm({
    title: texts.retryTitle,
    text: `${texts.retryText} ${texts.costs(cost)}${doubt}`,
    yes: texts.retryYes,
    no: texts.notNow,
    isDanger: false,
    act: async () => {
      const created = await app.api.retry(job.id, key);
      app.tell(texts.retriedDone);
      app.go({ view: "job", job: created.id });
    },
  });
}

/** @param {App} app @param {Job} job */
function redeliver(app, job) {
  app.confirm({
    title: texts.redeliverTitle,
    text: texts.redeliverText,
    yes: texts.redeliverYes,
    no: texts.notNow,
    isDanger: false,
    act: async () => {
      await app.api.redeliver(job.id);
      app.tell(texts.redeliveredDone);
    },
  });
}

/** Says what went wrong, in words. @param {unknown} error */
export function failureText(error) {
  if (error instanceof Unreachable) return texts.unreachable;
  if (error instanceof Problem) return `${texts.failedDone}: ${error.message}`;
  throw error;
}
