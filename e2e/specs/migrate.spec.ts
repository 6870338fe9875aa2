/** Who was signed in by simplejwt opens the app once it has come to Tenure, and sees no sign-in page. */

import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "@playwright/test";
import { tenure } from "../support/mystery.js";
import { Server } from "../support/server.js";
import { LIVE, stateOf, toldOf, untilState, whoAmI, withHarness } from "../support/tab.js";
import { test as base, expect } from "../support/test.js";

const SIGNING_KEY = "the key that django signs with, of which nobody knows";
const MIGRATE = { refreshKey: "refresh_token", remove: ["access_token", "user"] };

interface Own {
  /** The e-mail of somebody who has come from Django, and who is nobody else's in this file. */
  moved: { email: string; token: string };
  /** A page of theirs, once they were carried over. */
  carried: Page;
}

const test = base.extend<Own, { server: Server; people: () => string }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs from this pattern.
    async ({}, use) => {
      const settings = [
        "migration.exchange_until=2099-01-01T00:00:00Z",
        `migration.simplejwt_key=${SIGNING_KEY}`,
      ];
      const server = await Server.start({ settings });
      imported(server);
      await use(server);
      await server.stop();
    },
    { scope: "worker" },
  ],
  people: [
    // biome-ignore lint/correctness/noEmptyPattern: as above.
    async ({}, use) => {
      let last = 0;
      await use(() => String(++last));
    },
    { scope: "worker" },
  ],
  moved: async ({ server, people }, use) => {
    await server.clearFaults();
    const id = people();
    await use({ email: `django-${id}@example.com`, token: refreshToken(id) });
  },
  carried: async ({ tab, moved, server, context }, use) => {
    await leftBehind(context, server, moved.token);
    const page = await tab();
    await untilState(page, LIVE);
    await use(page);
  },
});

/** As `manage.py dumpdata auth.user` writes people, and as they then come. */
function imported(server: Server): void {
  const folder = mkdtempSync(join(tmpdir(), "tenure-e2e-dump-"));
  const file = join(folder, "people.json");
  const people = Array.from({ length: 20 }, (_, i) => ({
    model: "auth.user",
    pk: i + 1,
    fields: {
      username: `django-${i + 1}`,
      email: `django-${i + 1}@example.com`,
      password: "!of no use",
      is_active: true,
      is_staff: false,
      is_superuser: false,
      first_name: "",
      last_name: "",
      last_login: null,
      date_joined: "2024-01-01T00:00:00Z",
    },
  }));
  writeFileSync(file, JSON.stringify(people));
  tenure(server, "import", "django", "--dump", file);
  rmSync(folder, { recursive: true });
}

/** A refresh token with the claims that simplejwt writes. */
function refreshToken(userId: string): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    token_type: "refresh",
    exp: now + 20 * 86_400,
    iat: now - 86_400,
    jti: randomUUID().replaceAll("-", ""),
    user_id: userId,
  };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", SIGNING_KEY).update(signed).digest("base64url")}`;
}

/** What the app left in this browser when it still went by simplejwt; from now on its pages migrate. */
async function leftBehind(context: BrowserContext, server: Server, token: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(`${server.api}/favicon.svg`);
  await page.evaluate((token) => {
    for (const key of ["access_token", "user", "theme"]) localStorage.setItem(key, "of the app before");
    localStorage.setItem("refresh_token", token);
  }, token);
  await page.close();
  await context.addInitScript((migrate) => {
    window.migrateBy = migrate;
  }, MIGRATE);
}

const keysOf = (page: Page) =>
  page.evaluate(() =>
    ["refresh_token", "access_token", "user", "theme"].filter((key) => localStorage.getItem(key) !== null),
  );

const sessionsOf = (page: Page) =>
  page.evaluate(async () => (await window.client.sessions.list()).data?.length);

/** No page of the app has been told, for a moment, that nobody is signed in. */
async function expectNoSignInPage(...pages: Page[]): Promise<void> {
  for (const page of pages)
    expect((await toldOf(page)).map(({ state }) => state.status)).not.toContain("signedOut");
}

