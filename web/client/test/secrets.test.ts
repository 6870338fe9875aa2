/** Where tokens are: in the memory of pages, in cookies that no script sees, and nowhere else. */

import { describe, expect, it } from "vitest";
import { LEGACY_KEYS } from "../src/index.js";
import { ADA, BOB, Browser, type BrowserOptions, HOME, World } from "./world.js";

const MINUTE = 60_000;

/** A life with everything in it: sign-up, refreshes, calls, changes, trouble, ends. */
async function busyLife(
  options: BrowserOptions,
): Promise<{ world: World; browser: Browser; seen: unknown[] }> {
  const world = new World(3);
  const browser = new Browser(world, options);
  const seen: unknown[] = [];
  const one = await browser.signedIn();
  const two = browser.open();
  for (const { client } of [one, two]) client.onAuthStateChange((...all) => seen.push(structuredClone(all)));
  await world.time.advance(30 * MINUTE);
  void one.client.updateProfile({ name: "Ada L." });
  void one.client.fetch(`${HOME}/api/things`);
  void two.client.sessions.list();
  await world.time.advance(MINUTE);
  void one.client.changePassword({ current: ADA.password, next: "battery staple" });
  await world.time.advance(MINUTE);
  world.online = false;
  await world.time.advance(30 * MINUTE);
  seen.push(one.client.inspect(), two.client.inspect());
  browser.goOnline();
  await world.time.advance(5 * MINUTE);
  world.server.end(world.server.rows[0], "admin_revoked");
  void two.client.refresh();
  await world.time.advance(MINUTE);
  void two.client.signUp({
    email: "eve@example.com",
    password: "open sesame",
    name: "Eve",
    rememberMe: true,
  });
  await world.time.advance(MINUTE);
  world.online = false;
  void one.client.signOut();
  await world.time.advance(MINUTE);
  browser.goOnline();
  await world.time.advance(MINUTE);
  return { world, browser, seen };
}

describe("no secret", () => {
  it.each([
    {},
    { channel: "missing" },
    { locks: "missing" },
    { channel: "missing", locks: "missing" },
  ] as const)("is stored, in a URL, in a state or an event, or left over (%o)", async (options) => {
    const writes: string[] = [];
    const { world, browser, seen } = await busyLife(options);
    writes.push(...browser.stored.keys(), ...browser.stored.values());
    const secrets = [...world.server.secrets, ADA.password, "battery staple", "open sesame"];
    expect(secrets.length).toBeGreaterThan(10);
    const urls = world.sent.map(({ url }) => url);
    for (const secret of secrets) {
      expect(writes.join("\n")).not.toContain(secret);
      expect(urls.join("\n")).not.toContain(secret);
      expect(JSON.stringify(seen)).not.toContain(secret);
    }
    expect(world.server.live()).toEqual([]);
  });

  it("but the access token goes between tabs, from memory to memory, and the refresh token nowhere", async () => {
    const { world, browser } = await busyLife({});
    const posted = JSON.stringify(browser.posted);
    expect(world.server.secrets.some((secret) => secret.startsWith("eyJ") && posted.includes(secret))).toBe(
      true,
    );
    for (const secret of world.server.secrets.filter((one) => one.startsWith("tnr1_")))
      expect(posted).not.toContain(secret);
    for (const { body, headers } of world.sent)
      expect(JSON.stringify([body, [...headers]])).not.toContain("tnr1_");
  });

  it("is ever written, not even for a moment", async () => {
    const world = new World();
    const browser = new Browser(world);
    const written: string[] = [];
    const { set } = browser.stored;
    browser.stored.set = function (key, value) {
      written.push(key, value);
      return set.call(this, key, value);
    };
    const tab = await browser.signedIn();
    await world.time.advance(60 * MINUTE);
    void tab.client.signOut();
    await world.time.advance(1000);
    expect(written.length).toBeGreaterThan(4);
    for (const secret of world.server.secrets) expect(written.join("\n")).not.toContain(secret);
  });
});

describe("what an earlier system left behind", () => {
  it("is removed on request and only then", async () => {
    const world = new World();
    const browser = new Browser(world);
    const plant = () => {
      for (const key of LEGACY_KEYS) browser.stored.set(key, "eyJ.planted");
      browser.stored.set("theme", "dark");
    };
    plant();
    browser.open();
    expect(LEGACY_KEYS.every((key) => browser.stored.has(key))).toBe(true);
    browser.open({ migrate: { removeKeys: LEGACY_KEYS } });
    expect([...browser.stored.values()].join()).not.toContain("planted");
    expect(browser.stored.get("theme")).toBe("dark");
  });

  it("is no reason to fail where storage is denied", async () => {
    for (const storage of ["throws", "missing", "full"] as const)
      expect(() =>
        new Browser(new World(), { storage }).open({ migrate: { removeKeys: LEGACY_KEYS } }),
      ).not.toThrow();
  });
});

describe("storage that is denied", () => {
  it("when it is full only later, costs no refresh at each look at the page", async () => {
    const world = new World();
    const browser = new Browser(world);
    const tab = await browser.signedIn();
    browser.isFull = true;
    void tab.client.signIn.password(BOB);
    await world.time.advance(1000);
    world.sent.length = 0;
    for (let i = 0; i < 20; i++) {
      tab.wake();
      await world.time.advance(1000);
    }
    expect(tab.shows).toBe("signedIn bob live");
    expect(world.sent).toEqual([]);
  });

  it.each(["missing", "throws", "full", "forgets"] as const)(
    "(%s) keeps nobody from staying signed in",
    async (storage) => {
      const world = new World();
      const browser = new Browser(world, { storage });
      const tab = await browser.signedIn();
      await world.time.advance(60 * MINUTE);
      expect(tab.shows).toBe("signedIn ada live");
      expect(tab.client.inspect().storage).toBe(false);
      const again = tab.reload();
      await world.time.advance(1000);
      expect(again.shows).toBe("signedIn ada live");
      void again.client.signOut();
      await world.time.advance(1000);
      expect(world.server.live()).toEqual([]);
    },
  );
});
