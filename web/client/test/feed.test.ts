/** The feed: one tab hears for all of them; it is a reason to ask and never an answer, and its absence is nothing. */

import "../src/feed.js";
import { describe, expect, it } from "vitest";
import { Browser, type BrowserOptions, type Fate, json, type Sent, type Tab, World } from "./world.js";

const MINUTE = 60_000;
const PATH = "/api/v1/auth/events";

/** The server's end of the feed. */
class Feed {
  readonly streams: Stream[] = [];
  /** What becomes of those who come; by default they are let in. */
  fate: (sent: Sent) => Fate = (sent) => this.#admit(sent);
  state = "one";

  constructor(readonly world: World) {
    world.network = (sent) => (sent.url.endsWith(PATH) ? this.fate(sent) : undefined);
  }

  get open(): Stream[] {
    return this.streams.filter((stream) => stream.isOpen);
  }

  attempts(): Sent[] {
    return this.world.sent.filter(({ url }) => url.endsWith(PATH));
  }

  say(event: string, data: object): void {
    for (const stream of this.open) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  change(): void {
    this.state += "+";
    this.say("changed", { server_time: this.world.time.now, session: "x", state: this.state });
  }

  /** Ends the newest session, and says so. */
  end(): void {
    const row = this.world.server.live().at(-1);
    this.world.server.end(row, "admin_revoked");
    this.say("ended", this.ended(row?.id));
  }

  ended(session = "ses_00000001"): object {
    const about = { session, reason: "admin_revoked", receipt: "rcp_told" };
    return { status: 401, code: "session_revoked", class: "authentication", detail: "It is over.", ...about };
  }

  #admit(sent: Sent): Fate {
    const stream = new Stream(sent);
    this.streams.push(stream);
    stream.write(":\n\n");
    const begin = { server_time: this.world.time.now, heartbeat: 15_000, state: this.state };
    stream.write(`event: begin\ndata: ${JSON.stringify(begin)}\n\n`);
    return { answer: stream.response };
  }
}

class Stream {
  isOpen = true;
  readonly response: Response;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(readonly sent: Sent) {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.isOpen = false;
      },
    });
    this.response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  /** In two pieces, as networks like to. */
  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const half = Math.floor(bytes.length / 2);
    for (const piece of [bytes.slice(0, half), bytes.slice(half)]) this.#controller?.enqueue(piece);
  }

  close(): void {
    this.isOpen = false;
    this.#controller?.close();
  }
}

/** Tabs of one browser that are signed in, with the feed on. */
async function listening(
  count = 1,
  options: BrowserOptions = {},
): Promise<{ browser: Browser; feed: Feed; tabs: Tab[]; pass: (ms: number) => Promise<void> }> {
  const world = new World();
  const browser = new Browser(world, options);
  const feed = new Feed(world);
  const tabs = [await browser.signedIn(undefined, { events: true })];
  while (tabs.length < count) tabs.push(browser.open({ events: true }));
  const beat = () => {
    for (const stream of feed.open) stream.write(":\n\n");
  };
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10_000) {
      await world.time.advance(Math.min(left, 10_000));
      beat();
    }
  };
  await pass(1000);
  return { browser, feed, tabs, pass };
}

function rename(browser: Browser, name: string): void {
  for (const { person } of browser.world.server.live()) person.name = name;
}

const show = (tabs: Tab[]) => new Set(tabs.map((tab) => tab.shows));

