/** The scenarios whose client runs in a simulated browser, on virtual time, against the real server. */

import { expect, test } from "vitest";
import { judge } from "./judge.js";
import { SCENARIOS } from "./scenarios/index.js";

for (const scenario of SCENARIOS.filter((one) => one.in !== "browser")) {
  test.concurrent(`${scenario.id}: ${scenario.title}`, async ({ task }) => {
    Object.assign(task.meta, { scenario: scenario.id });
    const wrong = await judge(scenario);
    expect(wrong, wrong.join("\n")).toEqual([]);
  });
}
