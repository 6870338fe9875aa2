/** Who was signed in by the system before stays signed in: what is traded, when, and what becomes of the keys. */

import { describe, expect, it } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../src/api.gen.js";
import { fromSimpleJwt } from "../src/migrate/index.js";
import type { ClientOptions } from "../src/types.js";
import { isExchange, migrating, OTHERS, opened, planted, REFRESH_KEY, TOKEN } from "./migrating.js";
import { shapes } from "./responses.js";
import { ADA, BOB, Browser, type BrowserOptions, HOME, type Tab, World } from "./world.js";
import type { Earlier } from "./world-server.js";

const MINUTE = 60_000;
const keysOf = ({ stored }: Browser) => [REFRESH_KEY, ...OTHERS].filter((key) => stored.has(key));

/** A browser in which ada is signed in by the system before. */
function withKeys(options: BrowserOptions = {}): { world: World; browser: Browser; earlier: Earlier } {
  const world = new World();
  const browser = new Browser(world, options);
  return { world, browser, earlier: planted(browser) };
}

describe("a refresh token of simplejwt", () => {
  it("is traded at the first page: signed in without a word in between, and nothing of it is left", async () => {
    const { world, browser } = withKeys();
    browser.stored.set("theme", "dark");
    const tab = await opened(browser);
    expect(tab.shows).toBe("signedIn ada live");
    expect(tab.events).toEqual(["SIGNED_IN"]);
    expect(keysOf(browser)).toEqual([]);
    expect(browser.stored.get("theme")).toBe("dark");
    // It goes nowhere but to the exchange, and there only within the body.
    expect(JSON.stringify([[...browser.stored], browser.posted])).not.toContain(TOKEN);
    const carriers = world.sent.filter((sent) => JSON.stringify({ ...sent, tab: null }).includes(TOKEN));
    expect(carriers.map(({ url, method }) => `${method} ${url}`)).toEqual([
      `POST ${HOME}/api/v1/auth/exchange`,
    ]);
    await world.time.advance(60 * MINUTE);
    const again = tab.reload({ migrate: migrating() });
    await world.time.advance(500);
    expect(again.shows).toBe("signedIn ada live");
    expect(world.sent.filter(isExchange).length).toBe(1);
    expect(world.server.rows.length).toBe(1);
  });

  const read = () => TOKEN;
  it.each<[string, (browser: Browser, gone: () => void) => ClientOptions["migrate"]]>([
    ["in localStorage", () => migrating()],
    [
      "as JSON",
      (browser) => {
        browser.stored.set(REFRESH_KEY, JSON.stringify(TOKEN));
        return migrating();
      },
    ],
    [
      "in sessionStorage",
      (browser, gone) => {
        browser.stored.delete(REFRESH_KEY);
        const getItem = (key: string) => (key === REFRESH_KEY ? TOKEN : null);
        const removeItem = (key: string) => key === REFRESH_KEY && gone();
        const session = { getItem, setItem() {}, removeItem };
        return fromSimpleJwt({ refreshKey: REFRESH_KEY, stores: [undefined, session], remove: OTHERS });
      },
    ],
    ["where the app reads it", (_, gone) => fromSimpleJwt({ read, forget: gone })],
  ])("is found %s", async (where, migrateBy) => {
    const { browser } = withKeys();
    let removed = 0;
    const migrate = migrateBy(browser, () => {
      removed += 1;
    });
    const tab = await opened(browser, 500, migrate);
    expect(tab.shows).toBe("signedIn ada live");
    if (/local|JSON/.test(where)) expect(keysOf(browser)).toEqual([]);
    else expect(removed).toBe(1);
  });

  it.each(["", "null", "undefined", "secret", '{"refresh":"x.y.z"}'])(
    "is not what is no JWT: %j",
    async (text) => {
      const { world, browser } = withKeys();
      browser.stored.set(REFRESH_KEY, text);
      const tab = await opened(browser);
      expect(tab.shows).toBe("signedOut never_signed_in");
      expect(world.sent.filter(isExchange)).toEqual([]);
    },
  );

  it("is not traded where Tenure has a session, and goes all the same", async () => {
    const { world, browser } = withKeys();
    const tab = await browser.signedIn(BOB);
    expect(keysOf(browser).length).toBe(3);
    const next = tab.reload({ migrate: migrating() });
    await world.time.advance(500);
    expect(next.shows).toBe("signedIn bob live");
    expect(keysOf(browser)).toEqual([]);
    expect(world.sent.filter(isExchange)).toEqual([]);
  });

  it("costs nobody a request who has none", async () => {
    const world = new World();
    const tab = await opened(new Browser(world));
    expect(tab.shows).toBe("signedOut never_signed_in");
    expect(world.sent.filter(isExchange)).toEqual([]);
  });
});

