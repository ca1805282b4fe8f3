// Makes, waits for and lists a job with the types that openapi-typescript generates.
// Run by test_generated_clients.py: node render.ts API_URL KEY PICTURE LISTING
import createClient from "openapi-fetch";
import type { components, paths } from "./relay";

// Types for all of Node are more than this one needs.
declare const process: { argv: string[] };

type Job = components["schemas"]["Job"];

const [baseUrl, key, picture, listing] = process.argv.slice(2);
const relay = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

// Asks, and again while the relay says that its store is not there just now.
async function answered<T extends { error?: { code: string } }>(ask: () => Promise<T>): Promise<T> {
  let answer = await ask();
  while (answer.error?.code === "store_unavailable") {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    answer = await ask();
  }
  return answer;
}

const created = await answered(() => relay.POST("/v1/jobs", {
  params: { header: { "Idempotency-Key": `typescript-${listing}` } },
  body: {
    provider: "gepetto",
    operation: "furnish",
    input: { url: picture, styleId: "modern", roomId: "living_room" },
    metadata: { listing },
  },
}));
if (created.error) throw new Error(`${created.error.code}: ${created.error.detail}`);

let job: Job = created.data;
while (job.finishedAt === null) {
  const read = await answered(() => relay.GET("/v1/jobs/{id}", {
    params: { path: { id: job.id }, header: { Prefer: "wait=30" } },
  }));
  if (read.error) throw new Error(`${read.error.code}: ${read.error.detail}`);
  job = read.data;
}

const listed = await answered(() => relay.GET("/v1/jobs", {
  params: { query: { provider: "gepetto", operation: "furnish", pageSize: 100 } },
}));
if (listed.error) throw new Error(listed.error.detail);

const refused = await answered(() =>
  relay.GET("/v1/jobs/{id}", { params: { path: { id: "job_0" } } }),
);

console.log(
  JSON.stringify({
    id: job.id,
    status: job.status,
    outputs: job.outputs.map((output) => output.url),
    listed: listed.data.jobs.map((one) => one.id),
    refused: refused.error?.code,
  }),
);
