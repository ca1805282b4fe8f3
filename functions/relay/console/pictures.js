/** Pictures of jobs: before, after, and both under a slider. */

import { html } from "./vendor/lit-html/lit-html.js";
import { webUrl } from "./format.js";
import { texts } from "./texts.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {{url: string | null, kept: number | null}} Picture */

/** What providers call the picture of the room, in the order of preference. */
const BEFORE = ["url", "imageUrl"];

/** Where a kept copy was read to, by job and index; null while it is read or if it is not there. */
/** @type {Map<string, string | null>} */
const copies = new Map();
/** Addresses that did not load in this tab. @type {Set<string>} */
const broken = new Set();

/** @param {Job} job @returns {string | null} */
export function before(job) {
  const input = /** @type {Record<string, unknown>} */ (job.input ?? {});
  return BEFORE.map((name) => webUrl(input[name])).find((url) => url !== null) ?? null;
}

/** @param {Job} job @returns {Picture[]} */
export function after(job) {
  const urls = (job.outputs.length ? job.outputs : (job.lateOutputs ?? [])).map((one) => one.url);
  return urls.map((url, index) => {
    const kept = job.keptOutputs?.find((one) => one.index === index && !one.error);
    return { url: webUrl(url), kept: kept ? index : null };
  });
}

/**
 * A picture, or what stands in its place. A kept copy is read when the provider's URL is dead.
 *
 * @param {import("./app.js").App} app
 * @param {Job} job
 * @param {Picture} picture
 * @param {string} alt
 */
export function image(app, job, picture, alt) {
  const { url, kept } = picture;
  if (url !== null && !broken.has(url)) return img(app, url, alt);
  if (kept !== null) {
    const copy = keptCopy(app, job, kept);
    if (copy) return img(app, copy, alt);
  }
  return html`<span class="no-picture" role="img" aria-label="${alt}: ${texts.pictureGone}"
    ><span aria-hidden="true">${texts.pictureGone}</span></span
  >`;
}

/** @param {import("./app.js").App} app @param {string} url @param {string} alt */
function img(app, url, alt) {
  const gone = () => {
    broken.add(url);
    app.update();
  };
  return html`<img
    src=${url}
    alt=${alt}
    loading="lazy"
    decoding="async"
    referrerpolicy="no-referrer"
    @error=${gone}
  />`;
}

/** @param {import("./app.js").App} app @param {Job} job @param {number} index */
function keptCopy(app, job, index) {
  const name = `${job.id}/${index}`;
  const known = copies.get(name);
  if (known === undefined) {
    copies.set(name, null);
    app.api
      .output(job.id, index)
      .then((blob) => {
        copies.set(name, URL.createObjectURL(blob));
        app.update();
      })
      .catch(() => {
        // The place of the picture says that it is gone.
      });
  }
  return known ?? null;
}

/** Forgets the copies, which belong to a key. */
export function forgetCopies() {
  for (const url of copies.values()) if (url) URL.revokeObjectURL(url);
  copies.clear();
}

/**
 * Before and after in one frame, divided by a slider.
 *
 * @param {import("./app.js").App} app
 * @param {Job} job
 * @param {string} beforeUrl
 * @param {Picture} picture
 */
export function compared(app, job, beforeUrl, picture) {
  return html`<div class="compare">
    ${image(app, job, { url: beforeUrl, kept: null }, texts.beforeOf(job.operation))}
    <div class="compare-after">${image(app, job, picture, texts.afterOf(job.operation))}</div>
    <span class="compare-line" aria-hidden="true"></span>
    <input
      type="range"
      min="0"
      max="100"
      value="50"
      step="1"
      aria-label=${texts.slider}
      @input=${slide}
    />
    <span class="tag tag-before" aria-hidden="true">${texts.before}</span>
    <span class="tag tag-after" aria-hidden="true">${texts.after}</span>
  </div>`;
}

/** @param {Event} event */
function slide(event) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  // Through the object model: the policy allows no style attributes.
  input.parentElement?.style.setProperty("--at", `${input.value}%`);
}