describe("on a network that fails", () => {
  it("offline at the start: undecided, never signed out, and signed in when the network is back", async () => {
    const { world, browser } = withKeys();
    world.online = false;
    const tab = await opened(browser, 20 * MINUTE);
    expect(tab.shows).toBe("unknown reconnecting");
    expect(keysOf(browser).length).toBe(3);
    browser.goOnline();
    await world.time.advance(1000);
    expect(tab.shows).toBe("signedIn ada live");
    expect(tab.events).toEqual(["RECONNECTING", "SIGNED_IN"]);
    expect(keysOf(browser)).toEqual([]);
  });

  it.each(["lost", "answer-lost", "hangs", "answer-hangs"] as const)(
    "an exchange that is %s is sent again, and makes one session",
    async (fate) => {
      const { world, browser } = withKeys();
      let failures = 3;
      world.network = (sent) => (isExchange(sent) && failures-- > 0 ? fate : undefined);
      const tab = await opened(browser, 90_000);
      expect(tab.shows).toBe("signedIn ada live");
      expect(tab.events).not.toContain("SIGNED_OUT");
      expect(new Set(world.sent.filter(isExchange).map(({ body }) => body)).size).toBe(1);
      expect(world.server.rows.length).toBe(1);
    },
  );

  it("closed between the answer and the removal of the keys, the next page is signed in and removes them", async () => {
    for (const jar of ["kept", "rolled back"]) {
      const { world, browser } = withKeys();
      world.network = (sent) => (isExchange(sent) ? "answer-hangs" : undefined);
      const tab = await opened(browser, 1000);
      // The browser has the cookie, and the page dies before it hears of it.
      const [cookie = ""] = world.server.secrets;
      if (jar === "kept") browser.jar.set("__Secure-tenure_1", cookie);
      expect(keysOf(browser).length, jar).toBe(3);
      world.network = () => undefined;
      const next = tab.reload({ migrate: migrating() });
      await world.time.advance(500);
      expect(next.shows, jar).toBe("signedIn ada live");
      expect(keysOf(browser), jar).toEqual([]);
      expect(world.server.rows.length, jar).toBe(1);
    }
  });
});

describe("tabs that are opened at once", () => {
  it.each<BrowserOptions>([
    {},
    { locks: "missing" },
    { locks: "never" },
    { locks: "rejects" },
    { locks: "missing", channel: "missing" },
  ])("are signed in to one session: %j", async (options) => {
    const { world, browser } = withKeys(options);
    world.network = (sent) => (isExchange(sent) ? { up: 300, down: 300 } : undefined);
    const tabs = [1, 2, 3].map(() => browser.open({ migrate: migrating() }));
    await world.time.advance(20_000);
    expect(tabs.map(({ shows }) => shows)).toEqual(Array(3).fill("signedIn ada live"));
    for (const { events } of tabs) expect(events).not.toContain("SIGNED_OUT");
    expect(world.server.rows.length).toBe(1);
    expect(keysOf(browser)).toEqual([]);
  });

  it("which each made up an attempt: the one that is refused finds the session of the other", async () => {
    const { world, browser, earlier } = withKeys();
    const [one] = [await opened(browser, 500)];
    expect(one.shows).toBe("signedIn ada live");
    one.close();
    // As if this tab had not seen what the first one wrote: its own attempt, and a jar that fills only now.
    const jar = [...browser.jar];
    browser.jar.clear();
    browser.stored.clear();
    browser.stored.set(REFRESH_KEY, TOKEN);
    const tab = await opened(browser, 300);
    expect(tab.shows).toBe("unknown reconnecting");
    expect(earlier.traded?.row.id).toBe(world.server.rows[0]?.id);
    for (const [name, value] of jar) browser.jar.set(name, value);
    await world.time.advance(5000);
    expect(tab.shows).toBe("signedIn ada live");
    expect(tab.events).not.toContain("SIGNED_OUT");
    expect(keysOf(browser)).toEqual([]);
  });
});

