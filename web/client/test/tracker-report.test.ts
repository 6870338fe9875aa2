import fc from "fast-check";
import { describe, expect, it } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { CLIENT } from "../src/tracker/outbox.js";
import { type LogoutRecord, washed } from "../src/tracker/record.js";
import {
  Browser,
  denyingLocks,
  FakeClient,
  MINUTE,
  START,
  Store,
  signedIn,
  signedOut,
} from "./tracker-world.js";

/** The server's limit. */
const REPORT_BYTES_MAX = 4096;
const QUEUE = "tenure:logout-reports:https://id.example/api/v1/auth/logout-event";

/** Signs out in a new tab of the browser. */
function signOut(browser: Browser, session = "ses_1", path = "/dashboard") {
  const tab = browser.tab({ release: "app 7" }, new FakeClient(signedIn(session)), { path: () => path });
  tab.client.emit("SIGNED_OUT", signedOut("session_limit", { sessionId: session, receipt: "rcp_1" }));
  return tab;
}

function waiting(browser: Browser): LogoutRecord[] {
  return JSON.parse(browser.local?.getItem(QUEUE) ?? "[]");
}

describe("sending", () => {
  it("posts JSON that outlives the page, without cookies, to the server's door", async () => {
    const browser = new Browser();
    const { tracker } = signOut(browser);
    await browser.pass();
    const [report] = browser.sent;
    expect(report?.url).toBe("https://id.example/api/v1/auth/logout-event");
    expect(report?.init).toMatchObject({
      method: "POST",
      keepalive: true,
      credentials: "omit",
      redirect: "error",
      headers: { "content-type": "application/json" },
    });
    expect(report?.body).toEqual({ ...tracker.lastReason(), client: CLIENT });
    expect(CLIENT).toBe(`${packageJson.name} ${packageJson.version}`);
  });

  /** A page with the session's token, of which one report waits. */
  function withToken(browser: Browser, baseUrl: string) {
    const client = new FakeClient(signedIn());
    client.baseUrl = baseUrl;
    client.token = { value: "a.b.c", session: "ses_1" };
    const tab = browser.tab({}, client);
    // Whoever is signed out has none any more.
    client.token = null;
    client.emit("SIGNED_OUT", signedOut("session_limit"));
    return tab;
  }
  const authorizations = ({ sent }: Browser) =>
    sent.map(({ by, init }) => `${by} ${new Headers(init?.headers).get("authorization")}`);

  it("goes with the token of its session, and with no other", async () => {
    const browser = new Browser();
    browser.online = false;
    signOut(browser, "ses_0");
    const { client, tracker } = withToken(browser, "https://id.example");
    browser.online = true;
    await browser.pass();
    expect(authorizations(browser).sort()).toEqual(["fetch Bearer a.b.c", "fetch null"]);
    expect(
      browser.sent.find(({ init }) => new Headers(init?.headers).has("authorization"))?.body.session,
    ).toBe("ses_1");
    expect(browser.stored() + browser.sent.map(({ text }) => text)).not.toContain("a.b.c");
    // While it is signed in, what an app tracks goes with the newest token, which is not waited for.
    client.token = { value: "d.e.f", session: "ses_1" };
    tracker.track("left", "AUTH_ERROR");
    await browser.pass(2 * MINUTE);
    client.emit("SIGNED_IN", signedIn());
    tracker.track("left", "AUTH_ERROR");
    await browser.pass();
    expect(authorizations(browser).at(-1)).toBe("fetch Bearer d.e.f");
  });

  it.each([
    ["of the same origin", "", true, "fetch Bearer a.b.c"],
    ["of another origin, which would be asked for leave first", "https://id.example", true, "beacon null"],
    ["in a browser whose fetch dies with the page", "", false, "beacon null"],
  ])("a page that goes away %s sends its report with %s %s by %s", async (_, baseUrl, keepalive, sent) => {
    const browser = new Browser();
    browser.keepalive = keepalive;
    const { window } = withToken(browser, baseUrl);
    window.dispatchEvent(new Event("pagehide"));
    await browser.pass(0);
    expect(authorizations(browser)).toEqual([sent]);
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
  });

  it("a page that only seemed to go away keeps what no server has answered for", async () => {
    const browser = new Browser();
    browser.answer = () => 502;
    const { document } = withToken(browser, "");
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    await browser.pass(0);
    const key = QUEUE.replace("https://id.example", "");
    expect(JSON.parse(browser.local?.getItem(key) ?? "[]")).toHaveLength(1);
  });

  it("does not begin before the sign-out is over", () => {
    const browser = new Browser();
    signOut(browser);
    expect(browser.sent).toEqual([]);
    expect(waiting(browser)).toHaveLength(1);
  });

  it.each([202, 400, 404, 413, 429])("an answer of %i is the last word", async (status) => {
    const browser = new Browser();
    browser.answer = () => status;
    const { window } = signOut(browser);
    await browser.pass();
    window.dispatchEvent(new Event("online"));
    window.dispatchEvent(new Event("pagehide"));
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
    expect(browser.stored()).not.toContain(QUEUE);
  });

  it.each([
    ["no answer", () => Promise.reject(new TypeError("Failed to fetch"))],
    ["a portal's page", () => 200],
    ["a proxy's error", () => 502],
    [
      "a fetch that throws",
      () => {
        throw new Error("blocked");
      },
    ],
  ])("after %s it is sent again when the network returns, for a week", async (_, answer) => {
    const browser = new Browser();
    browser.answer = answer;
    const { window } = signOut(browser);
    await browser.pass();
    for (let day = 1; day <= 10; day++) {
      await browser.pass(24 * 60 * MINUTE);
      expect(browser.sent).toHaveLength(Math.min(day, 7));
      window.dispatchEvent(new Event("online"));
      await browser.pass();
    }
    signOut(browser, "ses_2");
    expect(waiting(browser).map(({ session }) => session)).toEqual(["ses_2"]);
  });

  it("offline it waits, for the network or for the next start", async () => {
    for (const next of ["online", "start"]) {
      const browser = new Browser();
      browser.online = false;
      const { tracker, window } = signOut(browser);
      await browser.pass();
      window.dispatchEvent(new Event("pagehide"));
      expect(browser.sent).toEqual([]);
      browser.online = true;
      if (next === "online") window.dispatchEvent(new Event("online"));
      else browser.tab();
      await browser.pass();
      expect(browser.sent.map(({ body }) => body)).toEqual([{ ...tracker.history()[0], client: CLIENT }]);
      expect(waiting(browser)).toEqual([]);
    }
  });

  it("a page that dies while sending does not make the next one send again", async () => {
    const browser = new Browser();
    browser.answer = () => new Promise(() => {});
    signOut(browser);
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
    browser.locks = undefined;
    browser.tab();
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
  });

  it("denied locks do not keep it from being sent", async () => {
    const browser = new Browser();
    browser.locks = denyingLocks;
    signOut(browser);
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
  });

  it("the queue keeps the last ten", async () => {
    const browser = new Browser();
    browser.online = false;
    for (let i = 1; i <= 12; i++) signOut(browser, `ses_${i}`);
    await browser.pass();
    expect(waiting(browser).map(({ session }) => session)).toEqual(
      [3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((i) => `ses_${i}`),
    );
  });

  it("is left out on request", async () => {
    const browser = new Browser();
    const { tracker, client } = browser.tab({ report: false }, new FakeClient(signedIn()));
    client.emit("SIGNED_OUT", signedOut("signed_out"));
    await browser.pass();
    expect(tracker.history()).toHaveLength(1);
    expect(browser.sent).toEqual([]);
  });
});

describe("a page that goes away", () => {
  it.each(["pagehide", "visibilitychange", "dispose"])(
    "hands its report to the browser once (%s)",
    async (how) => {
      const browser = new Browser();
      const { tracker, window, document } = signOut(browser);
      if (how === "pagehide") window.dispatchEvent(new Event(how));
      else if (how === "dispose") tracker.dispose();
      else {
        document.dispatchEvent(new Event(how));
        expect(browser.sent).toEqual([]);
        document.visibilityState = "hidden";
        document.dispatchEvent(new Event(how));
      }
      window.dispatchEvent(new Event("pagehide"));
      await browser.pass();
      expect(browser.sent.map(({ by, url }) => [by, url])).toEqual([
        ["beacon", "https://id.example/api/v1/auth/logout-event"],
      ]);
      expect(browser.sent[0]?.body).toMatchObject({ reason: "session_limit", client: CLIENT });
    },
  );

  it("keeps it if the browser refuses", async () => {
    const throwing = () => {
      throw new Error("blocked");
    };
    for (const edges of [{ sendBeacon: () => false }, { sendBeacon: throwing }]) {
      const browser = new Browser();
      browser.answer = () => Promise.reject(new TypeError());
      const { client, window } = browser.tab({}, new FakeClient(signedIn()), edges);
      client.emit("SIGNED_OUT", signedOut("signed_out"));
      window.dispatchEvent(new Event("pagehide"));
      expect(waiting(browser)).toHaveLength(1);
    }
  });
});

describe("what leaves the app or is stored", () => {
  const jwt = `eyJhbGciOiJFZERTQSJ9.${"a".repeat(60)}.c2ln`;
  const refresh = `tnr1_${"B".repeat(160)}`;
  const planted = [
    jwt,
    refresh,
    "ada@example.com",
    "ada%40example.com",
    "hunter2",
    "c0ffee".repeat(10),
    "code=secret",
  ];

  it("holds no planted secret and no e-mail address, wherever they were put", async () => {
    const browser = new Browser();
    const { tracker, session } = signOut(
      browser,
      "ses_1",
      `/reset/${jwt}/ada%40example.com?code=secret#${refresh}`,
    );
    tracker.track(
      `${refresh} of <ada@example.com> failed (${jwt}), ${"c0ffee".repeat(10)}`,
      "REFRESH_FAILED",
      {
        userEmail: "ada@example.com",
        contact: "ada@example.com",
        password: "hunter2",
        accessToken: "hunter2",
        note: `saw ${jwt}`,
        [refresh.slice(0, 30)]: 1,
        "ada@example.com": true,
        nested: { jwt },
        hasToken: true,
        userId: 123,
      },
    );
    await browser.pass();
    const everything =
      browser.stored() + JSON.stringify([...session.kept]) + browser.sent.map(({ text }) => text).join();
    for (const secret of [...planted, refresh.slice(0, 30)]) expect(everything).not.toContain(secret);
    expect(tracker.lastReason()).toMatchObject({
      message: "[token] of <[e-mail]> failed ([token]), [token]",
      location: "/reset/[token]/[e-mail]",
      context: { note: "saw [token]", hasToken: true, userId: 123 },
    });
  });

  it("is at most 4 KiB and JSON to strict readers, whatever an app says", { timeout: 60_000 }, async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 2000 }),
      fc.string({ minLength: 500, maxLength: 5000 }),
      fc.nat(5000).map((n) => "\u0000".repeat(n)),
      fc.nat(500).map((n) => `${"x".repeat(n)}${"💥".repeat(400)}\ud800`),
    );
    await fc.assert(
      fc.asyncProperty(
        text,
        text,
        fc.dictionary(text, fc.oneof(text, fc.double(), fc.boolean())),
        async (message, path, context) => {
          const browser = new Browser();
          const { tracker } = browser.tab({ release: message }, new FakeClient(), { path: () => path });
          tracker.track(message, "UNKNOWN", context);
          const queued = new TextEncoder().encode(JSON.stringify(waiting(browser)[0]));
          await browser.pass();
          const { text } = browser.sent[0] ?? { text: "" };
          expect(text).not.toMatch(/\\ud[89a-f]/);
          expect(text).not.toMatch(/\\u00|\p{Cs}/u);
          expect(queued.length).toBeLessThanOrEqual(REPORT_BYTES_MAX);
          expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(REPORT_BYTES_MAX);
          expect(JSON.parse(text)).toMatchObject({ type: "UNKNOWN", client: CLIENT });
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("storage that somebody else wrote", () => {
  const record = {
    type: "USER_ACTION",
    message: "m",
    timestamp: 1,
    idleMinutes: 2,
    location: "/x",
    context: {},
  };
  const keys = ["logout_history", "last_logout_reason", "tenure:last-activity", QUEUE];

  it("never throws and never shows or sends what is no record", async () => {
    const value = fc.oneof(
      fc.string(),
      fc.json(),
      fc.anything().map((any) => JSON.stringify([{ ...record, context: any, message: any }, any]) ?? ""),
    );
    await fc.assert(
      fc.asyncProperty(value, async (text) => {
        const browser = new Browser();
        const session = new Store();
        for (const key of keys) {
          browser.local?.setItem(key, text);
          session.setItem(key, text);
        }
        const { tracker, client } = browser.tab({}, new FakeClient(), { sessionStorage: session });
        for (const shown of [...tracker.history(), tracker.lastReason()]) {
          if (shown) expect(washed(shown)).toEqual(shown);
        }
        expect(tracker.idleMinutes()).toBeGreaterThanOrEqual(0);
        client.emit("SIGNED_OUT", signedOut("signed_out"));
        expect(tracker.history()[0]).toMatchObject({ reason: "signed_out" });
        await browser.pass();
        for (const { body } of browser.sent) expect(washed(body)).toBeDefined();
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["no object", "text"],
    ["no time", { ...record, timestamp: undefined }],
    ["a time that is none", { ...record, timestamp: -1 }],
    ["idle minutes that are none", { ...record, idleMinutes: "5" }],
    ["no message", { ...record, message: { html: "" } }],
    ["no location", { ...record, location: null }],
  ])("a record with %s is none", (_, value) => {
    expect(washed(value)).toBeUndefined();
    expect(washed(record)).toEqual(record);
  });

  it("keeps of a record only what a record has", () => {
    const hostile = JSON.parse(
      `{"type":"constructor","message":"m","timestamp":1,"idleMinutes":2,"location":"/x","evil":1,"receipt":{"a":1},
        "__proto__":{"admin":true},"context":{"__proto__":{"admin":true},"list":[1],"big":1e999,"ok":true}}`,
    );
    const kept = washed(hostile);
    expect(kept).toEqual({ ...record, type: "UNKNOWN", context: { ok: true } });
    expect(Object.keys(kept?.context ?? {})).toEqual(["ok"]);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it("a queue of a thousand sends no more than ten", async () => {
    const browser = new Browser();
    browser.local?.setItem(QUEUE, JSON.stringify(Array(1000).fill({ ...record, timestamp: START })));
    browser.tab();
    await browser.pass();
    expect(browser.sent).toHaveLength(10);
  });
});
