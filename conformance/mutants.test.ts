/** A suite that finds nothing proves nothing: these clients and servers are wrong, and their scenarios must say so. */

import { expect, test } from "vitest";
import type { Edges } from "../web/client/src/edges.js";
import { judge } from "./judge.js";
import { SCENARIOS } from "./scenarios/index.js";
import type { Scenario } from "./vocabulary.js";
import type { Machine } from "./world/machine.js";
import { emailOf, type Planted } from "./world/world.js";

const GONE = { status: 401, code: "session_not_found", class: "authentication", title: "Gone" };
const EXPIRED = { status: 401, code: "access_token_expired", class: "authentication", title: "Expired" };

const problem = (what: { status: number }) =>
  new Response(JSON.stringify(what), {
    status: what.status,
    headers: { "content-type": "application/problem+json" },
  });
const gone = () => problem(GONE);

/** A client for which a refusal is a reason to ask for another token. */
function restless(edges: Edges): Edges {
  return {
    ...edges,
    fetch: async (input, init) => {
      const answer = await edges.fetch(input, init);
      return answer.status === 402 || answer.status === 403 ? problem(EXPIRED) : answer;
    },
  };
}

/** A client that believes whoever answers with one of these statuses, whatever the body says. */
function gullible(...statuses: number[]): (edges: Edges) => Edges {
  return (edges) => ({
    ...edges,
    fetch: async (input, init) => {
      const answer = await edges.fetch(input, init);
      return statuses.includes(answer.status) ? gone() : answer;
    },
  });
}

/** A client for which no answer is an answer. */
function impatient(edges: Edges): Edges {
  return { ...edges, fetch: (input, init) => edges.fetch(input, init).catch(gone) };
}

/** A client that does not hear who signed out, or anything else, from other tabs. */
function deaf(edges: Edges): Edges {
  return { ...edges, openChannel: () => undefined, onStorage: () => () => {} };
}

/** A server that signs everybody out whenever their account or plan changes. */
async function strict(machine: Machine, command: string): Promise<void> {
  if (/^(account|plan) /.test(command)) await machine.testbed.endSessions({ user: emailOf("ada") });
}

/** A server on which nothing ever ends. */
async function lax(machine: Machine): Promise<void> {
  machine.sql("UPDATE session SET ended_at = NULL, end_reason = NULL, end_actor = NULL, receipt = NULL");
}

const MUTANTS: readonly (readonly [string, Planted, readonly Scenario["id"][]])[] = [
  ["a client that takes 403 for an end", { client: gullible(403) }, ["C21-3", "C22-3", "C32-2"]],
  ["a client that takes any 401 for an end", { client: gullible(401) }, ["C20-6"]],
  [
    "a client that takes 5xx for an end",
    { client: gullible(500, 502, 503, 504) },
    ["C20-1", "C37-2", "C42-1", "C16-1"],
  ],
  ["a client that takes 429 for an end", { client: gullible(429) }, ["C43-2"]],
  ["a client that takes silence for an end", { client: impatient }, ["C20-9", "C08-2", "C26-6"]],
  [
    "a client that refreshes after 402 and 403",
    { client: restless },
    ["C01-4", "C04-2", "C06-1", "C06-3", "C07-4", "C13-4", "C21-2"],
  ],
  ["tabs that do not hear each other", { client: deaf }, ["C18-1"]],
  [
    "a server that ends sessions with accounts",
    { server: strict },
    ["C04-1", "C05-1", "C06-1", "C07-2", "C31-2"],
  ],
  ["a server that does not end what was ended", { server: lax }, ["C12-1", "C17-1", "C36-6"]],
];

for (const [what, planted, ids] of MUTANTS)
  for (const id of ids)
    test.concurrent(`${what} is found out by ${id}`, async () => {
      const scenario = SCENARIOS.find((one) => one.id === id);
      if (!scenario) throw new Error(`there is no ${id}`);
      const wrong = await judge(scenario, planted);
      // Another answer alone would not be it: somebody was signed out, or was not, or a token was asked for.
      expect(
        wrong.some((complaint) => /signed|the session of|refreshes were sent/.test(complaint)),
        wrong.join("\n"),
      ).toBe(true);
    });

test.concurrent("a library that is broken is found where it is needed", async () => {
  const scenario = SCENARIOS.find(({ id }) => id === "C41-1");
  if (!scenario) throw new Error("there is no C41-1");
  const broken = { ...scenario, server: { product: { brokenLibraries: ["libc.so.6"] } } };
  await expect(judge(broken)).rejects.toThrow("libc.so.6");
});
