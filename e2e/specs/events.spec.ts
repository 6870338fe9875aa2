/** The feed: what the server ends shows at once in every tab, and a feed that is not there signs nobody out. */

import type { BrowserContext, Request } from "@playwright/test";
import { quantile } from "../support/numbers.js";
import {
  call,
  eventsOf,
  expectNeverOut,
  LIVE,
  refresh,
  setAccount,
  signIn,
  toldOf,
  untilState,
  withHarness,
} from "../support/tab.js";
import { expect, test } from "../support/test.js";

const EVENTS = "/api/v1/auth/events";

/** The connections of a browser to the feed, and how many there have been. */
function feedOf(context: BrowserContext): { open: Set<Request>; begun: () => number } {
  const open = new Set<Request>();
  let begun = 0;
  context.on("request", (request) => {
    if (!request.url().endsWith(EVENTS)) return;
    begun += 1;
    open.add(request);
  });
  context.on("requestfinished", (request) => open.delete(request));
  context.on("requestfailed", (request) => open.delete(request));
  return { open, begun: () => begun };
}

test("an end shows in three tabs of one profile by the feed, and another profile is left alone", {
  tag: "@firefox",
}, async ({ tab, person, context, browser, server }) => {
  const feed = feedOf(context);
  const tabs = [await tab(), await tab(), await tab()] as const;
  const session = await signIn(tabs[0], person);
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  const second = await browser.newContext();
  await withHarness(second, server.api);
  const other = await second.newPage();
  await other.goto(`${server.api}/harness.html`);
  await signIn(other, person);
  await expect.poll(() => feed.open.size).toBe(1);
  // It has begun, and has had time to be let in.
  await expect.poll(async () => (await feedIsOpen([...feed.open][0])) ?? false).toBe(true);
  const before = await server.refreshes();
  const ordered = Date.now();
  await server.endSessions({ session });
  const took: number[] = [];
  for (const page of tabs) {
    await untilState(page, { status: "signedOut", reason: "admin_revoked" });
    const out = (await toldOf(page)).findLast(({ event }) => event === "SIGNED_OUT");
    took.push((out?.at ?? Number.POSITIVE_INFINITY) - ordered);
    expect(out?.state).toMatchObject({ receipt: expect.stringMatching(/./) });
  }
  // Without the feed it would be minutes. How fast it is, the benchmark says; the machine may hold up one round.
  expect(quantile(took, 0.5)).toBeLessThan(5000);
  expect(feed.begun()).toBe(1);
  expect(await call(other)).toBe(200);
  await expectNeverOut(other);
  expect(await server.refreshes()).toBe(before);
  await server.endSessions({ user: person.email }, "user_disabled");
  await untilState(other, { status: "signedOut", reason: "user_disabled" });
  await second.close();
});

/** Whether the server has begun to answer. */
async function feedIsOpen(request: Request | undefined): Promise<boolean> {
  const answer = await Promise.race([
    request?.response(),
    new Promise<null>((none) => setTimeout(none, 50, null)),
  ]);
  return answer?.status() === 200;
}

test("a change of the account has every tab ask again, and signs nobody out", async ({
  tab,
  person,
  context,
}) => {
  const feed = feedOf(context);
  const tabs = [await tab(), await tab()] as const;
  await signIn(tabs[0], person);
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  await expect.poll(async () => feedIsOpen([...feed.open][0])).toBe(true);
  await setAccount(tabs[1], { status: "suspended" });
  for (const page of tabs) await expect.poll(() => eventsOf(page)).toContain("TOKEN_REFRESHED");
  await expectNeverOut(...tabs);
});

test("another tab listens when the one that did is closed", async ({ tab, person, context, server }) => {
  const feed = feedOf(context);
  const tabs = [await tab(), await tab(), await tab()] as const;
  const session = await signIn(tabs[0], person);
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  await expect.poll(() => feed.open.size).toBe(1);
  const listener = [...feed.open][0]?.frame().page();
  await listener?.close();
  await expect.poll(() => feed.begun()).toBe(2);
  await expect.poll(async () => feedIsOpen([...feed.open].at(-1))).toBe(true);
  await server.endSessions({ session });
  for (const page of tabs)
    if (page !== listener) await untilState(page, { status: "signedOut", reason: "admin_revoked" });
});

for (const kind of ["html", "hang", "reset", "status"] as const) {
  test(`a feed that is blocked on the way (${kind}) signs nobody out, and calls go on`, async ({
    tab,
    person,
    context,
    server,
  }) => {
    test.setTimeout(60_000);
    await server.fault({ kind, path_prefix: EVENTS, count: "until_cleared" });
    const feed = feedOf(context);
    const tabs = [await tab(), await tab()] as const;
    const session = await signIn(tabs[0], person);
    await Promise.all(tabs.map((page) => untilState(page, LIVE)));
    for (let second = 0; second < 12; second++) {
      expect(await call(tabs[second % 2 ? 1 : 0])).toBe(200);
      await tabs[0].waitForTimeout(1000);
    }
    expect(await refresh(tabs[0])).toBeUndefined();
    await expectNeverOut(...tabs);
    for (const page of tabs) expect(await eventsOf(page)).not.toContain("RECONNECTING");
    // Ever more rarely.
    expect(feed.begun()).toBeLessThan(12);
    // Without the feed an end is found out by whoever asks next.
    await server.endSessions({ session });
    expect(await refresh(tabs[1])).toBe("signed_out");
    for (const page of tabs) await untilState(page, { status: "signedOut", reason: "admin_revoked" });
    await server.clearFaults();
  });
}

test("a server that is started again is listened to again, and nobody is signed out", async ({
  tab,
  person,
  context,
  server,
}) => {
  test.setTimeout(60_000);
  const feed = feedOf(context);
  const tabs = [await tab(), await tab()] as const;
  const session = await signIn(tabs[0], person);
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  await expect.poll(async () => feedIsOpen([...feed.open][0])).toBe(true);
  await server.restart(1500);
  await expect.poll(async () => feedIsOpen([...feed.open].at(-1)), { timeout: 30_000 }).toBe(true);
  expect(feed.open.size).toBe(1);
  await expectNeverOut(...tabs);
  await server.endSessions({ session });
  for (const page of tabs) await untilState(page, { status: "signedOut", reason: "admin_revoked" });
});

test("a page that goes to the browser's cache and comes back listens again", async ({
  tab,
  person,
  context,
  server,
}) => {
  const feed = feedOf(context);
  const page = await tab();
  const session = await signIn(page, person);
  await expect.poll(async () => feedIsOpen([...feed.open][0])).toBe(true);
  await page.goto("about:blank");
  await page.goBack();
  await untilState(page, LIVE);
  await expect.poll(() => feed.begun()).toBe(2);
  await expect.poll(async () => feedIsOpen([...feed.open].at(-1))).toBe(true);
  await server.endSessions({ session });
  await untilState(page, { status: "signedOut", reason: "admin_revoked" });
});
