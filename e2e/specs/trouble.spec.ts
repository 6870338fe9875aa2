/** Networks, proxies and servers that fail: nobody is signed out by any of it. */

import type { Page, Route } from "@playwright/test";
import {
  call,
  eventsOf,
  expectNeverOut,
  inspect,
  LIVE,
  REFRESH,
  refresh,
  signIn,
  stateOf,
  untilState,
} from "../support/tab.js";
import { expect, test } from "../support/test.js";

/** A proxy's page, whatever was asked for. */
const portal = (status: number) => (route: Route) =>
  route.fulfill({ status, contentType: "text/html", body: "<h1>Please accept our terms</h1>" });

/** The longest pause between two attempts is half a minute, and chance decides which pause it is. */
const RECOVERY_MS = 35_000;
test.describe.configure({ timeout: 60_000 });

/** Wants another token while it cannot be had. */
async function wantToken(page: Page): Promise<void> {
  expect(await refresh(page)).toMatch(/unreachable|foreign_answer|internal_error/);
  expect(await stateOf(page)).toMatchObject({ status: "signedIn", freshness: "reconnecting" });
}

/** The network heals, and the page needs neither a reload nor a click. */
async function expectRecovery(page: Page): Promise<void> {
  await untilState(page, LIVE, RECOVERY_MS);
  expect(await call(page)).toBe(200);
  expect(await eventsOf(page)).toContain("RECONNECTED");
  await expectNeverOut(page);
}

test("F01 F04 F11 F12 F14: offline when a token is due, and back: the same page is signed in", {
  tag: "@firefox",
}, async ({ tab, person, context }) => {
  const page = await tab();
  await signIn(page, person);
  await context.setOffline(true);
  await wantToken(page);
  expect(await call(page)).toBe("unreachable");
  await context.setOffline(false);
  await expectRecovery(page);
});

test("F09: offline and coming back to the tab leaves the person signed in", async ({
  tab,
  person,
  context,
}) => {
  const page = await tab();
  await signIn(page, person);
  await context.setOffline(true);
  await wantToken(page);
  for (const name of ["blur", "focus", "pageshow", "visibilitychange"]) {
    await page.evaluate((name) => window.dispatchEvent(new Event(name)), name);
  }
  expect(await stateOf(page)).toMatchObject({ status: "signedIn", user: { email: person.email } });
  await context.setOffline(false);
  await expectRecovery(page);
});

test("F03 I02: awake before the network is: it tries again by itself", async ({ tab, person }) => {
  const page = await tab();
  await signIn(page, person);
  let failed = 0;
  await page.route(REFRESH, (route) =>
    ++failed <= 4 ? route.abort("addressunreachable") : route.continue(),
  );
  await wantToken(page);
  await expectRecovery(page);
  expect(failed).toBeGreaterThan(4);
});

test("a captive portal's page instead of a token is a network problem", { tag: "@firefox" }, async ({
  tab,
  person,
}) => {
  const page = await tab();
  await signIn(page, person);
  await page.route(REFRESH, portal(200));
  expect(await refresh(page)).toBe("foreign_answer");
  expect(await stateOf(page)).toMatchObject({ status: "signedIn", freshness: "reconnecting" });
  await page.unroute(REFRESH);
  await expectRecovery(page);
});

for (const status of [400, 401, 402, 403, 404, 408, 429, 500, 502, 503]) {
  test(`F02 F05 F07: a proxy's ${status} for refreshes and calls signs nobody out`, async ({
    tab,
    person,
  }) => {
    const page = await tab();
    await signIn(page, person);
    await page.route("**/api/v1/**", portal(status));
    await wantToken(page);
    await page.unroute("**/api/v1/**");
    await expectRecovery(page);
  });
}

for (const [status, code] of [
  [402, "plan_inactive"],
  [403, "permission_denied"],
  [500, "internal_error"],
] as const) {
  test(`F20: a storm of ${status} from the API is the caller's business`, async ({ tab, person }) => {
    const page = await tab();
    await signIn(page, person);
    const { refreshesSent } = await inspect(page);
    const body = JSON.stringify({ type: "about:blank", title: code, status, code, class: "authorization" });
    await page.route("**/api/v1/auth/profile", (route) =>
      route.fulfill({ status, contentType: "application/problem+json", body }),
    );
    const statuses = await Promise.all(Array.from({ length: 30 }, () => call(page)));
    expect(new Set(statuses)).toEqual(new Set([status]));
    expect((await inspect(page)).refreshesSent).toBe(refreshesSent);
    expect(await stateOf(page)).toMatchObject(LIVE);
    await expectNeverOut(page);
  });
}

test("F15: our own 500 to a refresh is waited for", async ({ tab, person }) => {
  const page = await tab();
  await signIn(page, person);
  const problem = { status: 500, code: "internal_error", class: "transport", title: "A bug" };
  await page.route(REFRESH, (route) =>
    route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify(problem) }),
  );
  await wantToken(page);
  await page.unroute(REFRESH);
  await expectRecovery(page);
});

