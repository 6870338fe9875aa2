/**
 * The mystery of people who are signed out after 25 minutes while everything is in order, with its causes planted one by
 * one in a front end. Each is named by one reproduction: a real browser, the real server, and then `tenure explain`.
 */

import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import {
  dashboard,
  type Explained,
  explainReported,
  setClock,
  tenure,
  withClock,
  withMystery,
} from "../support/mystery.js";
import { type Person, Server } from "../support/server.js";
import { expect, test } from "../support/test.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** As the field reports have it: an access token has 35 minutes left when it happens. */
const SETTINGS = ["session.access_lifetime=1h"];

const press = (name: string) => (page: Page) => page.getByRole("button", { name }).click();
const answers =
  (status: number, path = "/api/reports", type = "application/json") =>
  (server: Server) =>
    server.fault({ kind: "status", status, path_prefix: path, content_type: type, body: "{}" });

interface Planted {
  readonly bug: string;
  readonly title: string;
  readonly type: string;
  readonly scenario: string;
  readonly suspect: string;
  /** What the verdict has to say, beside type, page and release. */
  readonly words: readonly (string | RegExp)[];
  readonly search: string;
  readonly arrange?: (server: Server) => Promise<unknown>;
  readonly act?: (page: Page) => Promise<unknown>;
}

const PLANTED: readonly Planted[] = [
  {
    bug: "forbidden",
    title: "a handler of 403",
    type: "AUTH_ERROR",
    scenario: "C",
    suspect: "api_refusal",
    words: [/It came \d+ m?s after a 403 of \/api\/reports\./],
    search: "sees this status and goes to the sign-in page",
    arrange: answers(403),
    act: press("Reports"),
  },
  {
    bug: "payment",
    title: "a handler of 402",
    type: "AUTH_ERROR",
    scenario: "C",
    suspect: "api_refusal",
    words: [/It came \d+ m?s after a 402 of \/api\/upgrade\./],
    search: "sees this status and goes to the sign-in page",
    arrange: answers(402, "/api/upgrade"),
    act: press("Upgrade"),
  },
  {
    bug: "outage",
    title: "a handler of 5xx",
    type: "UNKNOWN",
    scenario: "D",
    suspect: "outage",
    words: [/It came \d+ m?s after a 503 of \/api\/reports\./],
    search: "sign out when a request fails",
    arrange: answers(503),
    act: press("Reports"),
  },
  {
    bug: "network",
    title: "a handler of network errors",
    type: "UNKNOWN",
    scenario: "D",
    suspect: "outage",
    words: [/It came \d+ m?s after no answer of \/api\/reports\./],
    search: "sign out when a request fails",
    arrange: (server) => server.fault({ kind: "reset", path_prefix: "/api/reports", count: 5 }),
    act: press("Reports"),
  },
  {
    bug: "proxy",
    title: "an interceptor that takes a proxy's bare 401 of a refresh for the end",
    type: "REFRESH_FAILED",
    scenario: "B",
    suspect: "foreign_answer",
    words: [
      /It came \d+ m?s after a 401 .*of \/api\/v1\/auth\/refresh, which was not this server's answer\./,
    ],
    search: "the proxy or gateway",
    arrange: answers(401, "/api/v1/auth/refresh", "text/plain"),
    act: (page) => page.evaluate(() => void window.mystery.client.refresh()),
  },
  {
    bug: "error",
    title: "an error handler that resets the app",
    type: "UNKNOWN",
    scenario: "D",
    suspect: "script_error",
    words: [/It came \d+ m?s after the script error ".*reading 'series'/],
    search: "this error in the console",
    act: press("Chart"),
  },
  {
    bug: "startup",
    title: "startup code that clears storage",
    type: "UNKNOWN",
    scenario: "D",
    suspect: "startup",
    words: [/It came \d+ (ms|s) after the page was loaded\./],
    search: "code that runs as the page starts",
  },
  {
    bug: "old-library",
    title: "an old library in a tab that was left open",
    type: "UNKNOWN",
    scenario: "D",
    suspect: "other_library",
    words: ["It came from code that is not the present SDK."],
    search: "an old library in the bundle",
    arrange: answers(403),
    act: press("Reports"),
  },
];

/** The verdict points at the planted cause, and the session is alive. */
function expectNamed(found: Explained, planted: Omit<Planted, "bug" | "title">): void {
  const verdict = found.what.verdict;
  expect(found.verdict, verdict).toBe("unexplained");
  expect(found.scenario).toBe(planted.scenario);
  expect(found.why.suspect, verdict).toBe(planted.suspect);
  expect(verdict).toContain("the front end signed the person out by itself; the session is alive");
  expect(verdict).toContain(`It reported ${planted.type} on page /mystery/dashboard`);
  for (const words of planted.words) expect(verdict).toMatch(words);
  expect(found.why.look_for).toContain(planted.search);
  if (planted.suspect !== "other_library") expect(found.where.release).toBe("2026.11.1");
}

/** What the guide shows of `tenure explain`. */
function transcript(): string {
  const guide = readFileSync(new URL("../../docs/guide/the-25-minute-mystery.md", import.meta.url), "utf8");
  return /```console\n\$ tenure explain [^\n]*\n(.*?)\n```/s.exec(guide)?.[1] ?? "";
}

/** Without what is different each time: names, moments, how long a token was drawn for, and a second of the browser's clock. */
const masked = (text: string): string =>
  text
    .replace(/\b(ses|usr)_[0-9a-f]+/g, "$1_")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/( {2}(?:access left|page loaded|device id) +)\S.*/g, "$1...")
    .replace(/ {2}clock (?:ahead|behind) .*\n/g, "")
    .replace(/key \S+ took/g, "key KID took")
    .replace(/(nothing|no refresh) for \d+ min/g, "$1 for ... min")
    // A browser that was not told that its report had arrived sends it once more.
    .replace(/^( +TIME +report .*\n)\1+/gm, "$1")
    .replace(/( {2}reports +)\d+/g, "$1...")
    .trim();

