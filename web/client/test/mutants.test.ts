/**
 * Guards are tested by breaking what they guard: the client is built with one wrong line at a time, and the response
 * table has to notice. A line that is not found any more fails too: the mutant then has to be written anew.
 */

import { beforeAll, describe, expect, it } from "vitest";
import type { createClient } from "../src/client.js";
import { built as builtWith, type Mutant } from "./mutant.js";
import { type Shape, shapes, tabWithApi, wrongAfterRefresh } from "./responses.js";
import { HOME } from "./world.js";
import { seeded } from "./world-time.js";

const CLOSED_LIST = `return error.status === 401 && error.problemClass === "authentication" && closed.includes(error.code);`;
const saysSignedOut = (instead: string): Mutant => ({ file: "session.ts", line: CLOSED_LIST, instead });

const mutants: Readonly<Record<string, Mutant>> = {
  "a 403 signs out": saysSignedOut(`return error.status === 403 || (${CLOSED_LIST.slice(7, -1)});`),
  "any 401 signs out": saysSignedOut("return error.status === 401;"),
  "any 401 of ours signs out": saysSignedOut(
    `return error.status === 401 && error.problemClass === "authentication";`,
  ),
  "a proxy's 401 signs out": saysSignedOut(
    `return (error.code === "foreign_answer" && error.status === 401) || (${CLOSED_LIST.slice(7, -1)});`,
  ),
  "a network error signs out": saysSignedOut(
    `return error.code === "unreachable" || (${CLOSED_LIST.slice(7, -1)});`,
  ),
  "a 5xx signs out": saysSignedOut(`return error.status >= 500 || (${CLOSED_LIST.slice(7, -1)});`),
  "the status is not looked at": saysSignedOut("return closed.includes(error.code);"),
  "the class is not looked at": saysSignedOut("return error.status === 401 && closed.includes(error.code);"),
  "nothing signs out": saysSignedOut("return closed.length === 0;"),
  "once is enough": {
    file: "session.ts",
    line: "if (tab.doubt) return signedOut(tab, verdict(tab, error.details.reason ? error : tab.doubt, now), ours);",
    instead: "return signedOut(tab, verdict(tab, error, now), ours);",
  },
  "another session's end is taken for ours": {
    file: "session.ts",
    line: "(ours && about && ours !== about)",
    instead: "false",
  },
  "the content type is not looked at": {
    file: "problem.ts",
    line: `!contentType?.startsWith(PROBLEM) || `,
    instead: "",
  },
  "a body that contradicts its status is believed": {
    file: "problem.ts",
    line: "problem.status !== status || ",
    instead: "",
  },
  "trouble forgets who is signed in": {
    file: "session.ts",
    line: "return [{ ...tab, trouble }, ",
    instead: "return [{ ...tab, grant: undefined, trouble }, ",
  },
  "a refresh is waited for without end": {
    file: "transport.ts",
    line: "const GIVE_UP_MS = 15_000;",
    instead: "const GIVE_UP_MS = 15_000_000;",
  },
};

/** One that answers of the API mislead, for which the refresh table is blind. */
const apiMutant: Mutant = {
  file: "bearer.ts",
  line: `dispatch({ is: "discard", token: refused.token.value, force: false })`,
  instead: `dispatch({ is: "sign-out" })`,
};

const built = async (mutant?: Mutant) => (await builtWith(mutant)).createClient;

/** The same table in an order of its own, so that kinds of answers take turns. */
const mixed: readonly Shape[] = (() => {
  const random = seeded(7);
  return shapes
    .map((shape) => ({ shape, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ shape }) => shape);
})();

async function firstWrong(create: typeof createClient, some: readonly Shape[]): Promise<string | undefined> {
  for (const shape of some) {
    const wrong = await wrongAfterRefresh(create, shape);
    if (wrong) return `${shape.name}: ${wrong}`;
  }
  return undefined;
}

describe("the response table notices when", { timeout: 60_000 }, () => {
  let original: typeof createClient;
  beforeAll(async () => {
    original = await built();
  });

  it("nothing is wrong: the client as it ships passes a part of it", async () => {
    expect(await firstWrong(original, mixed.slice(0, 150))).toBeUndefined();
  });

  it.each(Object.entries(mutants))("%s", async (_, mutant) => {
    expect(await firstWrong(await built(mutant), mixed)).toBeDefined();
  });

  it("what an API answers signs out", async () => {
    for (const [create, status] of [
      [original, "signedIn"],
      [await built(apiMutant), "signedOut"],
    ] as const) {
      const tab = await tabWithApi(create, () => ({
        answer: tab.browser.world.server.problem("access_token_expired"),
      }));
      await tab.browser.world.time.advance(11_000);
      const call = tab.client.fetch(`${HOME}/api/things`).catch(() => {});
      await tab.browser.world.time.advance(1000);
      await call;
      expect(tab.state.status).toBe(status);
    }
  });
});
