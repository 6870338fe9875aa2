/** The browser is closed, with its profile on disk, and opened again. */

import { Profile } from "../support/profile.js";
import { call, LIVE, signIn, stateOf, untilState } from "../support/tab.js";
import { test as base, expect } from "../support/test.js";

const test = base.extend<{ profile: Profile }>({
  profile: async ({ playwright, launchOptions, server }, use) => {
    const profile = new Profile(playwright.chromium, launchOptions, server);
    await use(profile);
    await profile.remove();
  },
});

test("K04: a remembered sign-in outlives the browser", async ({ profile, person }) => {
  const page = await profile.open();
  const session = await signIn(page, person);
  await profile.close();
  const again = await profile.open();
  await untilState(again, LIVE);
  expect(await stateOf(again)).toMatchObject({ session: { id: session, remembered: true } });
  expect(await call(again)).toBe(200);
});

test("a sign-in without remember-me goes with the browser", async ({ profile, person }) => {
  const page = await profile.open();
  await signIn(page, person, false);
  expect((await profile.cookies())[0]?.expires).toBe(-1);
  await page.reload();
  await untilState(page, LIVE);
  await profile.close();
  const again = await profile.open();
  await untilState(again, { status: "signedOut" });
  expect(await profile.cookies()).toEqual([]);
});

test("a sign-out while the network is away is delivered by the next start of the browser", async ({
  profile,
  person,
  server,
}) => {
  const page = await profile.open();
  await signIn(page, person);
  const ends = async () => (await server.stats()).ends.signed_out ?? 0;
  const before = await ends();
  await page.context().setOffline(true);
  await page.evaluate(() => window.client.signOut());
  await profile.close();
  const again = await profile.open();
  await untilState(again, { status: "signedOut", reason: "signed_out" });
  await expect.poll(ends).toBe(before + 1);
  await expect.poll(() => profile.cookies()).toEqual([]);
});
