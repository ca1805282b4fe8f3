/** Starts the console: the key, the address, the view that belongs to it, and what all views share. */

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { createAccounts } from "./accounts.js";
import { failureText } from "./actions.js";
import { readAddress, takeKey, writeAddress } from "./address.js";
import { Api } from "./api.js";
import { createBoard } from "./board.js";
import { createForm } from "./create.js";
import { createJob } from "./job.js";
import { forgetCopies } from "./pictures.js";
import { isSharedOrigin, signIn } from "./sign_in.js";
import { texts } from "./texts.js";

/** @typedef {import("./address.js").Address} Address */
/** @typedef {import("./vendor/lit-html/lit-html.js").TemplateResult} TemplateResult */
/**
 * A view: opened, perhaps closed and opened again, with what it shows kept meanwhile.
 *
 * @typedef {Object} View
 * @property {string} title
 * @property {() => TemplateResult} render
 * @property {() => void} open
 * @property {() => void} close
 * @property {() => (() => void) | null} [keepPlace]  Asked before drawing; the answer is called after.
 */
/**
 * @typedef {Object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} yes
 * @property {string} no
 * @property {boolean} isDanger
 * @property {() => Promise<void>} act
 */

const KEY = "render-relay-key";
const TOLD_FOR_MS = 6_000;

export class App {
  #root;
  /** @type {Api | null} */
  #api = null;
  /** @type {View | null} */
  #view = null;
  /** The board is kept while a job is looked at. @type {{view: View, of: string} | null} */
  #board = null;
  #complaint = "";
  #isDue = false;
  #told = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #toldTimer;
  #lookup = "";
  /** @type {Promise<import("./api.js").Provider[]> | null} */
  #catalogue = null;
  /** @type {(Question & {isActing: boolean, failure: string}) | null} */
  #question = null;
  /** What a view shows in a dialog of its own. @type {(() => TemplateResult) | null} */
  #dialog = null;

