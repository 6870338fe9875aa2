// @vitest-environment node

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { messagesWith } from "../src/index.js";
import { agoIn, durationIn } from "../src/time.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const read = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8");

test("spans are told in at most two neighbouring units", () => {
  const cases: [number, string][] = [
    [20 * DAY, "20 days"],
    [19 * DAY + 12 * HOUR + 5 * MINUTE, "19 days, 12 hours"],
    [DAY + 5 * MINUTE, "1 day"],
    [23 * MINUTE, "23 minutes"],
    [MINUTE + SECOND, "1 minute, 1 second"],
    [300, "1 second"],
    [0, "0 seconds"],
    [-5, "0 seconds"],
  ];
  expect(cases.map(([ms]) => durationIn("en", ms))).toEqual(cases.map(([, words]) => words));
  expect(durationIn("de", 20 * DAY)).toBe("20 Tage");
});

test("ages are told in one unit, and a moment is this minute", () => {
  const cases: [number, string][] = [
    [-5000, "this minute"],
    [119 * SECOND, "this minute"],
    [2 * MINUTE, "2 minutes ago"],
    [3 * HOUR + 59 * MINUTE, "3 hours ago"],
    [DAY, "yesterday"],
    [9 * DAY, "9 days ago"],
  ];
  expect(cases.map(([ms]) => agoIn("en", ms))).toEqual(cases.map(([, words]) => words));
});

test("every reason of the server has its sentence, and each is a sentence of its own", () => {
  const openapi = JSON.parse(read("../../../api/openapi.json"));
  const { reasons } = messagesWith();
  const own = [
    "never_signed_in",
    "cookie_missing",
    "session_unknown",
    "session_superseded",
    "not_carried_over",
  ];
  const all = [...openapi.components.schemas.EndReason.enum, ...own];
  expect(Object.keys(reasons).sort()).toEqual(all.sort());
  for (const sentence of Object.values(reasons)) expect(sentence).toMatch(/^[A-Z].{10,}\.$/);
  expect(new Set(Object.values(reasons)).size).toBe(all.length);
});

test("the server's reasons are told in the server's own words", () => {
  const table = read("../../../api/errors.md").matchAll(/^\| `(\w+)` \| `session_\w+` \| (.+) \|$/gm);
  const told = Object.fromEntries([...table].map(([, reason, sentence]) => [reason, sentence]));
  expect(Object.keys(told).length).toBeGreaterThan(10);
  expect(messagesWith().reasons).toMatchObject(told);
});
