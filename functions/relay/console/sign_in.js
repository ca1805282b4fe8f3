/** Asks for the key. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { texts } from "./texts.js";

/** Whether other functions of the project could read what this tab keeps. */
export function isSharedOrigin() {
  return location.hostname.endsWith(".cloudfunctions.net");
}

/**
 * @param {{complaint: string, onKey: (key: string) => void}} options
 */
export function signIn({ complaint, onKey }) {
  if (isSharedOrigin()) {
    return html`<main class="sign-in panel" id="content">
      <h1>${texts.sharedOriginTitle}</h1>
      <p>${texts.sharedOrigin}</p>
    </main>`;
  }
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    onKey(String(new FormData(form).get("key") ?? "").trim());
  };
  return html`<main class="sign-in panel" id="content">
    <h1>${texts.signInTitle}</h1>
    <p>${texts.signInText}</p>
    <form @submit=${submit}>
      <label for="key">${texts.key}</label>
      <input
        id="key"
        name="key"
        type="password"
        autocomplete="off"
        spellcheck="false"
        aria-invalid=${complaint ? "true" : "false"}
        aria-describedby=${complaint ? "key-complaint" : nothing}
      />
      ${complaint ? html`<p id="key-complaint" class="complaint" role="alert">${complaint}</p>` : nothing}
      <button class="button is-main">${texts.signIn}</button>
    </form>
  </main>`;
}
