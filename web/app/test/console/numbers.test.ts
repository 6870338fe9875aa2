import type { OverviewHour } from "@tenure/client/api.gen.js";
import { expect, test } from "vitest";
import { stack } from "../../src/console/charts.js";
import { msOf } from "../../src/console/pages/audit.js";
import { refreshesOf } from "../../src/console/pages/overview.js";
import { sectionsOf } from "../../src/console/pages/settings.js";
import { featuresIn, limitsIn, limitsText } from "../../src/console/plan-text.js";
import { readable, share, span } from "../../src/console/words.js";

const hour = (refresh: Record<string, number>): OverviewHour => ({
  at: 0,
  refresh,
  sign_ins: { ok: 0, failed: 0, throttled: 0 },
  ends: {},
  unexplained: 0,
  unexplained_claimed: 0,
});

test("a refresh of a session that is over is no refresh that failed, and one that the server could not serve is", () => {
  const hours = [
    hour({ rotated: 90, repeated: 5, rewound: 1, session_ended: 40, cookie_missing: 7 }),
    hour({ rotated: 2, storage_unavailable: 1, overloaded: 1, refresh_superseded: 3, a_code_of_tomorrow: 9 }),
  ];
  expect(refreshesOf(hours)).toEqual({ served: 98, asked: 100 });
});

test("what is not quite all is not said to be all", () => {
  expect(share(999_999, 1_000_000)).toBe("99.99%");
  expect(share(1, 1)).toBe("100%");
});

test("bars stand on each other, and a single one among thousands can be seen", () => {
  const [ground, top] = stack(
    [
      { name: "most", look: "good", values: [5000] },
      { name: "one", look: "out", values: [1] },
      { name: "none", look: "quiet", values: [0] },
    ],
    1,
    5001,
  );
  expect(ground?.y).toBeCloseTo(96 - (ground?.height ?? 0));
  expect(top?.height).toBe(2);
  expect((top?.y ?? 0) + 2).toBeCloseTo(ground?.y ?? 0);
  expect(top?.y).toBeGreaterThanOrEqual(0);
});

test("a plan's limits survive their text", () => {
  const limits = { seats: 5, projects: null, "exports.daily": 0 };
  expect(limitsIn(limitsText(limits))).toEqual({ limits, wrong: null });
  expect(limitsIn("  seats: 5\n\n projects = Unlimited ")).toEqual({
    limits: { seats: 5, projects: null },
    wrong: null,
  });
});

test.each([
  "seats",
  "seats = many",
  "seats = -1",
  "seats = 1.5",
  "seats = 5\nseats = 6",
  "= 5",
  "seats = 5 6",
])("%j is no limit, and is not sent as one", (text) => {
  expect(limitsIn(text)).toEqual({ limits: null, wrong: text.split("\n").at(-1) });
});

test("features are names, each once", () => {
  expect(featuresIn(" export,  sso\nexport ")).toEqual(["export", "sso"]);
  expect(featuresIn(" ")).toEqual([]);
});

test("a time of this place becomes a moment, and half a time nothing", () => {
  expect(msOf("2026-11-30T00:13")).toBe(new Date(2026, 10, 30, 0, 13).getTime());
  expect(msOf("")).toBeUndefined();
  expect(msOf("soon")).toBeUndefined();
});

test("settings stand in sections, in the order in which they came", () => {
  const of = (key: string) => ({ key, value: "1", origin: "default", secret: false });
  const sections = sectionsOf([
    of("server.listen"),
    of("session.idle"),
    of("server.public_url"),
    of("plain"),
  ]);
  expect(sections.map(([name, rows]) => [name, rows.length])).toEqual([
    ["server", 2],
    ["session", 1],
    ["plain", 1],
  ]);
});

test("spans of evidence are said in what they are counted in, and what is over is less than nothing", () => {
  expect([1_884_000, 432_000, 12, 0, -5000].map(span)).toEqual([
    "31 minutes, 24 seconds",
    "7 minutes, 12 seconds",
    "12 ms",
    "0 ms",
    "−5 seconds",
  ]);
});

test("names become words, and what is between two numbers stays", () => {
  expect(["sign_in_failed", "config.file", "0-2 minutes"].map(readable)).toEqual([
    "Sign in failed",
    "Config file",
    "0-2 minutes",
  ]);
});
