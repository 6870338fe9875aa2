/** Browsers that lack something, deny it, or hold on to it: the session works without. */

import type { Page } from "@playwright/test";
import type { AuthEvent } from "@tenure/client";
import {
  call,
  eventsOf,
  expectNeverOut,
  inspect,
  LIVE,
  refresh,
  signIn,
  stateOf,
  untilState,
} from "../support/tab.js";
import { expect, test } from "../support/test.js";

/** Scripts that take something away before the page's own scripts run. */
const WITHOUT = {
  "Web Locks": () => Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined }),
  BroadcastChannel: () => Reflect.deleteProperty(window, "BroadcastChannel"),
  "Web Locks and BroadcastChannel": () => {
    Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined });
    Reflect.deleteProperty(window, "BroadcastChannel");
  },
  "crypto.randomUUID": () => Reflect.deleteProperty(Crypto.prototype, "randomUUID"),
  "storage that may be read": () => {
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
      Object.defineProperty(window, name, {
        get: () => {
          throw new DOMException("Access is denied.", "SecurityError");
        },
      });
    }
  },
  "storage that may be written": () => {
    Storage.prototype.setItem = () => {
      throw new DOMException("It is full.", "QuotaExceededError");
    };
  },
  "locks that are granted": () => {
    LockManager.prototype.request = () =>
      Promise.reject(new DOMException("The request was refused.", "SecurityError"));
  },
} as const;

/** Firefox is shown the worst of them. */
const tagOf = (what: string) => (what === "Web Locks and BroadcastChannel" ? ["@firefox"] : []);

for (const [what, takeAway] of Object.entries(WITHOUT)) {
  test(`without ${what}: sign-in, four tabs, reload, and a sign-out that all follow`, {
    tag: tagOf(what),
  }, async ({ tab, person, context, server }) => {
    await context.addInitScript(takeAway);
    const first = await tab();
    await signIn(first, person);
    const before = await server.refreshes();
    const others = await Promise.all([tab(), tab(), tab()]);
    for (const page of others) await untilState(page, LIVE);
    expect((await server.refreshes()) - before).toBeLessThanOrEqual(3);
    await first.reload();
    await untilState(first, LIVE);
    for (const page of [first, ...others]) expect(await refresh(page)).toBeUndefined();
    await expectNeverOut(first, ...others);
    await first.evaluate(() => window.client.signOut());
    for (const page of others) await expectFollows(page);
    expect((await server.stats()).dead_tokens).toBe(0);
  });
}

/** Where a tab can hear nothing of the others, it finds out with its next refresh. */
async function expectFollows(page: Page): Promise<void> {
  const { channel } = await inspect(page);
  const hears = channel === "broadcast" || (await page.evaluate(writes));
  if (!hears) await refresh(page);
  await untilState(page, { status: "signedOut" });
}

function writes(): boolean {
  try {
    localStorage.setItem("probe", "1");
    return localStorage.getItem("probe") === "1";
  } catch {
    return false;
  }
}

test("H02 H04: a page that holds the lock and never lets go costs the others 4 seconds, once", async ({
  tab,
  person,
  server,
}) => {
  const tabs = await Promise.all([tab(), tab(), tab()]);
  await signIn(tabs[0], person);
  for (const page of tabs) await untilState(page, LIVE);
  const holder = await tab("/favicon.svg");
  await holder.evaluate(
    () =>
      new Promise<void>((granted) => {
        void navigator.locks.request("tenure:lock", () => {
          granted();
          return new Promise(() => {});
        });
      }),
  );
  const began = Date.now();
  const codes = await Promise.all(tabs.map((page) => refresh(page)));
  expect(codes).toEqual([undefined, undefined, undefined]);
  expect(Date.now() - began).toBeLessThan(8000);
  // Nobody stole it.
  const isHeld = async () =>
    (await navigator.locks.query()).held?.filter(({ name }) => name === "tenure:lock").length;
  expect(await holder.evaluate(isHeld)).toBe(1);
  for (const page of tabs) expect(await call(page)).toBe(200);
  await expectNeverOut(...tabs);
  expect((await server.stats()).dead_tokens).toBe(0);
});

