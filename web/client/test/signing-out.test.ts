/** Signing out: at once, for good, offline too, and never for somebody who signed in since. */

import { describe, expect, it } from "vitest";
import { BOB, Browser, isRefresh, type Sent, signedIn, type Tab, type World } from "./world.js";

const MINUTE = 60_000;
const isLeave = ({ method, url }: Sent) => method === "DELETE" && url.includes("/api/v1/auth/refresh");
const leaves = (world: World) => world.sent.filter((sent) => isLeave(sent) && sent.endedAt !== undefined);

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

  it("delivered late, it ends no sign-in that came after it, on another page of the site", async () => {
    const { world, browser, tab } = await signedIn();
    const first = world.server.live()[0];
    world.online = false;
    void tab.client.signOut();
    await world.time.advance(100);
    tab.close();
    world.online = true;
    // Another origin of the same site has the same cookies, and nothing of what was noted here.
    const elsewhere = new Browser(world);
    for (const [name, value] of browser.jar) elsewhere.jar.set(name, value);
    const there = await elsewhere.signedIn();
    for (const [name, value] of elsewhere.jar) browser.jar.set(name, value);
    browser.open();
    await world.time.advance(MINUTE);
    expect(first?.ended).toBeDefined();
    expect(world.server.live().length).toBe(1);
    void there.client.refresh();
    await world.time.advance(MINUTE);
    expect(there.shows).toBe("signedIn ada live");
  });

  it("a note that the server cannot read keeps nobody from signing in", async () => {
    const { world, browser, tab } = await signedIn();
    world.online = false;
    void tab.client.signOut();
    await world.time.advance(100);
    tab.close();
    world.online = true;
    world.network = (sent) =>
      isLeave(sent) ? { answer: world.server.problem("malformed_request") } : undefined;
    const again = await browser.signedIn(BOB);
    expect(again.shows).toBe("signedIn bob live");
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