describe("an end that is told", () => {
  it("shows in every tab within a second, with reason and receipt, after one refresh by one of them", async () => {
    const { browser, feed, tabs, pass } = await listening(3);
    expect(feed.open.length).toBe(1);
    browser.world.sent.length = 0;
    feed.end();
    await pass(900);
    expect(show(tabs)).toEqual(new Set(["signedOut admin_revoked"]));
    for (const { state } of tabs) expect(state).toMatchObject({ receipt: expect.stringMatching(/^rcp_ses/) });
    expect(browser.world.refreshes().length).toBe(1);
    for (const tab of tabs) expect(tab.events.filter((name) => name === "SIGNED_OUT").length).toBe(1);
    expect(feed.open.length).toBe(0);
  });

  it("signs nobody out if the server does not say so when asked", async () => {
    const { browser, feed, tabs, pass } = await listening(3);
    const before = browser.world.refreshes().length;
    feed.say("ended", feed.ended());
    await pass(MINUTE);
    expect(show(tabs)).toEqual(new Set(["signedIn ada live"]));
    expect(browser.world.refreshes().length).toBe(before + 1);
  });

  it("signs nobody out while the server cannot be asked, and then by its answer", async () => {
    const { browser, feed, tabs, pass } = await listening(2);
    const { network } = browser.world;
    browser.world.network = (sent) => (sent.url.endsWith(PATH) ? network(sent) : "lost");
    feed.end();
    await pass(5 * MINUTE);
    for (const tab of tabs) expect(tab.shows).toMatch(/^signedIn ada/);
    browser.world.network = network;
    await pass(MINUTE);
    expect(show(tabs)).toEqual(new Set(["signedOut admin_revoked"]));
  });

  it("is nothing if it is about another session, or is not one of our problems", async () => {
    const { browser, feed, tabs, pass } = await listening(2);
    const before = browser.world.refreshes().length;
    feed.say("ended", feed.ended("ses_99999999"));
    feed.say("ended", { ...feed.ended(), code: "overloaded", class: "transport" });
    feed.say("ended", { reason: "admin_revoked" });
    feed.say("ended", []);
    for (const stream of feed.open) stream.write("event: ended\ndata: no json\n\nwhat is this\n\n");
    await pass(MINUTE);
    expect(show(tabs)).toEqual(new Set(["signedIn ada live"]));
    expect(browser.world.refreshes().length).toBe(before);
  });

  it("is asked about by a request that began after it, also if one is under way", async () => {
    const { browser, feed, tabs, pass } = await listening();
    const { network } = browser.world;
    let refreshes = 0;
    // The first was answered before the end, and its answer is late.
    browser.world.network = (sent) => {
      if (sent.url.endsWith("/refresh") && ++refreshes === 1) return { up: 1, down: 5000 };
      return network(sent);
    };
    const renewed = tabs[0]?.client.refresh();
    await pass(100);
    feed.end();
    await pass(900);
    expect(show(tabs)).toEqual(new Set(["signedOut admin_revoked"]));
    await pass(10_000);
    expect(show(tabs)).toEqual(new Set(["signedOut admin_revoked"]));
    expect((await renewed)?.error?.code).toBe("signed_out");
  });
});

describe("a change that is told", () => {
  it("has one tab ask, and all of them know", async () => {
    const { browser, feed, tabs, pass } = await listening(3);
    const before = browser.world.refreshes().length;
    rename(browser, "Ada L.");
    feed.change();
    await pass(3000);
    expect(browser.world.refreshes().length).toBe(before + 1);
    for (const tab of tabs) expect(tab.state).toMatchObject({ user: { name: "Ada L." } });
    for (const tab of tabs) expect(tab.events).toContain("USER_UPDATED");
  });

  it("is asked about once in ten seconds, however many come, and the last one is not lost", async () => {
    const { browser, feed, tabs, pass } = await listening();
    const before = browser.world.refreshes().length;
    for (let turn = 0; turn < 30; turn++) {
      rename(browser, `Ada ${turn}`);
      feed.change();
      await pass(1000);
    }
    await pass(15_000);
    expect(browser.world.refreshes().length - before).toBeLessThanOrEqual(5);
    expect(tabs[0]?.state).toMatchObject({ user: { name: "Ada 29" } });
  });

  it("is not asked about again if this tab has asked since", async () => {
    const { browser, feed, tabs, pass } = await listening();
    const before = browser.world.refreshes().length;
    feed.change();
    void tabs[0]?.client.refresh();
    await pass(5000);
    expect(browser.world.refreshes().length).toBe(before + 1);
  });

  it("is found out by whoever was away when it happened, and nothing is asked if nothing did", async () => {
    const { browser, feed, pass } = await listening();
    const before = browser.world.refreshes().length;
    feed.open[0]?.close();
    await pass(5000);
    expect(feed.open.length).toBe(1);
    expect(browser.world.refreshes().length).toBe(before);
    feed.state = "another";
    feed.open[0]?.close();
    await pass(10_000);
    expect(browser.world.refreshes().length).toBe(before + 1);
  });
});

describe("one tab listens for all", () => {
  it("and another takes over when it is closed, hidden for long, or left", async () => {
    const { browser, feed, tabs, pass } = await listening(3);
    const [first, second, third] = tabs as [Tab, Tab, Tab];
    expect(feed.open[0]?.sent.tab).toBe(first);
    first.close();
    // The server's end is not told of a tab that was killed.
    feed.open[0]?.close();
    await pass(5000);
    expect(feed.open.map(({ sent }) => sent.tab)).toEqual([second]);
    second.becomes("hidden");
    await pass(4 * MINUTE);
    expect(feed.open.map(({ sent }) => sent.tab)).toEqual([second]);
    await pass(2 * MINUTE);
    expect(feed.open.map(({ sent }) => sent.tab)).toEqual([third]);
    third.becomes("gone");
    await pass(5000);
    expect(feed.open).toEqual([]);
    second.becomes("seen");
    await pass(5000);
    expect(feed.open.map(({ sent }) => sent.tab)).toEqual([second]);
    feed.end();
    await pass(900);
    expect(new Set([second, third].map((tab) => tab.shows))).toEqual(new Set(["signedOut admin_revoked"]));
    expect(browser.tabs.length).toBe(2);
  });

  it.each(["missing", "rejects", "throws"] as const)(
    "and none does where locks are %s: everything else is as ever",
    async (locks) => {
      const { browser, feed, tabs, pass } = await listening(2, { locks });
      await pass(60 * MINUTE);
      expect(feed.attempts()).toEqual([]);
      expect(show(tabs)).toEqual(new Set(["signedIn ada live"]));
      browser.world.server.end(browser.world.server.live()[0], "admin_revoked");
      await pass(20 * MINUTE);
      expect(show(tabs)).toEqual(new Set(["signedOut admin_revoked"]));
    },
  );

  it("goes with the session, comes with the next, and ends with the client", async () => {
    const { browser, feed, tabs, pass } = await listening();
    const [tab] = tabs as [Tab];
    void tab.client.signOut();
    await pass(1000);
    expect(feed.open).toEqual([]);
    const signedIn = tab.client.signIn.password({ email: "bob@example.com", password: "correct horse" });
    await pass(5000);
    await signedIn;
    expect(feed.open.length).toBe(1);
    tab.client.dispose();
    await pass(1000);
    expect(feed.open).toEqual([]);
    expect(browser.world.time.pending(tab)).toBe(0);
  });

  it("is not begun where the app does not want it", async () => {
    const browser = new Browser(new World());
    const feed = new Feed(browser.world);
    await browser.signedIn();
    await browser.world.time.advance(5000);
    expect(feed.attempts()).toEqual([]);
  });
});

