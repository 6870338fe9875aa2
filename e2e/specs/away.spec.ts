/** Pages that the browser puts away: kept for the way back, or frozen while they hold the lock. Chromium's protocol. */

import type { Page } from "@playwright/test";
import { call, expectNeverOut, LIVE, REFRESH, refresh, signIn, stateOf, untilState } from "../support/tab.js";
import { expect, test } from "../support/test.js";

test.use({
  launchOptions: async ({ launchOptions }, use) =>
    use({ ...launchOptions, ignoreDefaultArgs: ["--disable-back-forward-cache"] }),
});

/** Leaves a mark that only a page which was kept alive still has. */
const mark = (page: Page) => page.evaluate(() => Object.assign(window, { kept: true }));
const wasKept = (page: Page) => page.evaluate(() => "kept" in window);

test("kept for the way back and shown again, the page goes on with its session", async ({
  tab,
  person,
  server,
}) => {
  const page = await tab();
  await signIn(page, person);
  await mark(page);
  await page.goto(`${server.api}/favicon.svg`);
  await page.goBack({ waitUntil: "commit" });
  await untilState(page, LIVE);
  expect(await wasKept(page), "it came from the back-forward cache").toBe(true);
  expect(await call(page)).toBe(200);
  await expectNeverOut(page);
});

test("a sign-out while the page is kept for the way back is seen when it is shown again", async ({
  tab,
  person,
  server,
}) => {
  const [page, other] = await Promise.all([tab(), tab()]);
  await signIn(page, person);
  await untilState(other, LIVE);
  await page.goto(`${server.api}/favicon.svg`);
  await other.evaluate(() => window.client.signOut());
  await page.goBack({ waitUntil: "commit" });
  await untilState(page, { status: "signedOut" });
  expect(await call(page)).toBe(401);
});

test("without a channel, a sign-out while the page is kept is seen as well", async ({
  tab,
  person,
  server,
  context,
}) => {
  // Messages would have the browser drop the kept page; without them it must find out by itself.
  await context.addInitScript(() => Reflect.deleteProperty(window, "BroadcastChannel"));
  const page = await tab();
  await signIn(page, person);
  const other = await tab();
  await untilState(other, LIVE);
  await mark(page);
  await page.goto(`${server.api}/favicon.svg`);
  await other.evaluate(() => window.client.signOut());
  await page.goBack({ waitUntil: "commit" });
  await untilState(page, { status: "signedOut", reason: "signed_out" });
  expect(await wasKept(page), "it came from the back-forward cache").toBe(true);
});

test("another person signs in while the page is kept: it is shown with that person", async ({
  tab,
  person,
  server,
  context,
}) => {
  await context.addInitScript(() => Reflect.deleteProperty(window, "BroadcastChannel"));
  const page = await tab();
  await signIn(page, person);
  const tabTwo = await tab();
  await untilState(tabTwo, LIVE);
  await page.goto(`${server.api}/favicon.svg`);
  const other = await server.person();
  await signIn(tabTwo, other);
  await page.goBack({ waitUntil: "commit" });
  await untilState(page, { ...LIVE, user: { email: other.email } as never });
});

test("H06: a tab frozen in the middle of a refresh, with the lock, holds nobody up for longer than the lock is waited for", async ({
  tab,
  person,
  server,
  context,
}) => {
  const [frozen, other] = await Promise.all([tab(), tab()]);
  await signIn(frozen, person);
  await untilState(other, LIVE);
  await server.fault({ kind: "hang", path_prefix: "/api/v1/auth/refresh" });
  await frozen.evaluate(() => void window.client.refresh());
  await expect.poll(() => server.standingFaults()).toBe(0);
  const devtools = await context.newCDPSession(frozen);
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  const began = Date.now();
  expect(await refresh(other)).toBeUndefined();
  expect(Date.now() - began).toBeLessThan(8000);
  expect(await call(other)).toBe(200);

  await server.clearFaults();
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  await untilState(frozen, LIVE);
  expect(await call(frozen)).toBe(200);
  await expectNeverOut(frozen, other);
  expect((await server.stats()).dead_tokens).toBe(0);
});

test("a frozen tab learns of a sign-out when it is woken", async ({ tab, person, context }) => {
  const [frozen, other] = await Promise.all([tab(), tab()]);
  await signIn(other, person);
  await untilState(frozen, LIVE);
  const devtools = await context.newCDPSession(frozen);
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  await other.evaluate(() => window.client.signOut());
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  await untilState(frozen, { status: "signedOut", reason: "signed_out" });
});

test("a tab closed while it refreshes, with the lock, leaves the lock to the others at once", async ({
  tab,
  person,
  server,
}) => {
  const [closing, other] = await Promise.all([tab(), tab()]);
  await signIn(closing, person);
  await untilState(other, LIVE);
  let held = 0;
  await closing.route(REFRESH, () => {
    held += 1;
  });
  await closing.evaluate(() => void window.client.refresh());
  await expect.poll(() => held).toBe(1);
  await closing.close();
  const began = Date.now();
  expect(await refresh(other)).toBeUndefined();
  // A lock that somebody held would be waited for for 4 s.
  expect(Date.now() - began).toBeLessThan(3900);
  expect(await stateOf(other)).toMatchObject(LIVE);
  expect((await server.stats()).dead_tokens).toBe(0);
});