describe("the exchange's answers", () => {
  /** What the app shows, and what is left, well after the server has begun to answer this. */
  async function afterwards(code: ErrorCode): Promise<{ tab: Tab; browser: Browser; asked: number }> {
    const { world, browser } = withKeys();
    world.network = (sent) => (isExchange(sent) ? { answer: world.server.problem(code) } : undefined);
    const tab = await opened(browser, 10_000);
    return { tab, browser, asked: world.sent.filter(isExchange).length };
  }

  it("do what exchange.md says, each code of the published list", async () => {
    const lines = [
      "# What the exchange's answers do",
      "",
      "Written by `migrate.test.ts`; `vitest -u` writes it anew. Ten seconds of the same answer, and what then is shown and left",
      "in the browser. Answers that are none of ours leave it `unknown reconnecting`, and the keys where they are.",
      "",
      "| answer | the app shows | keys |",
      "|---|---|---|",
    ];
    for (const code of ERROR_CODES) {
      const { tab, browser } = await afterwards(code);
      const keys = keysOf(browser).length;
      expect([0, 3]).toContain(keys);
      lines.push(`| \`${code}\` | ${tab.shows} | ${keys ? "stay" : "**removed**"} |`);
    }
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("./exchange.md");
  });

  it.each(["exchange_used", "exchange_expired"] as const)(
    "%s counts when it was heard twice; then it is told why, and a page later it is forgotten",
    async (code) => {
      const { tab, browser, asked } = await afterwards(code);
      expect(asked).toBe(2);
      expect(tab.shows).toBe("signedOut not_carried_over");
      const next = await opened(browser);
      expect(next.shows).toBe("signedOut never_signed_in");
      expect(next.browser.world.sent.filter(isExchange).length).toBe(2);
    },
  );

  it.each(["exchange_invalid", "exchange_closed", "exchange_unknown_user", "permission_denied"] as const)(
    "%s shows the sign-in page, and the next page asks again",
    async (code) => {
      const { tab, browser, asked } = await afterwards(code);
      expect(asked).toBe(1);
      expect(tab.shows).toBe("signedOut never_signed_in");
      browser.world.network = () => undefined;
      const next = tab.reload({ migrate: migrating() });
      await browser.world.time.advance(500);
      expect(next.shows).toBe("signedIn ada live");
      expect(keysOf(browser)).toEqual([]);
    },
  );

  it(`are waited out where they are none of ours: ${shapes.length} shapes`, { timeout: 60_000 }, async () => {
    const wrong: string[] = [];
    for (const shape of shapes) {
      // Those that settle it are told above; with another class or session in them they are the same answer.
      if (/exchange_(used|invalid|expired|closed|unknown_user)|permission_denied/.test(shape.name)) continue;
      const { world, browser } = withKeys();
      let speaks = true;
      world.network = (sent) => (isExchange(sent) && speaks ? shape.fate(world) : undefined);
      const tab = await opened(browser, shape.status ? 4200 : 17_000);
      if (tab.state.status !== "unknown" || keysOf(browser).length !== 3)
        wrong.push(`${shape.name}: ${tab.shows}, ${keysOf(browser)}`);
      speaks = false;
      tab.wake();
      await world.time.advance(31_000);
      if (tab.shows !== "signedIn ada live")
        wrong.push(`${shape.name}: ${tab.shows} after all is well again`);
    }
    expect(wrong).toEqual([]);
  });
});

describe("keys that stay until the sign-out", () => {
  const keeping = () => fromSimpleJwt({ refreshKey: REFRESH_KEY, remove: OTHERS, keepUntilSignOut: true });

  it("serve pages of the old app while somebody is signed in, and go when they sign out", async () => {
    const { world, browser } = withKeys();
    const tab = await opened(browser, 500, keeping());
    expect(tab.shows).toBe("signedIn ada live");
    const next = tab.reload({ migrate: keeping() });
    await world.time.advance(500);
    expect(next.shows).toBe("signedIn ada live");
    expect(keysOf(browser).length).toBe(3);
    void next.client.signOut();
    await world.time.advance(500);
    expect(keysOf(browser)).toEqual([]);
    expect(world.sent.filter(isExchange).length).toBe(1);
  });

  it.each(["exchange_invalid", "exchange_closed", "exchange_unknown_user", "permission_denied"] as const)(
    "outlast %s, and whoever reloads after it is signed in",
    async (code) => {
      const { world, browser } = withKeys();
      world.network = (sent) => (isExchange(sent) ? { answer: world.server.problem(code) } : undefined);
      const tab = await opened(browser, 500, keeping());
      expect(tab.events).toEqual(["SIGNED_OUT"]);
      expect(keysOf(browser).length).toBe(3);
      world.network = () => undefined;
      const next = tab.reload({ migrate: keeping() });
      await world.time.advance(500);
      expect(next.shows).toBe("signedIn ada live");
      expect(keysOf(browser).length).toBe(3);
    },
  );
});

