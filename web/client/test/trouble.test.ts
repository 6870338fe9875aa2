/** What a network, a proxy, a deploy and a sleeping laptop do to a session: nothing that it does not survive. */

import { describe, expect, it, vi } from "vitest";
import { ADA, Browser, type Fate, HOME, isRefresh, json, signedIn, type World } from "./world.js";
import { DAY } from "./world-server.js";

// Days of virtual time on a machine that is busy with other things.
vi.setConfig({ testTimeout: 60_000 });

const MINUTE = 60_000;
const html = (status: number, headers: Record<string, string> = {}): Fate => ({
  answer: {
    status,
    headers: { "content-type": "text/html", ...headers },
    body: "<h1>Sign in to the Wi-Fi</h1>",
  },
});
const onRefresh = (fate: () => Fate) => (sent: Parameters<World["network"]>[0]) =>
  isRefresh(sent) ? fate() : undefined;

describe("while the server cannot be asked", () => {
  it.each([
    ["F01: a network error", () => "lost"],
    ["F02, F15: a 500 of ours", (world: World) => ({ answer: world.server.problem("internal_error") })],
    ["F02: a 503 of ours", (world: World) => ({ answer: world.server.problem("storage_unavailable") })],
    [
      "F02: a 429 of ours",
      (world: World) => ({ answer: world.server.problem("rate_limited", { retry_after: 2 }) }),
    ],
    ["F05: a proxy's 429", () => html(429)],
    ["F05: a proxy's 408", () => html(408)],
    ["F05: a proxy's 403", () => html(403)],
    ["F05: a proxy's 404", () => html(404)],
    ["F07: an unknown 400", () => ({ answer: json(400, { error: "invalid_grant" }) })],
    ["F13: a rolling deploy's 502", () => html(502)],
    ["F13: a rolling deploy's 504", () => html(504)],
    ["a proxy's bare 401", () => html(401)],
    ["a captive portal's 200", () => html(200)],
    ["a lost answer", () => "answer-lost"],
  ] satisfies [string, (world: World) => Fate][])(
    "%s leaves the session as it is, and the next answer is taken",
    async (_, fate) => {
      const { world, tab } = await signedIn();
      world.network = onRefresh(() => fate(world));
      await world.time.advance(40 * MINUTE);
      expect(tab.shows).toBe("signedIn ada reconnecting");
      expect(tab.state).toMatchObject({ user: { id: "usr_ada" }, trouble: { failures: expect.any(Number) } });
      world.network = () => undefined;
      await world.time.advance(31_000);
      expect(tab.shows).toBe("signedIn ada live");
      expect(tab.events.filter((name) => /RECONN|OUT/.test(name))).toEqual(["RECONNECTING", "RECONNECTED"]);
    },
  );

  it("F03, I02, H06: a laptop wakes before its network and is signed in as soon as it is there", async () => {
    for (const ticking of [false, true]) {
      const { world, browser, tab } = await signedIn();
      await world.time.sleep(3 * 60 * MINUTE, { ticking });
      world.online = false;
      tab.wake();
      await world.time.advance(10_000);
      expect(tab.shows).toBe("signedIn ada reconnecting");
      browser.goOnline();
      await world.time.advance(500);
      expect(tab.shows).toBe("signedIn ada live");
      expect(tab.events).not.toContain("SIGNED_OUT");
    }
  });

  it("H06: a device that sleeps in the middle of a refresh refreshes again when it wakes", async () => {
    const { world, tab } = await signedIn();
    world.network = onRefresh(() => "hangs");
    await world.time.advance(14 * MINUTE);
    await world.time.sleep(60 * MINUTE);
    world.network = () => undefined;
    tab.wake();
    await world.time.advance(16_000);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("I03: a lid that was closed for three hours costs one refresh and no wrong news", async () => {
    const { world, tab } = await signedIn();
    await world.time.sleep(3 * 60 * MINUTE);
    tab.wake();
    await world.time.advance(2000);
    expect(tab.shows).toBe("signedIn ada live");
    expect(tab.events).toEqual(["SIGNED_IN", "TOKEN_REFRESHED"]);
    expect(world.refreshes().filter(({ headers }) => headers.get("tenure-sent-at") !== "0").length).toBe(1);
  });

  it("a sleep that nobody tells of is noticed within half a minute of being awake", async () => {
    const { world, tab } = await signedIn();
    await world.time.sleep(3 * 60 * MINUTE);
    await world.time.advance(31_000);
    expect(tab.shows).toBe("signedIn ada live");
    expect(world.refreshes().length).toBeGreaterThan(0);
  });

  it("F04: offline for a day, then online, is signed in again at once", async () => {
    const { world, browser, tab } = await signedIn();
    world.online = false;
    await world.time.advance(DAY);
    expect(tab.shows).toBe("signedIn ada reconnecting");
    browser.goOnline();
    await world.time.advance(500);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("F09: focus while offline keeps the person on the page", async () => {
    const { world, tab } = await signedIn();
    world.online = false;
    for (let i = 0; i < 100; i++) {
      tab.wake();
      await world.time.advance(MINUTE / 3);
      expect(tab.state.status).toBe("signedIn");
    }
    expect(tab.shows).toBe("signedIn ada reconnecting");
  });

  it("F11: five minutes of airplane mode are no sign-out", async () => {
    const { world, browser, tab } = await signedIn();
    world.online = false;
    await world.time.advance(5 * MINUTE);
    browser.goOnline();
    await world.time.advance(1000);
    expect(tab.events).not.toContain("SIGNED_OUT");
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("F12: offline exactly when the token is renewed, online again: renewed within a step, and it says so", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { world, tab } = await signedIn({ seed });
      world.network = onRefresh(() => "lost");
      await world.time.advance(13 * MINUTE);
      expect(tab.events).toContain("RECONNECTING");
      world.network = () => undefined;
      await world.time.advance(30_100);
      expect(tab.events, `seed ${seed}`).toContain("RECONNECTED");
    }
  });

  it("F14: one request in a tunnel is one failed request", async () => {
    const { world, tab } = await signedIn();
    let tunnel = 1;
    world.network = onRefresh(() => (tunnel-- > 0 ? "lost" : undefined));
    await world.time.advance(16 * MINUTE);
    expect(tab.events).toEqual(["SIGNED_IN", "RECONNECTING", "RECONNECTED", "TOKEN_REFRESHED"]);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("F07: an unknown 400 for an hour costs one request in a step", async () => {
    const { world, tab } = await signedIn();
    world.network = onRefresh(() => ({ answer: json(400, { error: "weird" }) }));
    await world.time.advance(60 * MINUTE);
    // 0.5 + 1 + 2 ... and then at most one in 15 s on average.
    expect(world.refreshes().length).toBeLessThan((48 * 60) / 15 + 60);
    expect(tab.shows).toBe("signedIn ada reconnecting");
  });

  it("F18: five minutes of 429 with Retry-After cost one request in each, whoever switches tabs", async () => {
    const { world, tab } = await signedIn();
    await world.time.advance(11 * MINUTE);
    const until = world.time.now + 8 * MINUTE;
    world.network = onRefresh(() =>
      world.time.now < until
        ? { answer: world.server.problem("rate_limited", { retry_after: 30 }) }
        : undefined,
    );
    world.sent.length = 0;
    while (world.time.now < until) {
      await world.time.advance(1000);
      tab.wake();
    }
    expect(world.refreshes().length).toBeLessThanOrEqual((8 * 60) / 30 + 1);
    await world.time.advance(31_000);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("a Retry-After of a day is not believed for longer than five minutes", async () => {
    const { world, tab } = await signedIn();
    let once = 1;
    world.network = onRefresh(() =>
      once-- > 0 ? { answer: world.server.problem("maintenance", { retry_after: 86_400 }) } : undefined,
    );
    await world.time.advance(19 * MINUTE);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("a refresh is given up after 15 s, and none begins before", async () => {
    const { world, tab } = await signedIn();
    world.network = onRefresh(() => "answer-hangs");
    await world.time.advance(30 * MINUTE);
    const refreshes = world.refreshes().filter(({ endedAt }) => endedAt !== undefined);
    expect(refreshes.length).toBeGreaterThan(20);
    for (const [i, { at, endedAt = 0, aborted }] of refreshes.entries()) {
      expect(endedAt - at).toBeCloseTo(15_000, 0);
      expect(aborted).toBe(true);
      const next = refreshes[i + 1];
      if (next) expect(next.at).toBeGreaterThan(endedAt);
    }
    expect(tab.state.status).toBe("signedIn");
  });

  it("a fetch that ignores its signal does not hold the session up", async () => {
    const browser = new Browser();
    let deaf = false;
    const tab = browser.open();
    const { fetch } = tab.edges();
    const stubborn = await browser.signedIn(ADA, {
      edges: { fetch: (input, init) => (deaf ? new Promise(() => {}) : fetch(input, init)) },
    });
    tab.close();
    deaf = true;
    await browser.world.time.advance(20 * MINUTE);
    expect(stubborn.shows).toBe("signedIn ada reconnecting");
    deaf = false;
    await browser.world.time.advance(60_000);
    expect(stubborn.shows).toBe("signedIn ada live");
  });

  it("L04, K09: a page that is opened while the server is down asks on, and keeps what it remembers", async () => {
    const { world, browser, tab } = await signedIn();
    world.network = onRefresh(() => ({ answer: world.server.problem("storage_unavailable") }));
    const again = tab.reload();
    await world.time.advance(10 * MINUTE);
    expect(again.shows).toBe("unknown reconnecting");
    expect([...browser.stored.values()].join()).toContain("ses_00000001");
    const asked = again.client.getAccessToken();
    await world.time.advance(1);
    expect((await asked).error?.problemClass).toBe("transport");
    world.network = () => undefined;
    await world.time.advance(31_000);
    expect(again.shows).toBe("signedIn ada live");
  });

  it("F12: a call for a token is told at once, and not made to wait, while attempts fail", async () => {
    const { world, tab } = await signedIn();
    world.online = false;
    await world.time.advance(20 * MINUTE);
    let told: Awaited<ReturnType<typeof tab.client.getAccessToken>> | undefined;
    void tab.client.getAccessToken().then((result) => (told = result));
    for (let i = 0; i < 40 && !told; i++) await world.time.advance(10);
    expect(told?.error).toMatchObject({ problemClass: "transport", code: "unreachable" });
    await expect(tab.client.fetch(`${HOME}/api/things`)).rejects.toMatchObject({ problemClass: "transport" });
  });

  it("G04: a 500 in the middle of a race is passing", async () => {
    const { world, browser, tab } = await signedIn();
    const other = browser.open();
    let once = 1;
    world.network = onRefresh(() =>
      once-- > 0 ? { answer: world.server.problem("internal_error") } : undefined,
    );
    void tab.client.refresh();
    void other.client.refresh();
    await world.time.advance(3000);
    for (const one of [tab, other]) expect(one.shows).toBe("signedIn ada live");
  });

  it("G01, G02: a session that the store cannot vouch for is not over", async () => {
    const { world, browser, tab } = await signedIn();
    world.network = onRefresh(() => ({ answer: world.server.problem("session_unverifiable") }));
    await world.time.advance(30 * MINUTE);
    expect(tab.shows).toBe("signedIn ada reconnecting");
    expect(browser.jar.size).toBe(1);
  });
});
