/** What a server says of a session: a doubt, a verdict, somebody else, or something to try again. */

import { describe, expect, it, vi } from "vitest";
import { ADA, BOB, Browser, type Fate, isRefresh, signedIn, type World } from "./world.js";
import { DAY } from "./world-server.js";

// Days of virtual time on a machine that is busy with other things.
vi.setConfig({ testTimeout: 60_000 });

const MINUTE = 60_000;
const onRefresh = (fate: () => Fate) => (sent: Parameters<World["network"]>[0]) =>
  isRefresh(sent) ? fate() : undefined;

describe("what the server says of a session", () => {
  it("a 409 request_stale sets the clock and is sent again at once", async () => {
    const { world, tab } = await signedIn();
    world.server.skew = 3 * 60 * MINUTE;
    void tab.client.refresh();
    await world.time.advance(500);
    const [first, second] = world.refreshes();
    expect(
      Number(second?.headers.get("tenure-sent-at")) - Number(first?.headers.get("tenure-sent-at")),
    ).toBeCloseTo(3 * 60 * MINUTE, -3);
    expect(tab.events).toContain("TOKEN_REFRESHED");
    expect(tab.events).not.toContain("RECONNECTING");
  });

  it("D01, D04: a 409 refresh_superseded is asked again after 1 to 2 s", async () => {
    const { world, tab } = await signedIn();
    let once = 1;
    world.network = onRefresh(() =>
      once-- > 0 ? { answer: world.server.problem("refresh_superseded") } : undefined,
    );
    void tab.client.refresh();
    await world.time.advance(900);
    expect(world.refreshes().length).toBe(1);
    await world.time.advance(1400);
    expect(world.refreshes().length).toBe(2);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("one 401 is a doubt, and a 200 after it clears it", async () => {
    const { world, tab } = await signedIn();
    const bad = () => ({ answer: world.server.problem("session_revoked", { session: "ses_00000001" }) });
    let times = 1;
    world.network = onRefresh(() => (times-- > 0 ? bad() : undefined));
    for (let i = 0; i < 5; i++) {
      times = 1;
      void tab.client.refresh();
      await world.time.advance(900);
      expect(tab.state.status).toBe("signedIn");
      await world.time.advance(30_000);
      expect(tab.shows).toBe("signedIn ada live");
    }
    expect(tab.events).not.toContain("SIGNED_OUT");
  });

  it("what is heard twice is believed, with reason and receipt, 1 to 2 s later", async () => {
    const { world, tab } = await signedIn();
    world.server.end(world.server.rows[0], "password_reset");
    void tab.client.refresh();
    await world.time.advance(1000);
    expect(tab.state.status).toBe("signedIn");
    await world.time.advance(1200);
    expect(tab.state).toMatchObject({ reason: "password_reset", receipt: "rcp_ses_00000001" });
    expect(world.refreshes().length).toBe(2);
    world.sent.length = 0;
    await world.time.advance(60 * MINUTE);
    expect(world.sent).toEqual([]);
  });

  it("a 401 about another session than ours is none of ours", async () => {
    const { world, tab } = await signedIn();
    world.network = onRefresh(() => ({
      answer: world.server.problem("session_revoked", { session: "ses_99999999" }),
    }));
    await world.time.advance(40 * MINUTE);
    expect(tab.shows).toBe("signedIn ada reconnecting");
  });

  it("a doubt that could not be confirmed is asked about again as soon as the network is back", async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { world, browser, tab } = await signedIn({ seed });
      world.network = onRefresh(() => ({
        answer: world.server.problem("session_revoked", { session: "ses_00000001" }),
      }));
      void tab.client.refresh();
      await world.time.advance(500);
      world.network = () => undefined;
      world.online = false;
      await world.time.advance(5 * MINUTE);
      browser.goOnline();
      await world.time.advance(500);
      expect(tab.shows, `seed ${seed}`).toBe("signedIn ada live");
    }
  });

  it("a doubt is not confirmed sooner because the page wakes", async () => {
    const { world, tab } = await signedIn();
    world.server.end(world.server.rows[0], "admin_revoked");
    void tab.client.refresh();
    await world.time.advance(100);
    for (let i = 0; i < 8; i++) {
      tab.wake();
      await world.time.advance(100);
    }
    expect(world.refreshes().length).toBe(1);
  });

  it("K10: after the absolute end there is one explained sign-out and no loop", async () => {
    const { world, tab } = await signedIn();
    await world.time.sleep(20 * DAY + 5 * MINUTE);
    tab.wake();
    await world.time.advance(60 * MINUTE);
    expect(tab.shows).toBe("signedOut remembered_lifetime");
    expect(tab.events.filter((name) => name === "SIGNED_OUT").length).toBe(1);
    expect(world.refreshes().length).toBeLessThanOrEqual(3);
  });

  it("for 20 days and one second it is signed in, idle or busy, and then it is told why not", async () => {
    const { world, tab } = await signedIn();
    await world.time.advance(20 * DAY - 2000);
    expect(tab.events).not.toContain("SIGNED_OUT");
    expect(tab.state.status).toBe("signedIn");
    await world.time.advance(5 * MINUTE);
    expect(tab.shows).toBe("signedOut remembered_lifetime");
  });

  it("the last minutes of a session cost few requests", async () => {
    const { world, tab } = await signedIn();
    await world.time.sleep(20 * DAY - 10 * MINUTE);
    tab.wake();
    await world.time.advance(2000);
    expect(tab.shows).toBe("signedIn ada live");
    world.sent.length = 0;
    await world.time.advance(15 * MINUTE);
    expect(tab.shows).toBe("signedOut remembered_lifetime");
    expect(world.refreshes().length).toBeLessThanOrEqual(40);
  });

  it("a cookie that is gone is explained by what the browser still knows of its session", async () => {
    for (const [remembered, days, reason] of [
      [true, 1, "cookie_missing"],
      [true, 21, "remembered_lifetime"],
      [false, 0, "short_lifetime"],
    ] as const) {
      const browser = new Browser();
      const tab = await browser.signedIn({ ...ADA, rememberMe: remembered });
      tab.close();
      // The browser was closed, or evicted it, or its time ran out.
      browser.jar.clear();
      await browser.world.time.advance(days * DAY);
      const again = browser.open();
      await browser.world.time.advance(10_000);
      expect(again.shows, reason).toBe(`signedOut ${reason}`);
    }
  });

  it("K01: a cookie that the browser evicted is named as the reason", async () => {
    const { world, browser, tab } = await signedIn();
    browser.jar.clear();
    const again = tab.reload();
    await world.time.advance(10_000);
    expect(again.shows).toBe("signedOut cookie_missing");
  });

  it("who never signed in is told so by the first answer", async () => {
    const browser = new Browser();
    const tab = browser.open();
    await browser.world.time.advance(300);
    expect(tab.shows).toBe("signedOut never_signed_in");
    expect(browser.world.refreshes().length).toBe(1);
  });

  it("K04, K06, K07, K08: with the cookie alone, and nothing else left, a page is signed in", async () => {
    const { world, browser, tab } = await signedIn();
    browser.stored.clear();
    const again = tab.reload();
    await world.time.advance(500);
    expect(again.shows).toBe("signedIn ada live");
  });

  it("USER_CHANGED: another person in the jar is shown as another person", async () => {
    const { world, browser, tab } = await signedIn();
    const other = new Browser(world);
    await other.signedIn(BOB);
    for (const [name, value] of other.jar) browser.jar.set(name, value);
    void tab.client.refresh();
    await world.time.advance(1000);
    expect(tab.shows).toBe("signedIn bob live");
    expect(tab.events).toEqual(["SIGNED_IN", "USER_CHANGED"]);
  });
});
