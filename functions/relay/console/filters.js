/** The board's filters, which are kept in the address. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { SPANS, isFiltered, noFilters } from "./address.js";
import { title } from "./format.js";
import { texts } from "./texts.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./address.js").Filters} Filters */

const OWN_SPAN = "own";

/**
 * @param {App} app
 * @param {import("./api.js").Provider[]} providers  Empty until they are known.
 * @param {{isOwnSpan: boolean, setOwnSpan: (isOwn: boolean) => void}} span
 */
export function filterForm(app, providers, span) {
  const { filters } = app.address;
  /** @param {Partial<Filters>} change */
  const set = (change) => app.go({ filters: { ...filters, ...change } }, { replace: true });
  /** @param {Event} event @returns {string} */
  const value = (event) => /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value;

  const operations = providers
    .filter((one) => !filters.provider || one.name === filters.provider)
    .flatMap((one) => one.catalogue.operations.map((operation) => operation.name));
  const isOwnSpan = span.isOwnSpan || filters.createdAfter !== "" || filters.createdBefore !== "";

  /** @param {Event} event */
  const setSpan = (event) => {
    const chosen = value(event);
    span.setOwnSpan(chosen === OWN_SPAN);
    set({ within: chosen in SPANS ? chosen : "", createdAfter: "", createdBefore: "" });
  };
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    set({
      metadataKey: String(given.get("metadataKey") ?? "").trim(),
      metadataValue: String(given.get("metadataValue") ?? ""),
    });
  };

  return html`<form class="filters" aria-label=${texts.filters} @submit=${submit} @change=${submitOnChange}>
    ${select(
      texts.provider,
      filters.provider,
      [["", texts.any], ...named(providers.map((one) => one.name), filters.provider)],
      (event) => set({ provider: value(event), operation: "" }),
    )}
    ${select(
      texts.operation,
      filters.operation,
      [["", texts.any], ...named(operations, filters.operation)],
      (event) => set({ operation: value(event) }),
    )}
    ${select(
      texts.created,
      isOwnSpan ? OWN_SPAN : filters.within,
      [["", texts.anyTime], ...Object.entries(texts.spans), [OWN_SPAN, texts.ownSpan]],
      setSpan,
    )}
    ${isOwnSpan
      ? html`${moment(texts.from, filters.createdAfter, (at) => set({ createdAfter: at }))}
        ${moment(texts.to, filters.createdBefore, (at) => set({ createdBefore: at }))}`
      : nothing}
    <fieldset class="pair-of-fields">
      <legend class="hidden-text">${texts.metadata}</legend>
      ${part("metadataKey", texts.metadataKey, 40, filters.metadataKey)}
      <span aria-hidden="true">=</span>
      ${part("metadataValue", texts.metadataValue, 500, filters.metadataValue)}
      <button class="hidden-text">${texts.filters}</button>
    </fieldset>
    ${isFiltered(filters)
      ? html`<button
          type="button"
          class="button is-quiet"
          @click=${() => {
            span.setOwnSpan(false);
            set(noFilters());
          }}
        >
          ${texts.clear}
        </button>`
      : nothing}
  </form>`;
}

/** The statuses with how many jobs each has; each switches its filter. */
/** @param {App} app @param {import("./api.js").Job[]} jobs */
export function statusChips(app, jobs) {
  const { filters } = app.address;
  /** @type {Record<string, number>} */
  const counts = {};
  for (const job of jobs) counts[job.status] = (counts[job.status] ?? 0) + 1;
  /** @param {string} status */
  const toggle = (status) => {
    const others = filters.status.filter((one) => one !== status);
    const chosen = others.length < filters.status.length ? others : [...others, status];
    app.go({ filters: { ...filters, status: chosen } }, { replace: true });
  };
  return html`<div class="chips" role="group" aria-label=${texts.statuses}>
    ${Object.entries(texts.status).map(
      ([status, label]) => html`<button
        type="button"
        class="chip is-${status}"
        aria-pressed=${filters.status.includes(status) ? "true" : "false"}
        @click=${() => toggle(status)}
      >
        <b>${counts[status] ?? 0}</b> ${label}
      </button>`,
    )}
  </div>`;
}

/** @param {Event} event */
function submitOnChange(event) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  // A value without its key, or a key whose value is still to be typed, filters nothing yet.
  if (input.name === "metadataValue" || (input.name === "metadataKey" && !input.value)) form.requestSubmit();
}

/** @param {string[]} names @param {string} chosen @returns {[string, string][]} */
function named(names, chosen) {
  const all = new Set(chosen ? [chosen, ...names] : names);
  return [...all].sort().map((name) => [name, title(name)]);
}

/**
 * @param {string} label
 * @param {string} chosen
 * @param {[string, string][]} options
 * @param {(event: Event) => void} onChange
 */
function select(label, chosen, options, onChange) {
  return html`<label class="field">
    <span>${label}</span>
    <select @change=${onChange}>
      ${options.map(([name, text]) => html`<option value=${name} .selected=${name === chosen}>${text}</option>`)}
    </select>
  </label>`;
}

/** @param {string} name @param {string} label @param {number} longest @param {string} value */
function part(name, label, longest, value) {
  return html`<input name=${name} aria-label=${label} placeholder=${label} maxlength=${longest} .value=${value} />`;
}

/** @param {string} label @param {string} at @param {(at: string) => void} onChange */
function moment(label, at, onChange) {
  /** @param {Event} event */
  const change = (event) => {
    const given = /** @type {HTMLInputElement} */ (event.target).value;
    onChange(given ? new Date(given).toISOString() : "");
  };
  return html`<label class="field">
    <span>${label}</span>
    <input type="datetime-local" .value=${localMinute(at)} @change=${change} />
  </label>`;
}

/** Writes a moment as the input wants it: in the reader's zone. @param {string} at */
function localMinute(at) {
  if (!at) return "";
  const shifted = Date.parse(at) - new Date(at).getTimezoneOffset() * 60_000;
  return new Date(shifted).toISOString().slice(0, 16);
}