test("H01: signing in from within a listener does not lock itself out", { tag: "@firefox" }, async ({
  tab,
  person,
}) => {
  const page = await tab();
  await untilState(page, { status: "signedOut", reason: "never_signed_in" });
  const { email, password } = person;
  const took = await page.evaluate(
    async ([email = "", password = ""]) => {
      const began = performance.now();
      const { client } = window;
      await new Promise<void>((resolve) => {
        const stop = client.onAuthStateChange((event) => {
          if (event !== "SIGNED_IN") return;
          stop();
          // Each takes the lock that the sign-in holds.
          void Promise.all([client.refresh(), client.getAccessToken()]).then(() => resolve());
        });
        void client.signIn.password({ email, password, rememberMe: true });
      });
      return performance.now() - began;
    },
    [email, password],
  );
  expect(took).toBeLessThan(5000);
  await untilState(page, LIVE);
});

for (const hours of [-2, 2, -26]) {
  test(`J01 J03 J05: the device's clock is ${hours} hours wrong, and nothing loops`, async ({
    tab,
    person,
    context,
  }) => {
    await context.addInitScript((ms) => {
      const now = Date.now;
      Date.now = () => now() + ms;
    }, hours * 3_600_000);
    const page = await tab();
    await signIn(page, person);
    expect(await call(page)).toBe(200);
    await page.reload();
    await untilState(page, LIVE);
    expect(await call(page)).toBe(200);
    const { refreshesSent, clockOffsetMs } = await inspect(page);
    expect(refreshesSent).toBeLessThanOrEqual(1);
    expect(Math.abs((clockOffsetMs ?? 0) + hours * 3_600_000)).toBeLessThan(10_000);
    await expectNeverOut(page);
  });
}

test("J03: an access token that the API finds expired is replaced once, and the call repeated", async ({
  tab,
  person,
  server,
}) => {
  const page = await tab();
  await signIn(page, person);
  // Ten seconds are the least age at which a token is thrown away, by the client's reckoning.
  await page.evaluate(() => {
    const { now } = performance;
    const { now: wall } = Date;
    performance.now = () => now.call(performance) + 20_000;
    Date.now = () => wall() + 20_000;
  });
  const before = await server.refreshes();
  const problem = { status: 401, code: "access_token_expired", class: "authentication", title: "Expired" };
  let refused = 0;
  await page.route("**/api/v1/auth/profile", (route) => {
    if (refused++ > 0) return route.continue();
    const headers = { "www-authenticate": 'Bearer error="invalid_token"' };
    const body = JSON.stringify(problem);
    return route.fulfill({ status: 401, contentType: "application/problem+json", headers, body });
  });
  expect(await call(page)).toBe(200);
  expect(refused).toBe(2);
  expect((await server.refreshes()) - before).toBe(1);
  expect(await stateOf(page)).toMatchObject(LIVE);
  await expectNeverOut(page);
});

test("I03: the lid was closed for three hours: one refresh, and the tabs are told", async ({
  tab,
  person,
  server,
}) => {
  const tabs = await Promise.all([tab(), tab(), tab(), tab()]);
  await signIn(tabs[0], person);
  for (const each of tabs) await untilState(each, LIVE);
  const before = await server.refreshes();
  // The wall clock has gone on and the other has not, as it is while a device sleeps.
  for (const each of tabs) {
    await each.evaluate(() => {
      const { now } = Date;
      Date.now = () => now() + 3 * 3_600_000;
    });
  }
  expect(await stateOf(tabs[0])).toMatchObject({ status: "signedIn" });
  for (const each of tabs) await each.evaluate(() => document.dispatchEvent(new Event("resume")));
  for (const each of tabs) await untilTold(each, "TOKEN_REFRESHED");
  for (const each of tabs) await untilState(each, LIVE);
  // A tab that is told too late, as on a busy machine, may ask as well.
  expect((await server.refreshes()) - before).toBeLessThanOrEqual(2);
  await expectNeverOut(...tabs);
});

const untilTold = (page: Page, name: AuthEvent) => expect.poll(() => eventsOf(page)).toContain(name);
