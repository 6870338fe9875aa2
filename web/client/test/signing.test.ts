/** Signing in, whatever the clock, the network and a refresh under way are at; and who listens to it. */

import { describe, expect, it } from "vitest";
import { ADA, BOB, Browser, HOME, isRefresh, json, signedIn, World } from "./world.js";
import { DAY } from "./world-server.js";

const MINUTE = 60_000;

describe("signing in", () => {
  it("sends what the person typed and the label of the browser, and answers with person and session", async () => {
    const { world, browser, tab } = await signedIn();
    const again = tab.client.signIn.password({ email: ADA.email, password: ADA.password });
    await world.time.advance(200);
    const { data } = await again;
    expect(data?.session).toMatchObject({ remembered: false });
    expect(JSON.parse(world.sent[0]?.body ?? "")).toEqual({
      email: ADA.email,
      password: ADA.password,
      remember_me: false,
      device_id: browser.stored.get(`tenure:${HOME}:device`),
    });
  });

  it("tells what the server refuses, and leaves who is signed in signed in", async () => {
    const { world, tab } = await signedIn();
    const wrong = tab.client.signIn.password({ ...BOB, password: "wrong" });
    await world.time.advance(1000);
    expect((await wrong).error).toMatchObject({ code: "invalid_credentials", status: 401 });
    expect(tab.shows).toBe("signedIn ada live");
    await world.time.advance(60 * MINUTE);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("registers and signs in", async () => {
    const { world, tab } = await signedIn();
    const signing = tab.client.signUp({ email: "eve@example.com", password: "long enough", name: "Eve" });
    await world.time.advance(1000);
    expect((await signing).data?.signedIn?.user.id).toBe("usr_eve");
    expect(tab.shows).toBe("signedIn eve live");
  });

  it("a registration that the server answers without signing in leaves everybody as they were", async () => {
    const { world, tab } = await signedIn();
    world.network = ({ url }) =>
      url.endsWith("/register") ? { answer: json(201, { registered: true }) } : undefined;
    const signing = tab.client.signUp({ email: "eve@example.com", password: "long enough", name: "Eve" });
    await world.time.advance(1000);
    expect(await signing).toEqual({ data: { signedIn: null }, error: null });
    expect(tab.shows).toBe("signedIn ada live");
    await world.time.advance(60 * MINUTE);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("a sign-in that a portal answers is no sign-in", async () => {
    const { world, tab } = await signedIn();
    world.network = ({ url }) =>
      url.endsWith("/login") ? { answer: json(200, { welcome: "to the Wi-Fi" }) } : undefined;
    const signing = tab.client.signIn.password(BOB);
    await world.time.advance(1000);
    expect((await signing).error).toMatchObject({ code: "foreign_answer", problemClass: "transport" });
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("offline fails at once, and later works", async () => {
    const { world, tab } = await signedIn();
    world.online = false;
    const failing = tab.client.signIn.password(BOB);
    await world.time.advance(500);
    expect((await failing).error).toMatchObject({ code: "unreachable", problemClass: "transport" });
    world.online = true;
    const signing = tab.client.signIn.password(BOB);
    await world.time.advance(1000);
    expect((await signing).error).toBeNull();
  });

  it("H01: called inside a callback of the client resolves", async () => {
    const { world, tab } = await signedIn();
    const inner: Promise<unknown>[] = [];
    const stop = tab.client.onAuthStateChange((event) => {
      if (event === "SIGNED_OUT") inner.push(tab.client.signIn.password(BOB));
      if (event === "SIGNED_IN") inner.push(tab.client.getAccessToken(), tab.client.sessions.list());
    });
    void tab.client.signOut();
    await world.time.advance(5000);
    expect(inner.length).toBe(3);
    for (const result of await Promise.all(inner)) expect(result).toMatchObject({ error: null });
    expect(tab.shows).toBe("signedIn bob live");
    stop();
  });

  it("outdates a refresh under way: its late answer changes nothing", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) => (isRefresh(sent) ? { up: 20, down: 4000 } : undefined);
    void tab.client.refresh();
    await world.time.advance(100);
    void tab.client.signIn.password(BOB);
    await world.time.advance(20_000);
    expect(tab.shows).toBe("signedIn bob live");
    expect(tab.events.filter((name) => name === "USER_CHANGED")).toEqual(["USER_CHANGED"]);
  });

  it("J01: a device that is two hours wrong signs in, and its API works", async () => {
    for (const error of [-2 * 60 * MINUTE, 2 * 60 * MINUTE, DAY, -DAY]) {
      const world = new World();
      world.time.wallError = error;
      const tab = await new Browser(world).signedIn();
      await world.time.advance(60 * MINUTE);
      const call = tab.client.fetch(`${HOME}/api/things`);
      await world.time.advance(1000);
      expect((await call).status).toBe(200);
      expect(world.refreshes().length).toBeLessThanOrEqual(8);
      expect(tab.events).not.toContain("SIGNED_OUT");
    }
  });

  it("J01: a clock that is set while somebody is signed in costs a request or two", async () => {
    for (const error of [-2 * 60 * MINUTE, 2 * 60 * MINUTE, DAY, -DAY]) {
      const { world, tab } = await signedIn();
      await world.time.advance(5 * MINUTE);
      world.time.wallError = error;
      await world.time.advance(5 * MINUTE);
      const call = tab.client.fetch(`${HOME}/api/things`);
      await world.time.advance(5000);
      expect((await call).status).toBe(200);
      await world.time.advance(60 * MINUTE);
      expect(world.refreshes().length).toBeLessThanOrEqual(12);
      expect(tab.events).not.toContain("SIGNED_OUT");
      expect(tab.events).not.toContain("RECONNECTING");
    }
  });

  it("who is not sure of the server's time asks for it before a refresh, and says it in the refresh", async () => {
    const { world, tab } = await signedIn();
    const sent = async () => {
      world.sent.length = 0;
      void tab.client.refresh();
      await world.time.advance(500);
      for (const { headers } of world.refreshes()) {
        expect(Math.abs(Number(headers.get("tenure-sent-at")) - world.server.now)).toBeLessThan(2000);
      }
      return world.sent.map(({ url }) => new URL(url).pathname.replace("/api/v1/", ""));
    };
    expect(await sent()).toEqual(["auth/refresh"]);
    world.time.wallError = -DAY;
    expect(await sent()).toEqual(["system/ping", "auth/refresh"]);
    expect(await sent()).toEqual(["auth/refresh"]);
    world.time.wallError = 3000;
    expect(await sent()).toEqual(["system/ping", "auth/refresh"]);
    await world.time.sleep(60_000);
    expect(await sent()).toEqual(["system/ping", "auth/refresh"]);
    await world.time.sleep(60_000, { ticking: true });
    expect(await sent()).toEqual(["auth/refresh"]);
  });

  it("a ping that tells no time is no reason to guess: the refresh says 0 and learns from the answer", async () => {
    const browser = new Browser();
    browser.world.network = ({ url }) =>
      url.endsWith("system/ping") ? { answer: json(200, {}) } : undefined;
    browser.open();
    await browser.world.time.advance(500);
    const guesses = browser.world.refreshes().map(({ headers }) => headers.get("tenure-sent-at") !== "0");
    expect(guesses).toEqual([false, true]);
  });
});

describe("listeners", () => {
  it("one that throws stops neither the others nor the session", async () => {
    const { world, tab } = await signedIn();
    const heard: string[] = [];
    const errors: unknown[] = [];
    const { error } = console;
    console.error = (thrown: unknown) => errors.push(thrown);
    try {
      tab.client.subscribe(() => {
        throw new Error("a bug of the app");
      });
      let first = true;
      tab.client.onAuthStateChange(() => {
        if (first) first = false;
        else throw new Error("another");
      });
      tab.client.onAuthStateChange((event) => heard.push(event));
      await world.time.advance(60 * MINUTE);
      void tab.client.signOut();
      await world.time.advance(1000);
    } finally {
      console.error = error;
    }
    expect(heard.at(0)).toBe("INITIAL_STATE");
    expect(heard.at(-1)).toBe("SIGNED_OUT");
    expect(errors.length).toBeGreaterThan(2);
    expect(tab.shows).toBe("signedOut signed_out");
  });

  it("L02: an end is told and nothing else is done to the page", async () => {
    const { world, tab } = await signedIn();
    const heard: string[] = [];
    tab.client.onAuthStateChange((event, { status }) => heard.push(`${event} ${status}`));
    world.server.end(world.server.rows[0], "admin_revoked");
    void tab.client.refresh();
    await world.time.advance(5000);
    expect(heard).toEqual(["INITIAL_STATE signedIn", "SIGNED_OUT signedOut"]);
  });

  it("the snapshot is the same object until something changes", async () => {
    const { world, tab } = await signedIn();
    const before = tab.state;
    await world.time.advance(60 * MINUTE);
    expect(tab.state).toBe(before);
  });

  it("after dispose nothing is called, sent or waited for", async () => {
    for (const when of [0, 30, 100]) {
      const { world, tab } = await signedIn();
      void tab.client.refresh();
      await world.time.advance(when);
      world.sent.length = 0;
      tab.events.length = 0;
      tab.client.dispose();
      await world.time.advance(5000);
      expect(world.time.pending(tab)).toBe(0);
      tab.wake();
      await world.time.advance(60 * MINUTE);
      expect(world.sent).toEqual([]);
      expect(tab.events).toEqual([]);
      expect((await tab.client.getAccessToken()).error?.problemClass).toBe("transport");
      expect((await tab.client.signOut()).data).toEqual({ delivered: false });
    }
  });
});
