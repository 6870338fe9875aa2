/** Several tabs of one browser: they share requests and news, whatever of locks, channel and storage works. */

import { describe, expect, it, vi } from "vitest";
import { ADA, BOB, Browser, type BrowserOptions, type Tab, World } from "./world.js";

// Days of virtual time on a machine that is busy with other things.
vi.setConfig({ testTimeout: 60_000 });

const MINUTE = 60_000;

/** Tabs that are all signed in, opened one after the other. */
async function tabs(count: number, options: BrowserOptions = {}, seed = 1): Promise<[Browser, Tab[]]> {
  const browser = new Browser(new World(seed), options);
  const opened = [await browser.signedIn()];
  while (opened.length < count) opened.push(browser.open());
  await browser.world.time.advance(20_000);
  for (const tab of opened) expect(tab.shows).toBe("signedIn ada live");
  browser.world.sent.length = 0;
  return [browser, opened];
}

/** Sleeps until every token has run out, and wakes all tabs in the same instant. */
async function wakeTogether(browser: Browser, opened: readonly Tab[], ms = 30_000): Promise<void> {
  await browser.world.time.sleep(3 * 60 * MINUTE);
  for (const tab of opened) tab.wake();
  await browser.world.time.advance(ms);
}

/** Refreshes that could refresh; a 0 only asks for the time. */
const served = (browser: Browser) =>
  browser.world.refreshes().filter(({ headers }) => headers.get("tenure-sent-at") !== "0");

describe("tabs that wake together", () => {
  it("A02, I03: ten with locks send one refresh, and all have its token", async () => {
    const [browser, opened] = await tabs(10);
    await wakeTogether(browser, opened);
    expect(served(browser).length).toBe(1);
    for (const tab of opened) expect(tab.shows).toBe("signedIn ada live");
    for (const tab of opened)
      expect(tab.events.filter((name) => name === "TOKEN_REFRESHED").length).toBeGreaterThan(0);
  });

  it("A07: ten without locks send two at most", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [browser, opened] = await tabs(10, { locks: "missing" }, seed);
      await wakeTogether(browser, opened);
      expect(served(browser).length, `seed ${seed}`).toBeLessThanOrEqual(2);
      for (const tab of opened) expect(tab.shows).toBe("signedIn ada live");
    }
  });

  it.each([{ channel: "missing" }, { locks: "missing", channel: "missing" }, { channel: "throws" }] as const)(
    "I05: each refreshes by itself and none is signed out (%o)",
    async (options) => {
      const [browser, opened] = await tabs(5, options);
      await wakeTogether(browser, opened);
      for (const tab of opened) expect(tab.shows).toBe("signedIn ada live");
      expect(served(browser).length).toBeLessThanOrEqual(5);
    },
  );

  it("A11: twelve calls at once with a token that has run out cost one refresh", async () => {
    const [browser, [tab]] = await tabs(1);
    if (!tab) throw new Error("no tab");
    await browser.world.time.sleep(60 * MINUTE);
    const calls = Array.from({ length: 12 }, () => tab.client.fetch("https://app.example/api/things"));
    await browser.world.time.advance(1000);
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    expect(served(browser).length).toBe(1);
  });

  it("A08: two clients on one page send one refresh", async () => {
    const [browser, opened] = await tabs(2);
    const answers = opened.map((tab) => tab.client.refresh());
    await browser.world.time.advance(1000);
    for (const { error } of await Promise.all(answers)) expect(error).toBeNull();
    expect(served(browser).length).toBeLessThanOrEqual(2);
  });

  it("over a day, ten tabs refresh little more than once in the life of a token", async () => {
    const [browser] = await tabs(10);
    await browser.world.time.advance(24 * 60 * MINUTE);
    expect(browser.world.refreshes().length).toBeLessThan((24 * 60) / 10);
  });
});