test("three tabs that open at once: one session, no sign-in page, and the old keys are gone", async ({
  tab,
  moved,
  server,
  context,
}) => {
  await leftBehind(context, server, moved.token);
  const pages = await Promise.all([tab(), tab(), tab()]);
  for (const page of pages) await untilState(page, LIVE);
  const [one] = pages;
  expect(await sessionsOf(one)).toBe(1);
  expect(await whoAmI(one)).toBe(moved.email);
  expect(await keysOf(one)).toEqual(["theme"]);
  expect(await stateOf(one)).toMatchObject({ session: { remembered: true } });
  await expectNoSignInPage(...pages);
  await one.reload();
  await untilState(one, LIVE);
  expect(await sessionsOf(one)).toBe(1);
});

test("offline at the start: undecided and nothing is removed, then signed in", async ({
  tab,
  moved,
  server,
  context,
}) => {
  await leftBehind(context, server, moved.token);
  await context.setOffline(true);
  const page = await tab();
  await expect.poll(async () => (await stateOf(page)).status).toBe("unknown");
  await expect.poll(async () => Object.keys(await stateOf(page))).toContain("trouble");
  expect(await keysOf(page)).toHaveLength(4);
  await context.setOffline(false);
  await untilState(page, LIVE);
  expect(await keysOf(page)).toEqual(["theme"]);
  await expectNoSignInPage(page);
});

test("an answer that is lost is asked for again, and is one session", async ({
  tab,
  moved,
  server,
  context,
}) => {
  await leftBehind(context, server, moved.token);
  await server.fault({ kind: "drop_answer", path_prefix: "/api/v1/auth/exchange", count: 2 });
  const page = await tab();
  await untilState(page, LIVE);
  expect(await server.standingFaults()).toBe(0);
  expect(await sessionsOf(page)).toBe(1);
  await expectNoSignInPage(page);
});

test("a copy of the token is worth nothing afterwards, and costs whoever was first nothing", async ({
  carried: page,
  moved,
  server,
  browser,
}) => {
  const elsewhere = await browser.newContext();
  await withHarness(elsewhere, server.api);
  await leftBehind(elsewhere, server, moved.token);
  const copy = await elsewhere.newPage();
  await copy.goto(`${server.api}/harness.html`);
  await untilState(copy, { status: "signedOut", reason: "not_carried_over" });
  expect(await keysOf(copy)).toEqual(["theme"]);
  await elsewhere.close();
  expect(await page.evaluate(async () => (await window.client.refresh()).error)).toBeNull();
  expect(await sessionsOf(page)).toBe(1);
});

test("who signs out is out, whatever pages of the old app write", async ({ carried: page, moved }) => {
  await page.evaluate((token) => localStorage.setItem("refresh_token", token), moved.token);
  await page.evaluate(() => window.client.signOut());
  await page.reload();
  await untilState(page, { status: "signedOut", reason: "never_signed_in" });
  expect(await keysOf(page)).toEqual(["theme"]);
});

test("who signs out is out, although a page of the old app renews its token a moment later", async ({
  carried: page,
  moved,
}) => {
  const id = /\d+/.exec(moved.email)?.[0] ?? "";
  await page.evaluate(() => window.client.signOut());
  await page.evaluate((token) => localStorage.setItem("refresh_token", token), refreshToken(id));
  await page.reload();
  await untilState(page, { status: "signedOut", reason: "never_signed_in" });
});

test("a server that was given a wrong key costs nobody their tokens", async ({ context }) => {
  const settings = ["migration.exchange_until=2099-01-01T00:00:00Z"];
  const key = `migration.simplejwt_key=${SIGNING_KEY}`;
  const server = await Server.start({ settings: [...settings, `${key}, mistyped`] });
  try {
    imported(server);
    await withHarness(context, server.api);
    await leftBehind(context, server, refreshToken("1"));
    const page = await context.newPage();
    await page.goto(`${server.api}/harness.html`);
    for (const _ of [1, 2]) {
      await untilState(page, { status: "signedOut", reason: "never_signed_in" });
      expect(await keysOf(page)).toHaveLength(4);
      await page.reload();
    }
    await server.kill();
    await server.startAgain({ settings: [...settings, key] });
    await page.reload();
    await untilState(page, LIVE);
    expect(await keysOf(page)).toEqual(["theme"]);
  } finally {
    await server.stop();
  }
});
