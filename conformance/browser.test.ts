/** The scenarios whose cause lives in a browser: a real Chromium, on the real time, against the real server. */

import { afterAll, beforeAll, test } from "vitest";
import buildHarness from "../e2e/support/setup.js";
import { nameOf, play } from "./play.js";
import { SCENARIOS } from "./scenarios/index.js";
import { Chromium } from "./world/chromium.js";

let chromium: Chromium;
let removeHarness: () => void;

beforeAll(async () => {
  removeHarness = await buildHarness();
  chromium = await Chromium.start();
});

afterAll(async () => {
  await chromium?.stop();
  removeHarness?.();
});

for (const scenario of SCENARIOS.filter((one) => one.in === "browser"))
  test.concurrent(nameOf(scenario), (context) => play(scenario, context, (site) => chromium.profile(site)));