describe("the lock", () => {
  it("H04: is not waited for longer than 4 s when its holder is frozen, and nobody steals it", async () => {
    const [browser, opened] = await tabs(5);
    const [holder, ...others] = opened as [Tab, ...Tab[]];
    browser.world.network = ({ tab }) => (tab === holder ? "hangs" : undefined);
    void holder.client.refresh();
    await browser.world.time.advance(10);
    holder.freeze();
    await wakeTogether(browser, others, 4300);
    for (const tab of others) expect(tab.shows).toBe("signedIn ada live");
    expect(served(browser).filter(({ tab }) => tab !== holder).length).toBeLessThanOrEqual(others.length);
    browser.world.network = () => undefined;
    holder.thaw();
    await browser.world.time.advance(60_000);
    expect(holder.shows).toBe("signedIn ada live");
  });

  it.each(["rejects", "throws", "never", "missing"] as const)(
    "H02: a lock that %s does not keep anybody from refreshing or signing in",
    async (locks) => {
      const browser = new Browser(new World(), { locks });
      const tab = browser.open();
      await browser.world.time.advance(6000);
      const signing = tab.client.signIn.password(ADA);
      await browser.world.time.advance(6000);
      expect((await signing).error).toBeNull();
      await browser.world.time.advance(60 * MINUTE);
      expect(tab.shows).toBe("signedIn ada live");
      expect(tab.events.filter((name) => name === "TOKEN_REFRESHED").length).toBeGreaterThanOrEqual(4);
    },
  );

  it("is free again when its holder is closed in the middle of a refresh", async () => {
    const [browser, [one, two]] = await tabs(2);
    if (!one || !two) throw new Error("no tabs");
    browser.world.network = ({ tab }) => (tab === one ? "hangs" : undefined);
    await browser.world.time.sleep(60 * MINUTE);
    one.wake();
    await browser.world.time.advance(100);
    two.wake();
    await browser.world.time.advance(100);
    one.close();
    await browser.world.time.advance(1000);
    expect(two.shows).toBe("signedIn ada live");
  });
});

