/** Signing in and out: at once, for good, offline too, and never for somebody else. */

import { describe, expect, it } from "vitest";
import {
  ADA,
  BOB,
  Browser,
  type BrowserOptions,
  HOME,
  isRefresh,
  json,
  type Sent,
  type Tab,
  World,
} from "./world.js";
import { DAY } from "./world-server.js";

const MINUTE = 60_000;
const isLeave = ({ method, url }: Sent) => method === "DELETE" && url.endsWith("/api/v1/auth/refresh");
const leaves = (world: World) => world.sent.filter((sent) => isLeave(sent) && sent.endedAt !== undefined);

async function signedIn(options: BrowserOptions = {}): Promise<{ world: World; browser: Browser; tab: Tab }> {
  const world = new World();
  const browser = new Browser(world, options);
  const tab = await browser.signedIn();
  world.sent.length = 0;
  return { world, browser, tab };
}

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

  it("Tenure-Sent-At is 0 until the server's time is known, after a jump of the clock, and after sleep", async () => {
    const { world, tab } = await signedIn();
    const sentAt = async () => {
      world.sent.length = 0;
      void tab.client.refresh();
      await world.time.advance(500);
      return world.refreshes().map(({ headers }) => Number(headers.get("tenure-sent-at")) === 0);
    };
    expect(await sentAt()).toEqual([false]);
    world.time.wallError = -DAY;
    expect(await sentAt()).toEqual([true, false]);
    expect(await sentAt()).toEqual([false]);
    world.time.wallError = 3000;
    expect(await sentAt()).toEqual([true, false]);
    await world.time.sleep(60_000);
    expect(await sentAt()).toEqual([true, false]);
    await world.time.sleep(60_000, { ticking: true });
    expect(await sentAt()).toEqual([false]);
  });
});

