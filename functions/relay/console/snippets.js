/** A request as code to copy: curl, Python, JavaScript. The key is never part of it. */

/** @typedef {Record<string, unknown>} Body */

/** @type {Readonly<Record<string, (body: Body) => string>>} */
export const SNIPPETS = {
  curl: (body) =>
    [
      `curl ${quoted(url())} \\`,
      `  -H "X-API-KEY: $RELAY_KEY" \\`,
      `  -H "Content-Type: application/json" \\`,
      `  -H "Idempotency-Key: $(uuidgen)" \\`,
      `  -d ${quoted(JSON.stringify(body, null, 2))}`,
    ].join("\n"),
  Python: (body) =>
    [
      "import os, uuid",
      "import requests",
      "",
      "answer = requests.post(",
      `    ${JSON.stringify(url())},`,
      "    headers={",
      `        "X-API-KEY": os.environ["RELAY_KEY"],`,
      `        "Idempotency-Key": str(uuid.uuid4()),`,
      "    },",
      `    json=${python(body, 1)},`,
      "    timeout=30,",
      ")",
      "answer.raise_for_status()",
      `print(answer.json()["id"])`,
    ].join("\n"),
  JavaScript: (body) =>
    [
      `const answer = await fetch(${JSON.stringify(url())}, {`,
      `  method: "POST",`,
      "  headers: {",
      `    "X-API-KEY": process.env.RELAY_KEY,`,
      `    "Content-Type": "application/json",`,
      `    "Idempotency-Key": crypto.randomUUID(),`,
      "  },",
      `  body: JSON.stringify(${indented(JSON.stringify(body, null, 2), "  ")}),`,
      "});",
      "if (!answer.ok) throw new Error(await answer.text());",
      "console.log((await answer.json()).id);",
    ].join("\n"),
};

/** Returns the body that creates a job like this one. @param {import("./api.js").Job} job */
export function createBody(job) {
  /** @type {Body} */
  const body = { provider: job.provider, operation: job.operation };
  if (job.path) body.path = job.path;
  if (job.input === null) body.providerJobId = job.providerJobId;
  else body.input = job.input;
  if (Object.keys(job.metadata).length) body.metadata = job.metadata;
  if (job.priority !== "normal") body.priority = job.priority;
  if (job.onUnconfirmed !== "wait") body.onUnconfirmed = job.onUnconfirmed;
  if (job.callback) body.callbackUrl = job.callback.url;
  return body;
}

function url() {
  return new URL("v1/jobs", location.href).href;
}

/** Quotes for a POSIX shell. @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** @param {string} text @param {string} by */
function indented(text, by) {
  return text.replaceAll("\n", `\n${by}`);
}

/** Writes a value as Python does. @param {unknown} value @param {number} depth @returns {string} */
function python(value, depth) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const items = Array.isArray(value)
    ? value.map((one) => python(one, depth + 1))
    : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${python(one, depth + 1)}`);
  if (!items.length) return open + close;
  const space = "    ".repeat(depth + 1);
  return `${open}\n${items.map((item) => `${space}${item},\n`).join("")}${"    ".repeat(depth)}${close}`;
}
