/** All scenarios, in the order of their causes. */

import type { Scenario } from "../vocabulary.js";
import { accounts } from "./accounts.js";
import { browsers } from "./browsers.js";
import { ends } from "./ends.js";
import { machines } from "./machines.js";
import { surroundings } from "./surroundings.js";
import { tokens } from "./tokens.js";
import { trouble } from "./trouble.js";

export const SCENARIOS: readonly Scenario[] = [
  ...accounts,
  ...tokens,
  ...ends,
  ...trouble,
  ...machines,
  ...surroundings,
  ...browsers,
].sort((one, other) => numbered(one.id) - numbered(other.id));

/** `C04-2` is 402. */
export function numbered(id: Scenario["id"]): number {
  const [cause = "", scenario = ""] = id.slice(1).split("-");
  return Number(cause) * 100 + Number(scenario);
}
