/** The form for a new job, made from what the relay says of its providers' operations. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { creditsOf } from "./accounts.js";
import { failureText } from "./actions.js";
import { Problem, Unreachable } from "./api.js";
import { title } from "./format.js";
import { copyButton } from "./parts.js";
import { SNIPPETS } from "./snippets.js";
import { texts } from "./texts.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./api.js").Operation} Operation */
/** @typedef {Operation["fields"][number]} Field */
/** @typedef {{text: string, error: string}} Entry  What was typed, and what is wrong with it. */

const PRIORITIES = ["normal", "low"];
const DOUBTS = ["wait", "resubmit"];

/** @param {App} app @returns {import("./app.js").View} */
export function createForm(app) {
  /** @type {import("./api.js").Provider[]} */
  let providers = [];
  let chosen = "";
  let language = "curl";
  /** @type {Map<string, string>} What was typed, by field. */
  const typed = new Map();
  /** @type {Map<string, string>} What is wrong, by JSON pointer. */
  let wrong = new Map();
  let failure = "";
  let isSending = false;
  // Stays the same while the same request is tried again, so that it makes one job.
  let idempotency = { key: "", of: "" };

  const current = () => {
    const [provider, name] = chosen.split("/");
    const operation = providers
      .find((one) => one.name === provider)
      ?.catalogue.operations.find((one) => one.name === name);
    return operation ? { provider, operation } : null;
  };

  /** Returns the body, and what could not be read, by JSON pointer. */
  const request = () => {
    const now = current();
    /** @type {Record<string, unknown>} */
    const body = {};
    /** @type {Map<string, string>} */
    const mistakes = new Map();
    if (now === null) return { body, mistakes };
    body.provider = now.provider;
    body.operation = now.operation.name;
    const isRaw = now.operation.path === null;
    if (isRaw) body.path = typed.get("path") ?? "";
    /** @type {Record<string, unknown>} */
    const input = {};
    for (const field of now.operation.fields) {
      const text = typed.get(`${chosen}/${field.name}`) ?? "";
      if (text === "") continue;
      try {
        input[field.name] = parsed(field, text);
      } catch {
        mistakes.set(`/input/${field.name}`, texts.notJson);
      }
    }
    body.input = input;
    if (!now.operation.isComplete) {
      const text = typed.get(`${chosen}//more`) ?? "";
      try {
        const more = text.trim() === "" ? {} : JSON.parse(text);
        if (typeof more !== "object" || more === null || Array.isArray(more)) throw new SyntaxError();
        Object.assign(input, more);
      } catch {
        mistakes.set("/input", texts.notObject);
      }
    }
    const metadata = pairs(typed.get("metadata") ?? "");
    if (Object.keys(metadata).length) body.metadata = metadata;
    const deadline = typed.get("deadlineSeconds");
    if (deadline) body.deadlineSeconds = Number(deadline);
    for (const name of ["priority", "onUnconfirmed", "callbackUrl"]) {
      const text = typed.get(name);
      if (text && text !== "normal" && text !== "wait") body[name] = text;
    }
    return { body, mistakes };
  };

  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const { body, mistakes } = request();
    wrong = mistakes;
    failure = "";
    if (wrong.size) {
      app.update();
      return;
    }
    const of = JSON.stringify(body);
    if (idempotency.of !== of) idempotency = { key: `console-${crypto.randomUUID()}`, of };
    isSending = true;
    app.update();
    try {
      const job = await app.api.create(body, idempotency.key);
      idempotency = { key: "", of: "" };
      app.tell(texts.createdDone);
      app.go({ view: "job", job: job.id });
    } catch (error) {
      if (error instanceof Problem) wrong = byPointer(error.mistakes);
      failure = error instanceof Unreachable ? texts.unreachable : failureText(error);
    } finally {
      isSending = false;
      app.update();
    }
  };

  /** @param {string} name @param {string} text */
  const type = (name, text) => {
    typed.set(name, text);
    app.update();
  };

  const open = () => {
    app.catalogue().then(
      (known) => {
        providers = known.filter((one) => one.account !== null);
        const [first] = providers;
        if (!chosen && first) chosen = `${first.name}/${first.catalogue.operations[0].name}`;
        failure = "";
        app.update();
      },
      (error) => {
        failure = failureText(error);
        app.update();
      },
    );
  };

  const render = () => {
    const now = current();
    return html`<main id="content" class="create">
      <h1>${texts.newJob}</h1>
      ${now === null
        ? html`<p class=${failure ? "complaint" : "empty"}>${failure || texts.loading}</p>`
        : html`<div class="create-columns">
            <form class="panel" novalidate @submit=${submit}>
              ${chooser()} ${about(now.operation)} ${now.operation.path === null ? path(now.operation) : nothing}
              ${now.operation.fields.map((field) => inputField(field, now.operation))}
              ${now.operation.isComplete ? nothing : more()} ${options()}
              ${failure ? html`<p class="complaint" role="alert">${failure}</p>` : nothing}
              <div class="buttons">
                <button class="button is-main" ?disabled=${isSending}>${texts.create}</button>
              </div>
            </form>
            ${preview()}
          </div>`}
    </main>`;
  };

  const chooser = () => html`<label class="field is-wide">
    <span>${texts.chooseOperation}</span>
    <select
      @change=${(/** @type {Event} */ event) => {
        chosen = valueOf(event);
        wrong = new Map();
        failure = "";
        app.update();
      }}
    >
      ${providers.map(
        (one) => html`<optgroup label=${title(one.name)}>
          ${one.catalogue.operations.map((operation) => {
            const name = `${one.name}/${operation.name}`;
            return html`<option value=${name} .selected=${name === chosen}>${title(operation.name)}</option>`;
          })}
        </optgroup>`,
      )}
    </select>
  </label>`;

  /** @param {Operation} operation */
  const about = (operation) => html`<p class="small">
      ${texts.credits}: ${creditsOf(operation)}.
      ${operation.exactlyOneOf.length ? `${texts.oneOf(operation.exactlyOneOf.join(", "))}.` : nothing}
    </p>
    ${operation.notes.map((note) => html`<p class="small">${note}</p>`)}`;

  /** @param {Operation} operation */
  const path = (operation) =>
    wrapped({
      name: "path",
      label: texts.fields.path,
      pointer: "/path",
      isRequired: true,
      hint: operation.pathPattern ?? "",
      control: (attributes) => textInput("path", "path", attributes),
    });

  const more = () =>
    wrapped({
      name: "more",
      label: texts.rawInput,
      pointer: "/input",
      isRequired: false,
      hint: "",
      control: (attributes) => area(`${chosen}//more`, "more", attributes),
    });

  /** @param {Field} field @param {Operation} operation */
  const inputField = (field, operation) => {
    const name = `${chosen}/${field.name}`;
    const schema = /** @type {Schema} */ (field.schema);
    const [example] = schema.examples ?? [];
    const hints = [
      schema.description ?? "",
      field.knownValues.length || example === undefined || schema.type === "boolean" ? "" : texts.example(asText(example)),
      isList(field) ? texts.listHint : isJson(field) ? texts.jsonHint : "",
    ];
    return wrapped({
      name: field.name,
      label: field.name,
      pointer: `/input/${field.name}`,
      isRequired: field.required && !operation.exactlyOneOf.includes(field.name),
      hint: hints.filter(Boolean).join(" · "),
      control: (attributes) => {
        if (schema.type === "boolean") return choice(name, field.name, [["", texts.unset], ["true", texts.yes], ["false", texts.no]], attributes);
        if (schema.enum) return choice(name, field.name, [["", texts.unset], ...schema.enum.map(same)], attributes);
        if (isJson(field)) return area(name, field.name, attributes);
        return textInput(name, field.name, attributes, field);
      },
    });
  };

  const options = () => html`<details>
    <summary>${texts.options}</summary>
    ${wrapped({
      name: "metadata",
      label: texts.metadata,
      pointer: "/metadata",
      isRequired: false,
      hint: texts.metadataHint,
      control: (attributes) => area("metadata", "metadata", attributes),
    })}
    ${wrapped({
      name: "deadlineSeconds",
      label: texts.deadlineSeconds,
      pointer: "/deadlineSeconds",
      isRequired: false,
      hint: texts.deadlineHint,
      control: (attributes) => textInput("deadlineSeconds", "deadlineSeconds", { ...attributes, inputmode: "numeric" }),
    })}
    ${[
      { name: "priority", label: texts.priority, words: PRIORITIES },
      { name: "onUnconfirmed", label: texts.onUnconfirmed, words: DOUBTS },
    ].map(({ name, label, words }) =>
      wrapped({
        name,
        label,
        pointer: `/${name}`,
        isRequired: false,
        hint: "",
        control: (attributes) => choice(name, name, words.map((one) => [one, texts.choices[one]]), attributes),
      }),
    )}
    ${wrapped({
      name: "callbackUrl",
      label: texts.callbackUrl,
      pointer: "/callbackUrl",
      isRequired: false,
      hint: texts.callbackHint,
      control: (attributes) => textInput("callbackUrl", "callbackUrl", { ...attributes, inputmode: "url" }),
    })}
  </details>`;

  /**
   * A control with its label, its hint and what is wrong with it.
   *
   * @param {{name: string, label: string, pointer: string, isRequired: boolean, hint: string,
   *   control: (attributes: Attributes) => unknown}} field
   */
  const wrapped = ({ name, label, pointer, isRequired, hint, control }) => {
    const complaint = [...wrong].find(([at]) => at === pointer || at.startsWith(`${pointer}/`))?.[1] ?? "";
    const described = [hint && `hint-${name}`, complaint && `wrong-${name}`].filter(Boolean).join(" ");
    return html`<div class="form-row">
      <label for="f-${name}"
        >${label} ${isRequired ? html`<small>${texts.required}</small>` : nothing}</label
      >
      ${control({ isRequired, isWrong: complaint !== "", described, inputmode: "" })}
      ${hint ? html`<p class="small" id="hint-${name}">${hint}</p>` : nothing}
      ${complaint ? html`<p class="complaint" id="wrong-${name}">${complaint}</p>` : nothing}
    </div>`;
  };

  /** @typedef {{isRequired: boolean, isWrong: boolean, described: string, inputmode: string}} Attributes */

  /** @param {string} name @param {string} id @param {Attributes} attributes @param {Field} [field] */
  const textInput = (name, id, { isRequired, isWrong, described, inputmode }, field) => {
    const known = field?.knownValues ?? [];
    const kind = field && /** @type {Schema} */ (field.schema).type;
    const mode = inputmode || (kind === "number" || kind === "integer" ? "decimal" : "text");
    return html`<input
        id="f-${id}"
        type="text"
        inputmode=${mode}
        autocomplete="off"
        spellcheck="false"
        aria-required=${isRequired ? "true" : "false"}
        aria-invalid=${isWrong ? "true" : "false"}
        aria-describedby=${described || nothing}
        list=${known.length ? `known-${id}` : nothing}
        .value=${typed.get(name) ?? ""}
        @input=${(/** @type {Event} */ event) => type(name, valueOf(event))}
      />
      ${known.length
        ? html`<datalist id="known-${id}">${known.map((one) => html`<option value=${one}></option>`)}</datalist>`
        : nothing}`;
  };

  /** @param {string} name @param {string} id @param {Attributes} attributes */
  const area = (name, id, { isWrong, described }) => html`<textarea
    id="f-${id}"
    rows="3"
    spellcheck="false"
    aria-invalid=${isWrong ? "true" : "false"}
    aria-describedby=${described || nothing}
    .value=${typed.get(name) ?? ""}
    @input=${(/** @type {Event} */ event) => type(name, valueOf(event))}
  ></textarea>`;

  /** @param {string} name @param {string} id @param {string[][]} words @param {Attributes} attributes */
  const choice = (name, id, words, { isWrong, described }) => html`<select
    id="f-${id}"
    aria-invalid=${isWrong ? "true" : "false"}
    aria-describedby=${described || nothing}
    @change=${(/** @type {Event} */ event) => type(name, valueOf(event))}
  >
    ${words.map(
      ([word, label]) =>
        html`<option value=${word} .selected=${word === (typed.get(name) ?? words[0][0])}>${label}</option>`,
    )}
  </select>`;

  const preview = () => {
    const { body } = request();
    return html`<section class="panel preview" aria-label=${texts.request}>
      <div class="preview-head">
        <h2>${texts.request}</h2>
        <div class="segments" role="group" aria-label=${texts.request}>
          ${Object.keys(SNIPPETS).map(
            (name) => html`<button
              type="button"
              class="segment"
              aria-pressed=${language === name ? "true" : "false"}
              @click=${() => {
                language = name;
                app.update();
              }}
            >
              ${name}
            </button>`,
          )}
        </div>
        ${copyButton(app, texts.copy, () => SNIPPETS[language](request().body))}
      </div>
      <pre tabindex="0" aria-label=${texts.request}>${SNIPPETS[language](body)}</pre>
    </section>`;
  };

  return { title: texts.newJob, open, close: () => {}, render };
}

