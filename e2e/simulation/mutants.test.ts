/** A simulation that finds nothing proves nothing: these clients and worlds are wrong, and are found out. */

import { expect, test } from "vitest";
import type { Edges } from "../../web/client/src/edges.js";
import { live, type Spoilt } from "./life.js";

/** A client that believes whoever answers with one of these statuses, whatever the body says. */
function gullible(...statuses: number[]): (edges: Edges) => Edges {
  return (edges) => ({
    ...edges,
    fetch: async (input, init) => {
      const answer = await edges.fetch(input, init);
      if (!statuses.includes(answer.status)) return answer;
      const problem = { status: 401, code: "session_not_found", class: "authentication", title: "Gone" };
      const headers = { "content-type": "application/problem+json" };
      return new Response(JSON.stringify(problem), { status: 401, headers });
    },
  });
}

/** A client that goes on after F, but leaves its request, whose answer still finds its way into the jar. */
function patient(edges: Edges): Edges {
  return { ...edges, fetch: (input, init) => edges.fetch(input, { ...init, signal: null }) };
}

/** A client that measures all time by a clock that may sleep with the device. */
function sleepy(edges: Edges): Edges {
  return { ...edges, wallNow: () => 1_795_000_000_000 + edges.monotonicNow() };
}

const mutants: [name: string, spoilt: Spoilt][] = [
  ["a client that takes any 401 for an end", { mutation: gullible(401) }],
  ["a client that takes 403 for an end", { mutation: gullible(403) }],
  ["a client that takes 5xx for an end", { mutation: gullible(500, 502, 503, 504) }],
  ["a client that does not abort at F", { mutation: patient }],
  ["a client whose F stands still in sleep", { mutation: sleepy, isRestless: true }],
  ["a browser whose disk is ten minutes behind", { flushLagMs: 600_000 }],
];

test.concurrent.for(mutants)("%s signs somebody out within eight seeds", async ([, spoilt]) => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const { complaints } = await live(seed, spoilt);
    if (complaints.some((complaint) => complaint.includes("was signed out before the end"))) return;
  }
  expect.fail("nobody was signed out");
});