it("a stream that beats as rarely as it said is one stream", async () => {
  const { browser, feed } = await listening();
  for (const stream of feed.open) stream.close();
  await browser.world.time.advance(2000);
  for (let beats = 0; beats < 40; beats++) {
    await browser.world.time.advance(15_000);
    for (const stream of feed.open) stream.write(":\n\n");
  }
  expect(feed.attempts()).toHaveLength(2);
});

describe("no feed", () => {
  const page = new Response("<html>", { status: 502, headers: { "content-type": "text/html" } });
  const fates: Readonly<Record<string, () => Fate>> = {
    "is cut off": () => "lost",
    "never answers": () => "hangs",
    "is a proxy's page": () => ({ answer: page.clone() }),
    "is a proxy's 401": () => ({ answer: json(401, { error: "who are you" }) }),
    "is not known to an older server": () => ({ answer: json(404, {}) }),
    "is collected on the way and never comes": () => ({ answer: new Stream({} as Sent).response }),
    "is somebody's page that succeeds": () => ({ answer: json(200, { welcome: true }) }),
  };

  it.each(Object.keys(fates))("that %s signs nobody out and is tried ever more rarely", async (name) => {
    const { browser, feed, tabs, pass } = await listening(3);
    // A stream that is given up after ten seconds has lasted a little longer than that.
    browser.world.time.lateMs = 1;
    feed.fate = fates[name] as () => Fate;
    for (const stream of feed.open) stream.close();
    const before = browser.world.refreshes().length;
    await pass(60 * MINUTE);
    expect(show(tabs)).toEqual(new Set(["signedIn ada live"]));
    for (const tab of tabs) expect(tab.events).not.toContain("RECONNECTING");
    expect(feed.attempts().length).toBeLessThan(110);
    expect(feed.attempts().length).toBeGreaterThan(20);
    // As many as an hour costs in any case.
    expect(browser.world.refreshes().length - before).toBeLessThanOrEqual(6);
  });

  it("that falls silent is given up and begun anew", async () => {
    const { browser, feed } = await listening();
    const [stream] = feed.open;
    await browser.world.time.advance(MINUTE);
    expect(stream?.isOpen).toBe(false);
    expect(feed.open.length).toBe(1);
  });

  it("waits as long as the server asks for, and is tried at once when the network is back", async () => {
    const { browser, feed, tabs, pass } = await listening();
    let code: "overloaded" | undefined = "overloaded";
    const { fate } = feed;
    feed.fate = (sent) =>
      code ? { answer: browser.world.server.problem(code, { retry_after: 120 }) } : fate(sent);
    for (const stream of feed.open) stream.close();
    await pass(5000);
    const refused = feed.attempts().length;
    tabs[0]?.wake();
    await pass(100_000);
    expect(feed.attempts().length).toBe(refused);
    await pass(30_000);
    expect(feed.attempts().length).toBe(refused + 1);
    code = undefined;
    feed.fate = () => "lost";
    await pass(30 * MINUTE);
    feed.fate = fate;
    tabs[0]?.wake();
    await pass(1000);
    expect(feed.open.length).toBe(1);
  });

  it("for a token that is revoked is a reason to ask, and the refresh tells", async () => {
    const { browser, feed, tabs, pass } = await listening(2);
    for (const stream of feed.open) stream.close();
    browser.world.server.end(browser.world.server.live()[0], "user_disabled");
    feed.fate = () => ({ answer: browser.world.server.problem("access_token_revoked") });
    await pass(30_000);
    expect(show(tabs)).toEqual(new Set(["signedOut user_disabled"]));
    const tried = feed.attempts().length;
    await pass(10 * MINUTE);
    expect(feed.attempts().length).toBe(tried);
  });
});