const left = (page: Page) => page.waitForURL("**/mystery/sign-in");
const isAlive = (page: Page) =>
  page.evaluate(async () => (await window.mystery.client.ready()).status === "signedIn");

test.describe("on one server", () => {
  let server: Server;
  test.beforeAll(async () => {
    server = await Server.start({ settings: SETTINGS });
  });
  test.afterAll(() => server.stop());
  test.beforeEach(async ({ context }) => {
    await server.clearFaults();
    await withMystery(context, server);
  });

  for (const planted of PLANTED)
    test(`${planted.title} is named`, async ({ context }) => {
      const { page, session } = await dashboard(context, server, planted.bug, await server.person());
      const { unexplained } = await server.stats();
      // A tab that makes no mistake, which stays as it is whatever the other does.
      const { page: beside } = await dashboard(context, server, "");
      await page.bringToFront();
      // A page that is long there, unless it is about that.
      if (planted.bug !== "startup") await page.waitForTimeout(5200);
      await planted.arrange?.(server);
      await planted.act?.(page);
      await left(page);
      expectNamed(await explainReported(server, session), planted);
      expect(await isAlive(page)).toBe(true);
      expect(await isAlive(beside)).toBe(true);
      expect(beside.url()).toContain("/dashboard");
      expect((await server.stats()).unexplained, "what must be 0").toBe(unexplained + 1);
      expect(tenure(server, "explain", session)).toContain(`scenario           ${planted.scenario}: `);
    });

  test("a refresh loop of its own, whose tab lost a race, is named", async ({ context }) => {
    const person = await server.person();
    const { page, session } = await dashboard(context, server, "", person);
    await page.goto(`${server.api}/mystery/dashboard?bug=race`);
    await page.waitForTimeout(5200);
    const { page: other } = await dashboard(context, server, "race");
    await Promise.race([left(page), left(other)]);
    const found = await explainReported(server, session);
    expectNamed(found, {
      type: "REFRESH_FAILED",
      scenario: "B",
      suspect: "tabs",
      words: ["It came while other tabs of the browser renewed the token, with nothing amiss."],
      search: "own refresh loops",
    });
  });

  test("code that reads exp by a clock that is wrong is named", async ({ context }) => {
    await withClock(context, 3 * HOUR);
    const { page, session } = await dashboard(context, server, "clock", await server.person());
    await left(page);
    expectNamed(await explainReported(server, session), {
      type: "TOKEN_EXPIRED",
      scenario: "A",
      suspect: "device_clock",
      words: [/on a device whose clock is (3 hours|179 minutes|2 hours) ahead of the server's\./],
      search: "compares `exp` with `Date.now()`",
    });
    expect(await isAlive(page)).toBe(true);
  });
});

test.describe("after 25 idle minutes", () => {
  let server: Server;
  let person: Person;
  test.beforeEach(async ({ context }) => {
    server = await Server.start({ clock: "virtual", begunMs: HOUR, settings: SETTINGS });
    person = await server.person();
    await withMystery(context, server);
    await withClock(context, -HOUR);
  });
  test.afterEach(() => server.stop());

  async function idle(page: Page): Promise<void> {
    await page.mouse.move(50, 50);
    await page.mouse.move(60, 60);
    await server.advance(25.5 * MINUTE);
    await setClock(page, -HOUR + 25.5 * MINUTE);
  }

  test("a timer that nobody remembers is named", async ({ context }) => {
    const { page, session } = await dashboard(context, server, "idle", person);
    await page.waitForTimeout(5200);
    // The sign-in page would renew its token, sooner or later than `explain` looks.
    await context.route("**/api/v1/auth/refresh", () => {});
    await idle(page);
    await left(page);
    const found = await explainReported(server, session);
    expectNamed(found, {
      type: "TOKEN_EXPIRED",
      scenario: "A",
      suspect: "idle_timer",
      words: [
        "after idling for 25 minutes",
        "It came while nobody touched the page for 25 minutes, with nothing amiss.",
      ],
      search: "timers that count idle minutes",
    });
    // A token is good for 54 minutes at least.
    expect(found.how.access_left).toBeGreaterThan(25 * MINUTE);
    expect(found.when.time_left_then).toBeGreaterThan(19 * 24 * HOUR);

    const printed = tenure(server, "explain", session);
    expect(masked(printed), printed).toBe(masked(transcript()));
  });

  test("a timer that signs out in earnest is doubted, although the server was told that the person wanted it", async ({
    context,
  }) => {
    const { page, session } = await dashboard(context, server, "kiosk", person);
    await page.waitForTimeout(5200);
    await idle(page);
    await left(page);
    const found = await explainReported(server, session);
    expect(found.verdict).toBe("end_reported");
    expect(found.why).toMatchObject({ reason: "signed_out", suspect: "idle_timer" });
    expect(found.what.verdict).toContain(
      "The person may not have asked for it: it came while nobody touched the page for 25 minutes",
    );
  });
});