test("F18: told to wait, it waits, however often somebody comes back to the tab", async ({ tab, person }) => {
  const page = await tab();
  await signIn(page, person);
  const problem = {
    status: 429,
    code: "rate_limited",
    class: "transport",
    title: "Slowly",
    retry_after: 300,
  };
  let asked = 0;
  await page.route(REFRESH, (route) => {
    asked += 1;
    return route.fulfill({
      status: 429,
      contentType: "application/problem+json",
      body: JSON.stringify(problem),
    });
  });
  expect(await refresh(page)).toBe("rate_limited");
  for (let i = 0; i < 20; i++) await page.evaluate(() => window.dispatchEvent(new Event("online")));
  expect(await call(page)).toBe("rate_limited");
  expect(asked).toBe(1);
  expect(await stateOf(page)).toMatchObject({ status: "signedIn", freshness: "reconnecting" });
});

test("F13 M01: the server is restarted with everybody signed in", async ({ tab, person, server }) => {
  const tabs = await Promise.all([tab(), tab()]);
  await signIn(tabs[0], person);
  await untilState(tabs[1], LIVE);
  const away = server.restart(8000);
  await expect.poll(() => server.isUp(), { intervals: [20] }).toBe(false);
  await wantToken(tabs[0]);
  await away;
  await expectRecovery(tabs[0]);
  await tabs[1].reload();
  await untilState(tabs[1], LIVE);
});

test("the server is killed without a word and started on the same data", async ({ tab, person, server }) => {
  const page = await tab();
  await signIn(page, person);
  expect(await refresh(page)).toBeUndefined();
  await server.kill();
  await wantToken(page);
  await server.startAgain();
  await expectRecovery(page);
});

test("E04 G01 G02: a server that cannot read its sessions is waited for, and deletes no cookie", async ({
  tab,
  person,
  context,
}) => {
  const page = await tab();
  await signIn(page, person);
  const problem = { status: 503, code: "session_unverifiable", class: "transport", title: "Not now" };
  await page.route(REFRESH, (route) =>
    route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }),
  );
  expect(await refresh(page)).toBe("session_unverifiable");
  expect(await context.cookies()).toHaveLength(1);
  await page.unroute(REFRESH);
  await expectRecovery(page);
});

test("C01 C07: an answer lost on its way is asked for again, and served", async ({ tab, person, server }) => {
  const page = await tab();
  await signIn(page, person);
  const before = await server.refreshes();
  for (let round = 0; round < 3; round++) {
    await server.fault({ kind: "drop_answer", path_prefix: "/api/v1/auth/refresh" });
    // Some browsers repeat by themselves what was lost on a connection that they had used before.
    await refresh(page);
    await untilState(page, LIVE, RECOVERY_MS);
  }
  expect((await server.refreshes()) - before).toBeGreaterThanOrEqual(6);
  expect((await server.stats()).dead_tokens).toBe(0);
  await expectNeverOut(page);
});

test("C03: a page closed in the middle of a refresh, and opened again", async ({ tab, person, server }) => {
  const page = await tab();
  await signIn(page, person);
  for (let round = 0; round < 3; round++) {
    await server.fault({ kind: "delay", ms: 400, path_prefix: "/api/v1/auth/refresh" });
    await page.evaluate(() => void window.client.refresh());
    await expect.poll(() => server.standingFaults()).toBe(0);
    await page.reload();
    await untilState(page, LIVE);
  }
  expect((await server.stats()).dead_tokens).toBe(0);
  await expectNeverOut(page);
});

test("K09: a refresh that fails at the start of the page is trouble, not a sign-out", async ({
  tab,
  person,
}) => {
  const page = await tab();
  const session = await signIn(page, person);
  await page.route(REFRESH, portal(503));
  await page.reload();
  await expect.poll(async () => (await stateOf(page)) as { trouble?: unknown }).toHaveProperty("trouble");
  expect(await stateOf(page)).toMatchObject({ status: "unknown" });
  expect(await page.evaluate(() => localStorage.getItem("tenure:session"))).toContain(session);
  await page.unroute(REFRESH);
  await untilState(page, LIVE, RECOVERY_MS);
  await expectNeverOut(page);
});

test("L04: whether somebody is signed in is not answered from what was written down", async ({
  tab,
  person,
}) => {
  const page = await tab();
  await signIn(page, person);
  let answer = () => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route(REFRESH, async (route) => {
    await held;
    await route.continue();
  });
  await page.reload();
  expect((await stateOf(page)).status).toBe("unknown");
  const asked = page.evaluate(async () => (await window.client.ready()).status);
  answer();
  expect(await asked).toBe("signedIn");
});
