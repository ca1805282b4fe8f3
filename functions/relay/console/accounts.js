/** How the provider accounts stand, and what their operations cost and take. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { duration, number, roundDuration, title, until } from "./format.js";
import { time, troubleBanner } from "./parts.js";
import { Poller } from "./poller.js";
import { OPEN } from "./live_jobs.js";
import { noFilters } from "./address.js";
import { texts } from "./texts.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./api.js").Provider} Provider */
/** @typedef {import("./api.js").Operation} Operation */

const EVERY_MS = 10_000;

/** @param {App} app @returns {import("./app.js").View} */
export function createAccounts(app) {
  /** @type {Provider[] | null} */
  let providers = null;
  const poller = new Poller(
    async () => {
      providers = await app.api.providers();
    },
    { everyMs: EVERY_MS, onState: () => app.update() },
  );
  return {
    title: texts.accountsTitle,
    open: () => poller.start(),
    close: () => poller.stop(),
    render: () => html`<main id="content" class="accounts">
      <h1>${texts.accountsTitle}</h1>
      ${troubleBanner(app, poller)}
      ${providers === null
        ? html`<p class="empty">${texts.loading}</p>`
        : html`<div class="account-columns">${providers.map((one) => account(app, one))}</div>`}
    </main>`,
  };
}

/** @param {App} app @param {Provider} provider */
function account(app, provider) {
  const { account } = provider;
  return html`<section class="panel account" aria-labelledby="a-${provider.name}">
    <h2 id="a-${provider.name}">${title(provider.name)}</h2>
    ${account === null ? html`<p>${texts.off}</p>` : html`${standing(app, account)} ${numbers(app, provider.name, account)}`}
    <h3>${texts.operations}</h3>
    <div class="scrolls" tabindex="0" role="region" aria-label="${title(provider.name)}: ${texts.operations}">
      <table>
        <thead>
          <tr>
            <th scope="col">${texts.operation}</th>
            <th scope="col">${texts.credits}</th>
            <th scope="col">${texts.usualTime}</th>
            <th scope="col">${texts.source}</th>
          </tr>
        </thead>
        <tbody>
          ${provider.catalogue.operations.map(
            (one) => html`<tr>
              <th scope="row">${title(one.name)} ${one.isLegacy ? html`<small>${texts.legacy}</small>` : nothing}</th>
              <td>${creditsOf(one)}</td>
              <td>${duration(one.expected.seconds * 1000)}</td>
              <td title=${one.expected.source}>${sourceOf(one)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** @param {App} app @param {NonNullable<Provider["account"]>} account */
function standing(app, account) {
  const { hold, pause } = account;
  const stop = hold ?? pause;
  if (!stop) return html`<p class="standing is-good">${texts.accepting}</p>`;
  const why = hold
    ? texts.onHold(texts.holds[hold.code] ?? hold.code, hold.httpStatus)
    : texts.onPause(texts.pauses[pause?.reason ?? ""] ?? "");
  return html`<div class="banner ${hold ? "is-bad" : "is-warning"}">
    <p><b>${why}</b> ${texts.stoppedSince} ${time(app, stop.since)}.</p>
    <p>${texts.nextProbe} ${time(app, stop.nextProbeAt)}, ${until(stop.nextProbeAt, app.now())}.</p>
    <p>${texts.waitingHere}</p>
  </div>`;
}

/** @param {App} app @param {string} provider @param {NonNullable<Provider["account"]>} account */
function numbers(app, provider, account) {
  const mine = app.link({ view: "board", job: "", filters: { ...noFilters(), provider, status: OPEN } });
  return html`<dl class="numbers">
    <div><dt>${texts.openJobs}</dt><dd><a href=${mine}>${number(account.openJobs)}</a></dd></div>
    <div><dt>${texts.queuedJobs}</dt><dd>${number(account.queuedJobs)}</dd></div>
    <div><dt>${texts.callLimit}</dt><dd>${texts.limit(account.limit.calls, roundDuration(account.limit.windowSeconds * 1000))}</dd></div>
  </dl>`;
}

/** @param {Operation} operation */
export function creditsOf(operation) {
  const { amount, withField } = operation.credits;
  const special = Object.entries(withField).map(([field, one]) => texts.perField(field, number(one)));
  return [amount === null ? texts.unknownCredits : number(amount), ...special].join(", ");
}

/** @param {Operation} operation */
function sourceOf(operation) {
  const { source } = operation.expected;
  if (source.startsWith("median of")) return html`<b>${texts.learnt}</b>`;
  return source.includes("guess") ? texts.guess : texts.documented;
}