describe("news between tabs", () => {
  it("A04, A14: a new tab has the token of the others, and sends no refresh", async () => {
    const [browser] = await tabs(2);
    const late = browser.open();
    await browser.world.time.advance(200);
    expect(late.shows).toBe("signedIn ada live");
    expect(browser.world.sent).toEqual([]);
    expect(late.client.inspect().tokensFromTabs).toBe(1);
  });

  it.each([
    {},
    { channel: "missing" },
    { locks: "missing" },
    { locks: "missing", channel: "missing" },
  ] as const)("a sign-out is seen by all within a second (%o)", async (options) => {
    const [browser, opened] = await tabs(5, options);
    void opened[2]?.client.signOut();
    await browser.world.time.advance(1000);
    for (const tab of opened) expect(tab.shows).toBe("signedOut signed_out");
    for (const tab of opened)
      expect(tab.events.filter((name) => name === "SIGNED_OUT")).toEqual(["SIGNED_OUT"]);
    expect(browser.world.server.live()).toEqual([]);
  });

  it("what one tab confirmed the others believe, with reason and receipt", async () => {
    const [browser, opened] = await tabs(4);
    browser.world.server.end(browser.world.server.rows[0], "admin_revoked");
    await wakeTogether(browser, opened);
    for (const tab of opened)
      expect(tab.state).toEqual({
        status: "signedOut",
        reason: "admin_revoked",
        receipt: "rcp_ses_00000001",
        sessionId: "ses_00000001",
      });
    expect(served(browser).length).toBeLessThanOrEqual(5);
  });

  it("a sign-in elsewhere is taken over by tabs that are signed out", async () => {
    const [browser, opened] = await tabs(3);
    void opened[0]?.client.signOut();
    await browser.world.time.advance(1000);
    void opened[1]?.client.signIn.password(BOB);
    await browser.world.time.advance(1000);
    for (const tab of opened) expect(tab.shows).toBe("signedIn bob live");
  });

  it.each([{}, { channel: "missing" }] as const)(
    "another person's sign-in changes the person in every tab, and says so (%o)",
    async (options) => {
      const [browser, opened] = await tabs(3, options);
      void opened[0]?.client.signIn.password(BOB);
      await browser.world.time.advance(2000);
      for (const tab of opened) {
        expect(tab.shows).toBe("signedIn bob live");
        expect(tab.events.at(-1)).toMatch(/USER_CHANGED|TOKEN_REFRESHED/);
        expect(tab.events).toContain("USER_CHANGED");
      }
    },
  );

  it.each([
    {},
    { channel: "missing" },
    { locks: "missing" },
    { locks: "missing", channel: "missing" },
  ] as const)(
    "a sign-in while another tab refreshes the old session stays, and reaches that tab (%o)",
    async (options) => {
      const [browser, [one, two]] = await tabs(2, options);
      if (!one || !two) throw new Error("no tabs");
      browser.world.network = ({ tab }) => (tab === one ? { up: 20, down: 3000 } : undefined);
      void one.client.refresh();
      await browser.world.time.advance(300);
      const signing = two.client.signIn.password(BOB);
      await browser.world.time.advance(10_000);
      expect((await signing).error).toBeNull();
      expect(two.shows).toBe("signedIn bob live");
      // Without a channel it learns of it from its next refresh.
      if (!("channel" in options)) expect(one.shows).toBe("signedIn bob live");
      await browser.world.time.advance(20 * MINUTE);
      for (const tab of [one, two]) expect(tab.shows).toBe("signedIn bob live");
      const later = browser.open();
      await browser.world.time.advance(1000);
      expect(later.shows).toBe("signedIn bob live");
    },
  );

  it("a profile and a password that one tab changed are known in the others", async () => {
    const [browser, [one, two]] = await tabs(2);
    void one?.client.updateProfile({ name: "Ada L." });
    await browser.world.time.advance(200);
    expect(two?.state).toMatchObject({ user: { name: "Ada L." } });
    void one?.client.changePassword({ current: ADA.password, next: "battery staple" });
    await browser.world.time.advance(200);
    const call = two?.client.fetch("https://app.example/api/things");
    await browser.world.time.advance(200);
    expect((await call)?.status).toBe(200);
    // The profile travels with a new token, and the password brings its own.
    expect(browser.world.refreshes().length).toBe(1);
  });

  it("a page back from the cache hears of a sign-out that it missed", async () => {
    const [browser, [one, two]] = await tabs(2);
    two?.freeze({ cached: true });
    void one?.client.signOut();
    await browser.world.time.advance(5000);
    expect(two?.shows).toBe("signedIn ada live");
    two?.thaw();
    expect(two?.shows).toBe("signedOut signed_out");
  });

  it("a page back from the cache hears of a sign-in that it missed", async () => {
    const [browser, [one, two]] = await tabs(2);
    two?.freeze({ cached: true });
    void one?.client.signIn.password(BOB);
    await browser.world.time.advance(5000);
    two?.thaw();
    await browser.world.time.advance(1000);
    expect(two?.shows).toBe("signedIn bob live");
    expect(two?.events).toContain("USER_CHANGED");
  });

  it("messages of another origin's making change nothing", async () => {
    const [browser, [tab]] = await tabs(1);
    const [channel] = tab?.channels ?? [];
    for (const message of [
      null,
      "out",
      { is: "out" },
      { is: "out", out: { status: "signedOut" } },
      { is: "out", out: { status: "signedOut", sessionId: "ses_00000001" } },
      { is: "out", out: { status: "signedOut", sessionId: "ses_00000001", reason: {} } },
      { is: "out", out: { status: "signedIn", sessionId: "ses_00000001" } },
      { is: "grant", grant: {}, serverNow: 0 },
      { is: "grant", grant: { user: {}, session: {}, token: {} }, serverNow: 0 },
      { is: "claim" },
      { __proto__: { is: "out" } },
    ])
      channel?.receive(message);
    await browser.world.time.advance(60 * MINUTE);
    expect(tab?.shows).toBe("signedIn ada live");
  });
});
