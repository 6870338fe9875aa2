/** The scenarios whose client runs in a simulated browser, on virtual time, against the real server. */

import { test } from "vitest";
import { nameOf, play } from "./play.js";
import { SCENARIOS } from "./scenarios/index.js";

for (const scenario of SCENARIOS.filter((one) => one.in !== "browser"))
  test.concurrent(nameOf(scenario), (context) => play(scenario, context));