describe("signing out", () => {
  it("ends the session on the server and says that it was heard", async () => {
    const { world, browser, tab } = await signedIn();
    const done = tab.client.signOut();
    expect(tab.shows).toBe("signedOut signed_out");
    await world.time.advance(1000);
    expect(await done).toEqual({ data: { delivered: true }, error: null });
    expect(world.server.live()).toEqual([]);
    expect(browser.jar.size).toBe(0);
  });

  it("offline it is at once, sticks through a reload, and is delivered when the network is back, once", async () => {
    const { world, browser, tab } = await signedIn();
    const other = browser.open();
    await world.time.advance(200);
    world.online = false;
    const done = tab.client.signOut();
    expect(tab.shows).toBe("signedOut signed_out");
    await world.time.advance(100);
    expect(await done).toEqual({ data: { delivered: false }, error: null });
    expect(other.shows).toBe("signedOut signed_out");
    const again = tab.reload();
    const third = browser.open();
    await world.time.advance(5 * MINUTE);
    for (const one of [again, other, third]) expect(one.shows).toBe("signedOut signed_out");
    world.sent.length = 0;
    browser.goOnline();
    await world.time.advance(MINUTE);
    expect(leaves(world).length).toBe(1);
    expect(world.server.live()).toEqual([]);
    expect(world.refreshes()).toEqual([]);
    for (const one of [again, other, third]) expect(one.shows).toBe("signedOut signed_out");
    world.sent.length = 0;
    await world.time.advance(60 * MINUTE);
    browser.open();
    await world.time.advance(MINUTE);
    expect(leaves(world)).toEqual([]);
  });

  it("offline with storage denied it still is delivered by the tab that signed out", async () => {
    for (const storage of ["missing", "throws", "full"] as const) {
      const { world, browser, tab } = await signedIn({ storage });
      world.online = false;
      void tab.client.signOut();
      await world.time.advance(5 * MINUTE);
      browser.goOnline();
      await world.time.advance(MINUTE);
      expect(world.server.live(), storage).toEqual([]);
      expect(tab.shows).toBe("signedOut signed_out");
    }
  });

  it("reaches the server although the app clears the storage in the same moment", async () => {
    const { world, browser, tab } = await signedIn();
    void tab.client.signOut();
    browser.stored.clear();
    await world.time.advance(1000);
    expect(world.server.live()).toEqual([]);
  });

  it("reaches the server although storage takes everything and keeps nothing", async () => {
    const { world, tab } = await signedIn({ storage: "forgets" });
    void tab.client.signOut();
    await world.time.advance(1000);
    expect(world.server.live()).toEqual([]);
  });

  it.each([
    ["text/html", "<h1>Sign in to the Wi-Fi</h1>"],
    ["application/json", '{"ok":true}'],
  ])("a portal that answers 200 %s in the server's place has not been told", async (type, body) => {
    const { world, tab } = await signedIn();
    world.network = (sent) =>
      isLeave(sent) ? { answer: { status: 200, headers: { "content-type": type }, body } } : undefined;
    const done = tab.client.signOut();
    await world.time.advance(1000);
    expect((await done).data).toEqual({ delivered: false });
    world.network = () => undefined;
    await world.time.advance(MINUTE);
    expect(world.server.live()).toEqual([]);
  });

  it("a refresh that is answered late does not bring the person back", async () => {
    const { world, browser, tab } = await signedIn();
    const other = browser.open();
    await world.time.advance(200);
    world.network = (sent) => (isRefresh(sent) ? { up: 20, down: 6000 } : undefined);
    void tab.client.refresh();
    void other.client.refresh();
    await world.time.advance(100);
    void tab.client.signOut();
    await world.time.advance(MINUTE);
    for (const one of [tab, other]) expect(one.shows).toBe("signedOut signed_out");
    expect(world.server.live()).toEqual([]);
  });

  it("a late message of another tab does not bring the person back", async () => {
    const { world, browser, tab } = await signedIn();
    const grants = browser.posted.filter((message) => (message as { is: string }).is === "grant");
    expect(grants.length).toBeGreaterThan(0);
    void tab.client.signOut();
    for (const grant of grants) tab.channels[0]?.receive(grant);
    await world.time.advance(1000);
    for (const grant of grants) tab.channels[0]?.receive(grant);
    expect(tab.shows).toBe("signedOut signed_out");
  });

  it("a sign-in goes after a sign-out that the server has not heard of, and is not ended by it", async () => {
    for (const where of ["same tab", "other tab", "reloaded tab"]) {
      const { world, browser, tab } = await signedIn();
      const other = browser.open();
      await world.time.advance(200);
      world.online = false;
      void tab.client.signOut();
      await world.time.advance(5000);
      world.online = true;
      const at = { "same tab": tab, "other tab": other, "reloaded tab": other }[where] as Tab;
      const one = where === "reloaded tab" ? at.reload() : at;
      const signing = one.client.signIn.password(BOB);
      await world.time.advance(1000);
      expect((await signing).error).toBeNull();
      await world.time.advance(60 * MINUTE);
      expect(one.shows, where).toBe("signedIn bob live");
      expect(
        world.server.live().map(({ person }) => person.name),
        where,
      ).toEqual(["Bob"]);
      const again = one.reload();
      await world.time.advance(1000);
      expect(again.shows, where).toBe("signedIn bob live");
    }
  });

  it("a sign-out that the server cannot verify is not held against the next sign-in", async () => {
    const { world, browser, tab } = await signedIn();
    const other = browser.open();
    await world.time.advance(200);
    world.network = (sent) =>
      isLeave(sent) ? { answer: world.server.problem("session_unverifiable") } : undefined;
    void tab.client.signOut();
    await world.time.advance(1000);
    tab.close();
    const signing = other.client.signIn.password(BOB);
    await world.time.advance(1000);
    expect((await signing).error).toBeNull();
    world.network = () => undefined;
    const again = other.reload();
    await world.time.advance(1000);
    expect(again.shows).toBe("signedIn bob live");
    expect(world.server.live().map(({ person }) => person.name)).toContain("Bob");
  });

  it("everywhere ends the person's sessions on other devices too; others ends only those", async () => {
    for (const [scope, left] of [
      ["everywhere", 0],
      ["others", 1],
    ] as const) {
      const { world, tab } = await signedIn();
      await new Browser(world).signedIn();
      const done = tab.client.signOut({ scope });
      await world.time.advance(1000);
      expect((await done).error).toBeNull();
      expect(world.server.live().length).toBe(left);
      expect(tab.state.status).toBe(left ? "signedIn" : "signedOut");
    }
  });

  it("everywhere, offline: here at once, and it says that elsewhere was not reached", async () => {
    const { world, tab } = await signedIn();
    world.online = false;
    const done = tab.client.signOut({ scope: "everywhere" });
    await world.time.advance(1000);
    expect((await done).error?.problemClass).toBe("transport");
    expect(tab.shows).toBe("signedOut signed_out");
  });

  it("when the tab that signed out offline is closed, another one tells the server", async () => {
    const { world, browser, tab } = await signedIn();
    browser.open();
    await world.time.advance(200);
    world.online = false;
    void tab.client.signOut();
    await world.time.advance(1000);
    tab.close();
    browser.goOnline();
    await world.time.advance(MINUTE);
    expect(world.server.live()).toEqual([]);
  });

  it("a tab that never learned its session is not stuck when another signs out offline without storage", async () => {
    const { world, browser, tab } = await signedIn({ storage: "missing" });
    world.network = (sent) => (sent.tab === tab ? undefined : "lost");
    tab.freeze();
    const late = browser.open();
    await world.time.advance(2000);
    expect(late.shows).toBe("unknown reconnecting");
    tab.thaw();
    world.online = false;
    void tab.client.signOut();
    world.network = (sent) => (isLeave(sent) ? "lost" : undefined);
    await world.time.advance(1000);
    browser.goOnline();
    await world.time.advance(5 * MINUTE);
    expect(late.state.status).not.toBe("signedIn");
    world.network = () => undefined;
    await world.time.advance(5 * MINUTE);
    expect(late.state.status).toBe("signedOut");
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
    }
  });
});
