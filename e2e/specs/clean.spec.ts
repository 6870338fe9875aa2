/** No false alarm: twenty days with everything that is no mistake of a front end, after which nothing is unexplained. */

import type { BrowserContext, Page } from "@playwright/test";
import {
  dashboard,
  type Explained,
  explain,
  setClock,
  tenure,
  withClock,
  withMystery,
} from "../support/mystery.js";
import { Server } from "../support/server.js";
import { expect, test } from "../support/test.js";
import { until } from "../support/until.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** By now all of it has happened, also for the product's command, which runs on the real time. */
const BEGUN = 21 * DAY;

const stateOf = (page: Page) => page.evaluate(() => window.mystery.client.getState());
const call = (page: Page) => page.evaluate(() => window.mystery.api("/api/reports"));

/** One thing a day that goes wrong, or is done, and is no end. */
const DAYS: readonly ((server: Server, page: Page, context: BrowserContext) => Promise<unknown>)[] = [
  ...[401, 402, 403, 429, 500, 503].map((status) => async (server: Server, page: Page) => {
    await server.fault({ kind: "status", status, path_prefix: "/api/reports" });
    expect(await call(page)).toBe(status);
  }),
  async (server, page) => {
    await server.fault({ kind: "reset", path_prefix: "/api/reports", count: 5 });
    expect(await call(page)).toBe(0);
    await server.clearFaults();
  },
  async (server, page) => {
    await server.fault({ kind: "status", status: 401, path_prefix: "/api/v1/auth/refresh" });
    await page.evaluate(() => window.mystery.client.refresh());
  },
  async (server, page) => {
    await server.fault({ kind: "html", path_prefix: "/api/v1/auth/refresh" });
    await page.evaluate(() => window.mystery.client.refresh());
  },
  async (_, page, context) => {
    await context.setOffline(true);
    expect(await call(page)).toBe(0);
    await context.setOffline(false);
  },
  (server) => server.restart(200),
  (server) => server.order("/keys/rotate", {}),
  (_, page) => page.getByRole("button", { name: "Chart" }).click(),
  (_, page) => page.reload(),
  async (server, page) => {
    await server.fault({ kind: "drop_answer", path_prefix: "/api/v1/auth/refresh" });
    await page.evaluate(() => window.mystery.client.refresh());
  },
];

test("twenty clean days: several tabs, sleep, no network, refusals, a restart, new keys, a password changed elsewhere, a sign-out; nothing is unexplained", async ({
  browser,
  context,
}) => {
  test.setTimeout(120_000);
  const server = await Server.start({ clock: "virtual", begunMs: BEGUN });
  try {
    const person = await server.person();
    let passed = 0;
    await withMystery(context, server);
    await withClock(context, -BEGUN);
    const { page, session: first } = await dashboard(context, server, "", person);
    const tabs = [
      page,
      (await dashboard(context, server, "")).page,
      (await dashboard(context, server, "")).page,
    ];

    /** The lid is closed for so long, and opened. */
    async function sleep(ms: number): Promise<void> {
      passed += ms;
      await server.advance(ms);
      for (const tab of tabs) {
        await setClock(tab, passed - BEGUN);
        await tab.evaluate(() => dispatchEvent(new Event("online")));
      }
    }
    const allLive = () =>
      until(async () => {
        for (const tab of tabs)
          expect(await stateOf(tab)).toMatchObject({ status: "signedIn", freshness: "live" });
      }, 20_000);

    for (const [day, happens] of DAYS.entries()) {
      const tab = tabs[day % tabs.length] as Page;
      await sleep(DAY);
      await happens(server, tab, context);
      await sleep(9 * 60_000);
      await allLive();
    }
    await sleep(19 * DAY - passed);
    await allLive();

    // On another device; it ends all the others.
    const elsewhere = await browser.newContext();
    await withMystery(elsewhere, server);
    await withClock(elsewhere, passed - BEGUN);
    const { page: other } = await dashboard(elsewhere, server, "", person);
    const password = "another way to the sea";
    await other.evaluate(
      ([current = "", next = ""]) => window.mystery.client.changePassword({ current, next }),
      [person.password, password],
    );
    for (const tab of tabs)
      await until(async () => {
        await tab.evaluate(() => window.mystery.client.refresh());
        expect(await stateOf(tab)).toMatchObject({ status: "signedOut", reason: "password_changed" });
      }, 10_000);

    const changed = { ...person, password };
    const second = await page.evaluate(async (changed) => {
      const { data } = await window.mystery.client.signIn.password({ ...changed, rememberMe: true });
      return data?.session.id ?? "";
    }, changed);
    await sleep(HOUR);
    await allLive();
    // A hand does it: whoever signs out was there.
    await page.getByRole("button", { name: "Sign out" }).click();
    await until(async () => expect(explain(server, second).how.reports).toBeGreaterThan(0), 15_000);
    await elsewhere.close();

    // What browsers reported was held against what the server knew.
    expect(explain(server, first)).toMatchObject({
      verdict: "end_reported",
      why: { reason: "password_changed" },
    });
    expect(explain(server, second)).toMatchObject({ verdict: "end_reported", why: { reason: "signed_out" } });
    const all = JSON.parse(tenure(server, "--json", "explain", person.email, "--all")) as {
      explained: Explained[];
    };
    expect(all.explained).toHaveLength(3);
    for (const { verdict, scenario, why } of all.explained) {
      expect(["alive", "ended", "end_reported", "time_over"]).toContain(verdict);
      expect({ scenario, suspect: why.suspect }, why.it_came ?? "").toEqual({ scenario: null });
      if (why.receipt) expect(explain(server, why.receipt).verdict).toBe(verdict);
    }
    expect(tenure(server, "explain", person.email, "--all")).not.toContain("unexplained");
    expect((await server.stats()).unexplained).toBe(0);
  } finally {
    await server.stop();
  }
});