  /** @type {Address} */
  address = readAddress(location.search);

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /** @returns {Api} of the key that was given */
  get api() {
    if (this.#api === null) throw new Error("nobody has signed in");
    return this.#api;
  }

  now() {
    return this.#api?.now() ?? Date.now();
  }

  start() {
    const given = takeKey();
    if (!isSharedOrigin()) {
      const key = given ?? remembered();
      if (key) this.#signIn(key);
    }
    addEventListener("popstate", () => this.#follow());
    addEventListener("hashchange", () => {
      const key = takeKey();
      if (key && !isSharedOrigin()) this.#signIn(key);
    });
    this.#root.addEventListener("click", (event) => this.#followLink(event));
    setInterval(() => {
      if (!document.hidden) this.update();
    }, 1_000);
    this.update();
  }

  /** Draws everything again, once, soon. */
  update() {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  /**
   * Goes to another address.
   *
   * @param {Partial<Address>} change
   * @param {{replace?: boolean}} [how]
   */
  go(change, { replace = false } = {}) {
    const query = writeAddress({ ...this.address, ...change });
    if (replace) history.replaceState(null, "", query);
    else history.pushState(null, "", query);
    this.#follow();
  }

  /** Returns the address of another view. @param {Partial<Address>} change */
  link(change) {
    return writeAddress({ ...this.address, ...change });
  }

  /** Says something to everybody, screen readers too. @param {string} text */
  tell(text) {
    this.#told = text;
    clearTimeout(this.#toldTimer);
    this.#toldTimer = setTimeout(() => {
      this.#told = "";
      this.update();
    }, TOLD_FOR_MS);
    this.update();
  }

  /** Says something to screen readers alone. @param {string} text */
  announce(text) {
    const region = document.getElementById("announcements");
    if (region) region.textContent = text;
  }

  /** Asks before something is done. @param {Question} question */
  confirm(question) {
    this.#question = { ...question, isActing: false, failure: "" };
    this.showDialog(() => this.#confirmation());
  }

  /** @param {() => TemplateResult} dialog */
  showDialog(dialog) {
    this.#dialog = dialog;
    this.#draw();
    const element = /** @type {HTMLDialogElement} */ (document.getElementById("dialog"));
    if (!element.open) element.showModal();
  }

  closeDialog() {
    const element = /** @type {HTMLDialogElement | null} */ (document.getElementById("dialog"));
    element?.close();
  }

  /** The providers, read once. */
  catalogue() {
    this.#catalogue ??= this.api.providers().catch((error) => {
      this.#catalogue = null;
      throw error;
    });
    return this.#catalogue;
  }

  /** @param {string} key */
  #signIn(key) {
    this.#signOut("");
    // No key of the relay has anything else, and a header could not carry it.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      this.#complaint = key ? texts.keyRefused : texts.keyMissing;
      this.update();
      return;
    }
    remember(key);
    this.#api = new Api(key, () => this.#signOut(texts.keyRefused));
    this.#follow();
  }

  /** @param {string} complaint */
  #signOut(complaint) {
    this.closeDialog();
    this.#view?.close();
    this.#view = this.#board = this.#api = this.#catalogue = null;
    forgetCopies();
    forget();
    this.#complaint = complaint;
    this.update();
  }

  #follow() {
    this.address = readAddress(location.search);
    if (this.#api === null) return;
    this.closeDialog();
    this.#view?.close();
    this.#view = this.#viewOf(this.address);
    this.#view.open();
    this.#draw();
    if (this.#view !== this.#board?.view) scrollTo(0, 0);
  }

  /** @param {Address} address @returns {View} */
  #viewOf(address) {
    if (address.view === "job") return createJob(this, address.job);
    if (address.view === "accounts") return createAccounts(this);
    if (address.view === "new" && !address.readOnly) return createForm(this);
    const of = JSON.stringify(address.filters);
    if (this.#board?.of !== of) this.#board = { view: createBoard(this, address.filters), of };
    return this.#board.view;
  }

  /** @param {MouseEvent} event */
  #followLink(event) {
    const link = /** @type {Element} */ (event.target).closest("a");
    const href = link?.getAttribute("href") ?? "";
    const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!href.startsWith("?") || !isPlain || event.defaultPrevented) return;
    event.preventDefault();
    history.pushState(null, "", href);
    this.#follow();
  }

  #draw() {
    const title = this.#view?.title;
    document.title = title ? `${title} · ${texts.product}` : texts.product;
    const putBack = this.#view?.keepPlace?.();
    render(this.#page(), this.#root);
    putBack?.();
  }

  #page() {
    if (this.#view === null) {
      return html`${this.#header()}
      ${signIn({ complaint: this.#complaint, onKey: (key) => this.#signIn(key) })}`;
    }
    return html`
      <a class="skip" href="#content">${texts.skipToContent}</a>
      ${this.#header()} ${this.#view.render()}
      <p id="announcements" class="hidden-text" role="status"></p>
      <p class="toast" role="status">${this.#told ? html`<span>${this.#told}</span>` : nothing}</p>
      <dialog id="dialog" aria-labelledby="dialog-title" @close=${() => this.#closed()}>
        ${this.#dialog?.() ?? nothing}
      </dialog>
    `;
  }

  #closed() {
    this.#dialog = null;
    this.#question = null;
    this.update();
  }

  #header() {
    const { view, readOnly } = this.address;
    /** @param {Address["view"]} to @param {string} label */
    const tab = (to, label) =>
      html`<a href=${this.link({ view: to, job: "" })} aria-current=${view === to ? "page" : nothing}>${label}</a>`;
    return html`<header class="top">
      <span class="brand"><span class="mark" aria-hidden="true"></span>${texts.product}</span>
      ${this.#view === null
        ? nothing
        : html`<nav aria-label=${texts.nav}>
              ${tab("board", texts.board)} ${tab("accounts", texts.accounts)}
              ${readOnly ? nothing : tab("new", texts.newJob)}
            </nav>
            <form class="lookup" role="search" @submit=${(/** @type {SubmitEvent} */ event) => this.#lookUp(event)}>
              <input
                name="id"
                type="search"
                aria-label="${texts.openById}: ${texts.openByIdHint}"
                placeholder=${texts.openById}
                autocomplete="off"
                spellcheck="false"
              />
              <button class="button">${texts.open}</button>
            </form>
            ${readOnly ? html`<span class="read-only">${texts.readOnly}</span>` : nothing}
            <button type="button" class="button is-quiet" @click=${() => this.#signOut("")}>${texts.signOut}</button>`}
    </header>`;
  }

  /** Opens a job by our id or the provider's. @param {SubmitEvent} event */
  async #lookUp(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const id = String(new FormData(form).get("id") ?? "").trim();
    this.#lookup = id;
    if (!id) return;
    try {
      const found = await this.#find(id);
      if (this.#lookup !== id) return;
      if (found === null) {
        this.tell(texts.noSuchJob(id));
        return;
      }
      form.reset();
      this.go({ view: "job", job: found });
    } catch (error) {
      this.tell(failureText(error));
    }
  }

  /** @param {string} id @returns {Promise<string | null>} */
  async #find(id) {
    if (/^job_[a-z0-9]{26}$/i.test(id)) return id;
    const page = await this.api.list([
      ["providerJobId", id],
      ["pageSize", "1"],
    ]);
    return page.jobs[0]?.id ?? null;
  }

  #confirmation() {
    const question = this.#question;
    if (question === null) return html``;
    const act = async () => {
      question.isActing = true;
      question.failure = "";
      this.update();
      try {
        await question.act();
        this.closeDialog();
      } catch (error) {
        question.failure = failureText(error);
      } finally {
        question.isActing = false;
        this.update();
      }
    };
    return html`<h2 id="dialog-title">${question.title}</h2>
      <p>${question.text}</p>
      ${question.failure ? html`<p class="complaint" role="alert">${question.failure}</p>` : nothing}
      <div class="buttons">
        <button type="button" class="button" autofocus @click=${() => this.closeDialog()}>${question.no}</button>
        <button
          type="button"
          class="button ${question.isDanger ? "is-danger" : "is-main"}"
          ?disabled=${question.isActing}
          @click=${act}
        >
          ${question.yes}
        </button>
      </div>`;
  }
}

// A browser may refuse storage; the key is then asked for after each reload.
function remembered() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string} key */
function remember(key) {
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // See above.
  }
}

function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // See above.
  }
}

new App(/** @type {HTMLElement} */ (document.getElementById("console"))).start();