describe("nobody comes back by it", () => {
  it("who signs out, when a page of the old app renews its token a moment later", async () => {
    const { world, browser } = withKeys();
    const tab = await opened(browser);
    const renewed = "a.b.renewed";
    world.server.earlier.set(renewed, { email: ADA.email });
    void tab.client.signOut();
    await world.time.advance(500);
    browser.stored.set(REFRESH_KEY, renewed);
    const next = tab.reload({ migrate: migrating() });
    await world.time.advance(500);
    expect(next.shows).toBe("signedOut never_signed_in");
    // Signing in here is the way back, and no key counts any more.
    void next.client.signIn.password(ADA);
    await world.time.advance(500);
    expect(keysOf(browser)).toEqual([]);
  });

  it.each([false, true])(
    "whoever was here before somebody else signed in; keys are kept: %s",
    async (keepUntilSignOut) => {
      const { world, browser } = withKeys();
      const migrate = () => fromSimpleJwt({ refreshKey: REFRESH_KEY, remove: OTHERS, keepUntilSignOut });
      const tab = await opened(browser, 500, migrate());
      const renew = (token: string) => {
        world.server.earlier.set(token, { email: ADA.email });
        browser.stored.set(REFRESH_KEY, token);
      };
      void tab.client.signOut();
      await world.time.advance(500);
      renew("a.b.renewed");
      const next = tab.reload({ migrate: migrate() });
      await world.time.advance(500);
      void next.client.signIn.password(BOB);
      await world.time.advance(500);
      expect(next.shows).toBe("signedIn bob live");
      renew("a.b.again");
      // As that of a sign-in without "remember me" is when the browser is closed.
      browser.jar.clear();
      next.close();
      const later = await opened(browser, 9000, migrate());
      expect(later.state.status).toBe("signedOut");
      expect(world.sent.filter(isExchange).length).toBe(1);
    },
  );

  it("a token that was not taken, where somebody has signed in by password since", async () => {
    const { world, browser } = withKeys();
    const migrate = () => fromSimpleJwt({ refreshKey: REFRESH_KEY, keepUntilSignOut: true });
    world.network = (sent) =>
      isExchange(sent) ? { answer: world.server.problem("exchange_invalid") } : undefined;
    const tab = await opened(browser, 500, migrate());
    void tab.client.signIn.password(ADA);
    await world.time.advance(500);
    world.network = () => undefined;
    browser.jar.clear();
    tab.close();
    expect((await opened(browser, 9000, migrate())).state.status).toBe("signedOut");
  });

  it("who signs out while it is undecided, offline, even after a reload", async () => {
    const { world, browser } = withKeys();
    world.online = false;
    const tab = await opened(browser, 5000);
    void tab.client.signOut();
    await world.time.advance(1000);
    expect(keysOf(browser)).toEqual([]);
    world.online = true;
    // This page delivers the sign-out, and the next one knows of none.
    const next = tab.reload({ migrate: migrating() });
    await world.time.advance(5000);
    expect(next.shows).toBe("signedOut signed_out");
    next.close();
    expect((await opened(browser, 5000)).shows).toBe("signedOut never_signed_in");
    expect(world.server.live()).toEqual([]);
  });

  it("who signed in by password meanwhile, and out again", async () => {
    const { world, browser } = withKeys();
    world.server.isExchangeOpen = false;
    const tab = await opened(browser);
    void tab.client.signIn.password(BOB);
    await world.time.advance(500);
    expect(keysOf(browser)).toEqual([]);
    void tab.client.signOut();
    await world.time.advance(500);
    world.server.isExchangeOpen = true;
    const next = tab.reload({ migrate: migrating() });
    await world.time.advance(500);
    expect(next.shows).toBe("signedOut never_signed_in");
  });

  it("whose session is revoked, although a page of the old app has written its keys again", async () => {
    for (const sees of ["at once", "after a reload"]) {
      const { world, browser } = withKeys();
      let tab = await opened(browser);
      world.server.earlier.set("a.b.c2", { email: ADA.email });
      browser.stored.set(REFRESH_KEY, "a.b.c2");
      world.server.end(world.server.rows[0], "admin_revoked");
      if (sees === "at once") void tab.client.refresh();
      else tab = tab.reload({ migrate: migrating() });
      await world.time.advance(6000);
      expect(tab.shows, sees).toBe("signedOut admin_revoked");
      expect(keysOf(browser), sees).toEqual([]);
      expect(world.server.live(), sees).toEqual([]);
    }
  });
});