/**
 * @typedef {{type?: string, enum?: string[], examples?: unknown[], description?: string,
 *   anyOf?: Schema[], items?: Schema}} Schema
 */

/** @param {Field} field */
function isList(field) {
  const { type, items } = /** @type {Schema} */ (field.schema);
  return type === "array" && items?.type === "string";
}

/** @param {Field} field */
function isJson(field) {
  const { type } = /** @type {Schema} */ (field.schema);
  return (type === "array" && !isList(field)) || type === "object";
}

/** @param {Field} field @param {string} text @returns {unknown} */
function parsed(field, text) {
  const { type } = /** @type {Schema} */ (field.schema);
  if (isList(field)) return text.split(",").map((one) => one.trim()).filter(Boolean);
  if (isJson(field)) return JSON.parse(text);
  if (type === "boolean") return text === "true";
  // What is no number is sent as it is: the relay says best what is wrong with it.
  if ((type === "number" || type === "integer") && !Number.isNaN(Number(text))) return Number(text);
  return text;
}

/** @param {string} text */
function pairs(text) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const line of text.split("\n")) {
    const [key, ...value] = line.split("=");
    if (line.trim()) found[key.trim()] = value.join("=").trim();
  }
  return found;
}

/** @param {import("./api.js").Mistake[]} mistakes */
function byPointer(mistakes) {
  return new Map(mistakes.map((one) => [one.pointer ?? "", one.detail]));
}

/** @param {unknown} value */
function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** @param {string} word @returns {[string, string]} */
function same(word) {
  return [word, word];
}

/** @param {Event} event */
function valueOf(event) {
  return /** @type {HTMLInputElement} */ (event.target).value;
}
