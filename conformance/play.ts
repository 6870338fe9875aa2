/** A scenario as a test. */

import { expect, type TestContext } from "vitest";
import { judge } from "./judge.js";
import type { Scenario } from "./vocabulary.js";
import type { OpenReal } from "./world/world.js";

export const nameOf = ({ id, title }: Scenario): string => `${id}: ${title}`;

/** What is wrong is told to the reporter in full, and to the test so that it fails. */
export async function play(scenario: Scenario, { task }: TestContext, real?: OpenReal): Promise<void> {
  task.meta.scenario = scenario.id;
  const wrong = await judge(scenario, {}, real);
  if (wrong.length > 0) task.meta.wrong = wrong;
  expect(wrong).toEqual([]);
}
