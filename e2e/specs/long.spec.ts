/**
 * What takes real time: tokens that run out, and disks that lag behind. All of it begins at once and is then waited
 * for, so that the file takes as long as its longest test and little of the machine. Assertions that wait by
 * themselves (`expect.poll`, `expect(locator)`) belong to one test and do not work here; `until` does.
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Browser, Page } from "@playwright/test";
import { report } from "../support/numbers.js";
import { Profile } from "../support/profile.js";
import { Server } from "../support/server.js";
import {
  call,
  eventsOf,
  expectNeverOut,
  LIVE,
  refresh,
  signIn,
  stateOf,
  untilState,
  withHarness,
} from "../support/tab.js";
import { expect, test } from "../support/test.js";
import { until } from "../support/until.js";

/** The shortest that the server accepts; tokens are drawn from 54 s up. */
const ACCESS_MS = 60_000;
/** The shortest settle time that a browser which writes its cookies every 30 s allows: 3 x (5 s + 5 s) + 30 s. */
const SETTLE_MS = 60_000;

test.describe.configure({ mode: "default", timeout: 240_000 });

const begun: Record<string, Promise<unknown>> = {};
const ends: (() => Promise<unknown>)[] = [];

/** Begins now; whoever asks for it later waits for its end. */
function begin(name: string, work: () => Promise<unknown>): void {
  begun[name] = work();
  // Its failure belongs to the test that waits for it, which may not have come yet.
  begun[name].catch(() => {});
}

test.beforeAll(async ({ browser, playwright, launchOptions }) => {
  const short = await Server.start({ settings: [`session.access_lifetime=${ACCESS_MS / 1000}s`] });
  const settings = ["session.freshness=5s", `session.settle=${SETTLE_MS / 1000}s`];
  const quick = await Server.start({ settings });
  ends.push(
    () => short.stop(),
    () => quick.stop(),
  );
  const profile = () => {
    const one = new Profile(playwright.chromium, launchOptions, quick);
    ends.unshift(() => one.remove());
    return one;
  };
  begin("offline", () => offlineForLong(browser, short));
  begin("lifetimes", () => lifetimes(browser, short));
  begin("killed after 2 s", () => killed(profile(), quick, 2000));
  begin("killed after 40 s", () => killed(profile(), quick, 40_000));
});

test.afterAll(async () => {
  await Promise.allSettled(Object.values(begun));
  for (const end of ends) await end();
});

for (const name of ["2 s", "40 s"]) {
  test(`the browser is killed ${name} after a refresh, and started again on its profile: signed in`, async () => {
    await begun[`killed after ${name}`];
  });
}

test("F04: offline for longer than an access token lives, and back: the same page, signed in, no sign-in", async () => {
  await begun.offline;
});

test("refreshes per access lifetime: ten tabs need no more than one tab", async () => {
  await begun.lifetimes;
});

async function harness(browser: Browser, server: Server, tabs: number): Promise<Page[]> {
  const context = await browser.newContext();
  ends.unshift(() => context.close());
  await withHarness(context, server.api);
  return Promise.all(
    Array.from({ length: tabs }, async () => {
      const page = await context.newPage();
      await page.goto(`${server.api}/harness.html`);
      // Everybody has asked before anybody signs in.
      await untilState(page, { status: "signedOut" });
      return page;
    }),
  );
}

async function offlineForLong(browser: Browser, server: Server): Promise<void> {
  const [page] = (await harness(browser, server, 1)) as [Page];
  const person = await server.person();
  const session = await signIn(page, person);
  await page.getByLabel("Notes").fill("not saved yet");
  await page.context().setOffline(true);
  const left = () => page.evaluate(() => window.client.inspect().accessExpiresInMs ?? 0);
  await until(async () => expect(await left()).toBeLessThan(-5000), 90_000);
  expect(await stateOf(page)).toMatchObject({ status: "signedIn", freshness: "reconnecting" });
  expect(await call(page)).toBe("unreachable");
  await page.context().setOffline(false);
  await untilState(page, { ...LIVE, session: { id: session } as never });
  expect(await call(page)).toBe(200);
  expect(await eventsOf(page)).toContain("RECONNECTED");
  expect(await page.getByLabel("Notes").inputValue()).toBe("not saved yet");
  await expectNeverOut(page);
}

/** Counts the requests of ten tabs while all of them get two new tokens. */
async function lifetimes(browser: Browser, server: Server): Promise<void> {
  const pages = await harness(browser, server, 10);
  const sum = async (count: (page: Page) => Promise<number>) =>
    (await Promise.all(pages.map(count))).reduce((all, one) => all + one, 0);
  const sent = () => sum((page) => page.evaluate(() => window.client.inspect().refreshesSent));
  const renewals = () =>
    Promise.all(
      pages.map(async (page) => (await eventsOf(page)).filter((name) => name === "TOKEN_REFRESHED").length),
    );
  await signIn(pages[0] as Page, await server.person());
  for (const page of pages) await untilState(page, LIVE);
  const before = await sent();
  expect(Math.max(...(await renewals()))).toBe(0);
  await until(async () => expect(Math.min(...(await renewals()))).toBeGreaterThanOrEqual(2), 150_000);
  const perLifetime = ((await sent()) - before) / 2;
  report("refreshes per access lifetime, 10 tabs", perLifetime.toFixed(2), "<= 1.05");
  expect(perLifetime, "each token was asked for").toBeGreaterThanOrEqual(1);
  expect(perLifetime).toBeLessThanOrEqual(1.5);
  await expectNeverOut(...pages);
}

/** Signs in, waits until the generation has settled, refreshes, and kills the browser that long after. */
async function killed(profile: Profile, server: Server, afterMs: number): Promise<void> {
  const page = await profile.open();
  const person = await server.person();
  const session = await signIn(page, person);
  // Only then does a refresh mint a successor, which a jar that comes back from the disk may not have.
  await pause(SETTLE_MS + 1000);
  const generations = async () => (await server.stats()).refreshes.rotated ?? 0;
  const before = await generations();
  expect(await refresh(page)).toBeUndefined();
  expect(await generations()).toBeGreaterThan(before);
  await pause(afterMs);
  await profile.kill();

  const again = await profile.open();
  await untilState(again, { ...LIVE, session: { id: session } as never });
  expect(await call(again)).toBe(200);
  expect(await refresh(again)).toBeUndefined();
  await expectNeverOut(again);
  expect((await server.stats()).dead_tokens).toBe(0);
}
