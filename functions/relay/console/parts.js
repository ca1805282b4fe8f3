/** Small pieces that several views show. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { age, clockTime, wholeTime } from "./format.js";
import { texts } from "./texts.js";

/** @param {string} status */
export function badge(status) {
  return html`<span class="badge is-${status}">${texts.status[status] ?? status}</span>`;
}

/** A moment as a clock shows it. @param {import("./app.js").App} app @param {string} moment */
export function time(app, moment) {
  return html`<time datetime=${moment} title=${wholeTime(moment)}
    >${clockTime(moment, app.now())}</time
  >`;
}

/** How long ago a moment was. @param {import("./app.js").App} app @param {string} moment */
export function ageOf(app, moment) {
  return html`<time datetime=${moment} title=${wholeTime(moment)}>${age(moment, app.now())}</time>`;
}

/** @param {Readonly<Record<string, string>>} metadata */
export function metadataTags(metadata) {
  const pairs = Object.entries(metadata);
  if (!pairs.length) return nothing;
  return html`<ul class="tags">
    ${pairs.map(([key, value]) => html`<li title="${key}: ${value}"><b>${key}</b> ${value}</li>`)}
  </ul>`;
}

/**
 * @param {import("./app.js").App} app
 * @param {string} label
 * @param {() => string} text
 */
export function copyButton(app, label, text) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      app.tell(texts.copied);
    } catch {
      app.tell(texts.copyFailed);
    }
  };
  return html`<button type="button" class="button" @click=${copy}>${label}</button>`;
}

/**
 * What stopped the view from being kept up to date.
 *
 * @param {import("./app.js").App} app
 * @param {import("./poller.js").Poller} poller
 */
export function troubleBanner(app, poller) {
  const { trouble } = poller;
  if (trouble === null) return nothing;
  const since = clockTime(new Date(trouble.since).toISOString(), app.now());
  const words = trouble.isRefusal ? texts.refused(trouble.message) : texts.trouble(since, trouble.message);
  return html`<p class="banner is-bad">${words}</p>`;
}
