/** The table itself: complete, in order, and as the reference prints it. */

import { expect, test } from "vitest";
import { CAUSES } from "./causes.js";
import { catalogue, causeOf, scenariosOf } from "./report.js";
import { SCENARIOS } from "./scenarios/index.js";

/** Fewer would leave a cause half shown. */
const SCENARIOS_OF_A_CAUSE = 3;
const SCENARIOS_IN_ALL = 150;

test("every cause from C01 to C43 is there, with a sentence", () => {
  const ids = Array.from({ length: 43 }, (_, at) => `C${String(at + 1).padStart(2, "0")}`);
  expect(CAUSES.map(({ id }) => id)).toEqual(ids);
  for (const { why } of CAUSES) expect(why).toMatch(/^[A-Z0-9`].*\.$/);
});

test("every cause has its scenarios, numbered without gaps", () => {
  for (const cause of CAUSES) {
    const scenarios = scenariosOf(cause);
    expect(scenarios.length, cause.id).toBeGreaterThanOrEqual(SCENARIOS_OF_A_CAUSE);
    expect(scenarios.map(({ id }) => id)).toEqual(scenarios.map((_, at) => `${cause.id}-${at + 1}`));
  }
  expect(SCENARIOS.length).toBeGreaterThanOrEqual(SCENARIOS_IN_ALL);
  const strays = SCENARIOS.filter(({ id }) => !CAUSES.some((cause) => cause.id === causeOf(id)));
  expect(strays).toEqual([]);
});

test("a scenario is data, which other programs can read", () => {
  expect(JSON.parse(JSON.stringify(SCENARIOS))).toEqual(SCENARIOS);
});

/** The causes that never end a session, and what their scenarios must not say. */
test("a cause that never ends a session has no scenario in which one ends by it", () => {
  for (const cause of CAUSES.filter(({ verdict }) => verdict === "N" || verdict === "S"))
    for (const { id, then, when } of scenariosOf(cause)) {
      const isAct = when.some((step) => "signOut" in step);
      if (!isAct) expect([id, then.row.startsWith("ended"), then.receipt]).toEqual([id, false, null]);
      if (!isAct) expect([id, then.client.startsWith("signed out")]).toEqual([id, false]);
    }
});

/** A client would not ask for another token that early, whatever it makes of a refusal. */
test("what counts no refreshes after a refusal has waited before", () => {
  for (const { id, given, when, then } of SCENARIOS) {
    const isRefused = then.refreshes === 0 && then.answers.some((answer) => /^4/.test(answer));
    // What is refused to others than the client gives it nothing to do.
    const isClients = !when.some((step) => "send" in step || "formPosted" in step);
    const hasWaited = [...given, ...when].some((step) => "wait" in step || "every" in step);
    if (isRefused && isClients) expect([id, hasWaited]).toEqual([id, true]);
  }
});

// `npm run conformance -- catalogue -u` writes it.
test("the page of the reference says the same", async () => {
  await expect(catalogue()).toMatchFileSnapshot("../docs/reference/conformance.md");
});
