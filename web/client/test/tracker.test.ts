import { describe, expect, it } from "vitest";
import { createTracker, trackLogout } from "../src/tracker/index.js";
import type { SignedOutReason } from "../src/types.js";
import { Browser, denied, FakeClient, MINUTE, START, Store, signedIn, signedOut } from "./tracker-world.js";

/** A tab in which somebody is signed in. */
function busyTab(browser: Browser, options = {}) {
  const tab = browser.tab(options);
  tab.client.emit("SIGNED_IN", signedIn());
  return tab;
}

describe("what is recorded", () => {
  const types: [SignedOutReason, string, receipt?: string][] = [
    ["signed_out", "USER_ACTION"],
    ["signed_out_everywhere", "USER_ACTION"],
    ["signed_out", "REFRESH_FAILED", "rcp_of_another_device"],
    ["signed_out_everywhere", "REFRESH_FAILED", "rcp_of_another_device"],
    ["remembered_lifetime", "TOKEN_EXPIRED", "rcp_1"],
    ["short_lifetime", "TOKEN_EXPIRED"],
    ["admin_revoked", "REFRESH_FAILED"],
    ["password_changed", "REFRESH_FAILED"],
    ["cookie_missing", "REFRESH_FAILED"],
    ["session_unknown", "REFRESH_FAILED"],
    ["token_reuse", "REFRESH_FAILED"],
    ["" as SignedOutReason, "UNKNOWN"],
  ];
  it.each(types)("a sign-out for %s is of type %s (receipt: %s)", (reason, type, receipt) => {
    const { tracker, client } = busyTab(new Browser());
    client.emit("SIGNED_OUT", signedOut(reason, receipt ? { receipt } : {}));
    expect(tracker.history().map((record) => record.type)).toEqual([type]);
  });

  it("tells when, where, after how much idling, why, and what was true just before", () => {
    const browser = new Browser();
    const { tracker, client } = busyTab(browser, { release: "app 7" });
    browser.now += 25 * MINUTE;
    client.accessExpiresInMs = null;
    client.emit("SIGNED_OUT", signedOut("admin_revoked", { receipt: "rcp_1" }));
    expect(tracker.lastReason()).toEqual({
      type: "REFRESH_FAILED",
      message: "Session ended: admin revoked",
      timestamp: START + 25 * MINUTE,
      idleMinutes: 25,
      location: "/dashboard",
      context: {
        isAuthenticated: true,
        hasToken: false,
        hasRefreshToken: true,
        accessExpiresInMinutes: -13,
        sessionExpiresInHours: 299,
      },
      reason: "admin_revoked",
      receipt: "rcp_1",
      session: "ses_1",
      release: "app 7",
      evidence: { pageAgeMs: 25 * MINUTE, accessLeftMs: -13 * MINUTE },
    });
  });

  it("a token that still had time is told as such, and a missing cookie too", () => {
    const { tracker, client } = busyTab(new Browser());
    client.emit("SIGNED_OUT", signedOut("cookie_missing"));
    expect(tracker.lastReason()?.context).toMatchObject({ hasToken: true, hasRefreshToken: false });
  });

  it("what is no sign-out is not recorded", async () => {
    const browser = new Browser();
    const { tracker, client } = browser.tab();
    client.emit("SIGNED_OUT", { status: "signedOut", reason: "never_signed_in" });
    client.emit("SIGNED_IN", signedIn());
    client.emit("RECONNECTING", { ...signedIn(), freshness: "reconnecting" });
    client.emit("USER_CHANGED", signedIn("ses_2"));
    await browser.pass();
    expect(tracker.history()).toEqual([]);
    expect(tracker.lastReason()).toBeNull();
    expect(browser.sent).toEqual([]);
  });

  it("the last ten are kept, newest first", () => {
    const { tracker, client } = new Browser().tab();
    for (let i = 1; i <= 12; i++) {
      client.emit("SIGNED_IN", signedIn(`ses_${i}`));
      client.emit("SIGNED_OUT", signedOut("signed_out", { sessionId: `ses_${i}` }));
    }
    const sessions = tracker.history().map((record) => record.session);
    expect(sessions).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((i) => `ses_${i}`));
  });

  it("the reason waits under the known key until it is read or somebody signs in", () => {
    const { tracker, client, session } = busyTab(new Browser());
    client.emit("SIGNED_OUT", signedOut("signed_out"));
    expect(JSON.parse(session.getItem("last_logout_reason") ?? "")).toMatchObject({ type: "USER_ACTION" });
    tracker.clearLastReason();
    expect(tracker.lastReason()).toBeNull();
    client.emit("SIGNED_OUT", signedOut("session_unknown", { sessionId: "ses_2" }));
    expect(tracker.lastReason()?.reason).toBe("session_unknown");
    client.emit("SIGNED_IN", signedIn("ses_3"));
    expect(tracker.lastReason()).toBeNull();
    expect(session.kept.size).toBe(0);
  });

  it("a page that loads after the end records it once, and idling counts from before the load", () => {
    const browser = new Browser();
    const before = busyTab(browser);
    before.window.dispatchEvent(new Event("keydown"));
    browser.now += 2 * 24 * 60 * MINUTE;
    const load = () => browser.tab({}, new FakeClient(signedOut("remembered_lifetime"))).tracker;
    expect(load().lastReason()?.idleMinutes).toBe(2 * 24 * 60);
    browser.now += 5 * MINUTE;
    load();
    expect(load().history()).toHaveLength(1);
  });

  it("an undelivered sign-out of an unknown session is not recorded again by each load", () => {
    const browser = new Browser();
    const { tracker, client } = browser.tab();
    client.emit("SIGNED_OUT", { status: "signedOut", reason: "signed_out" });
    browser.tab({}, new FakeClient({ status: "signedOut", reason: "remembered_lifetime" }));
    expect(tracker.history()).toEqual([]);
  });

  it("ends of unknown sessions are not taken for each other or for an earlier one", () => {
    const { tracker, client } = busyTab(new Browser());
    client.emit("SIGNED_OUT", signedOut("remembered_lifetime"));
    for (const reason of ["remembered_lifetime", ""] as SignedOutReason[]) {
      client.emit("SIGNED_OUT", { status: "signedOut", reason });
    }
    const ends = tracker.history().map(({ session, message }) => [session, message]);
    expect(ends).toEqual([
      [undefined, "Session ended: unknown"],
      [undefined, "Session ended: remembered lifetime"],
      ["ses_1", "Session ended: remembered lifetime"],
    ]);
  });

  it("a session that ends without its name is the one that was shown", () => {
    const { tracker, client } = busyTab(new Browser());
    client.emit("SIGNED_OUT", { status: "signedOut", reason: "signed_out" });
    expect(tracker.lastReason()?.session).toBe("ses_1");
  });

  it("storage that was full is used again as soon as it takes something", () => {
    const browser = new Browser();
    const local = new Store();
    let isFull = true;
    const setItem = (key: string, value: string) => {
      if (isFull) throw new DOMException("full", "QuotaExceededError");
      local.kept.set(key, value);
    };
    browser.local = Object.assign(local, { setItem });
    const { tracker, client } = busyTab(browser);
    client.emit("SIGNED_OUT", signedOut("signed_out"));
    expect(tracker.history()).toHaveLength(1);
    isFull = false;
    client.emit("SIGNED_OUT", signedOut("signed_out", { sessionId: "ses_2" }));
    expect(browser.tab().tracker.history()).toHaveLength(2);
    local.kept.clear();
    expect(tracker.history()).toEqual([]);
  });

  it("without storage everything is remembered as long as the page lives", async () => {
    for (const store of [denied, undefined]) {
      const browser = new Browser();
      browser.local = store;
      const { tracker, client } = browser.tab({}, new FakeClient(signedIn()), { sessionStorage: store });
      client.emit("SIGNED_OUT", signedOut("signed_out"));
      expect(tracker.lastReason()?.type).toBe("USER_ACTION");
      expect(tracker.history()).toHaveLength(1);
      await browser.pass();
      await browser.pass();
      expect(browser.sent).toHaveLength(1);
      tracker.clearLastReason();
      expect(tracker.lastReason()).toBeNull();
    }
  });

  it("on a server nothing happens", async () => {
    const client = new FakeClient(signedIn());
    const calls: unknown[] = [];
    const fetch = async (url: string) => {
      calls.push(url);
      return new Response();
    };
    const tracker = createTracker(client, { edges: { fetch } });
    client.emit("SIGNED_OUT", signedOut("signed_out"));
    tracker.track("by hand", "USER_ACTION");
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(tracker.history()).toEqual([]);
    expect(calls).toEqual([]);
    tracker.dispose();
  });
});

describe("several tabs", () => {
  it.each(["with", "without"])(
    "ten of them %s locks record and report one sign-out once, and each can tell why",
    async (locks) => {
      const browser = new Browser();
      if (locks === "without") browser.locks = undefined;
      const tabs = Array.from({ length: 10 }, () => busyTab(browser));
      for (const { client } of tabs) client.emit("SIGNED_OUT", signedOut("signed_out"));
      await browser.pass();
      expect(browser.sent).toHaveLength(1);
      for (const { tracker } of tabs) {
        expect(tracker.history()).toHaveLength(1);
        expect(tracker.lastReason()?.reason).toBe("signed_out");
      }
    },
  );

  it("a tab that wakes up an hour later says the same and reports nothing", async () => {
    const browser = new Browser();
    const [first, late] = [busyTab(browser), busyTab(browser)];
    first.client.emit("SIGNED_OUT", signedOut("password_changed", { receipt: "rcp_1" }));
    await browser.pass();
    browser.now += 60 * MINUTE;
    late.client.emit("SIGNED_OUT", signedOut("session_unknown"));
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
    expect(late.tracker.history()).toHaveLength(1);
    expect(late.tracker.lastReason()).toMatchObject({ reason: "password_changed", receipt: "rcp_1" });
  });

  it("while one waits for its answer the others send nothing", async () => {
    const browser = new Browser();
    browser.answer = () => new Promise(() => {});
    const [first, other] = [busyTab(browser), busyTab(browser)];
    first.client.emit("SIGNED_OUT", signedOut("signed_out"));
    await browser.pass();
    other.window.dispatchEvent(new Event("online"));
    other.window.dispatchEvent(new Event("pagehide"));
    busyTab(browser);
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
  });
});

describe("idling", () => {
  it.each(["mousemove", "keydown", "click", "scroll", "touchstart", "pointerdown"])(
    "%s ends it, in all tabs",
    (name) => {
      const browser = new Browser();
      const [here, there] = [browser.tab(), browser.tab()];
      browser.now += 23 * MINUTE + 59_999;
      expect(here.tracker.idleMinutes()).toBe(23);
      there.window.dispatchEvent(new Event(name));
      expect(there.tracker.idleMinutes()).toBe(0);
      expect(here.tracker.idleMinutes()).toBe(0);
    },
  );

  it("of the tab that was clicked in counts for one that hears of the sign-out before it hears of the click", async () => {
    const browser = new Browser();
    const hears = busyTab(browser);
    browser.now += 60 * MINUTE;
    hears.client.emit("SIGNED_OUT", signedOut("signed_out"));
    // Chromium: what another process stored a moment ago is not there yet.
    browser.local?.setItem("tenure:last-activity", String(browser.now - 5));
    await browser.pass();
    expect(browser.sent.map(({ body }) => body.idleMinutes)).toEqual([0]);
  });

  it("is not over by what is done after a sign-out that nobody was there for", async () => {
    for (const done of ["here", "in another tab"]) {
      const browser = new Browser();
      const [here, there] = [busyTab(browser), busyTab(browser)];
      browser.now += 60 * MINUTE;
      here.client.emit("SIGNED_OUT", signedOut("signed_out"));
      browser.now += 100;
      (done === "here" ? here : there).window.dispatchEvent(new Event("mousemove"));
      await browser.pass();
      expect(
        browser.sent.map(({ body }) => body.idleMinutes),
        done,
      ).toEqual([60]);
    }
  });

  it("is noted once a second, as a number and nothing else", () => {
    const browser = new Browser();
    const local = new Store();
    const writes: [string, string][] = [];
    browser.local = Object.assign(local, {
      setItem: (key: string, value: string) => void writes.push([key, value]),
    });
    const { window } = browser.tab();
    for (let i = 0; i < 100; i++) {
      browser.now += 50;
      window.dispatchEvent(new Event("mousemove"));
    }
    expect(writes).toEqual(
      [50, 1050, 2050, 3050, 4050].map((ms) => ["tenure:last-activity", String(START + ms)]),
    );
  });

  it("is not fooled by moments in the future, by nonsense, or by a clock that was set back", () => {
    for (const value of [String(START * 2), "-5", '"x"', "{}", "NaN", "1e999"]) {
      const browser = new Browser();
      browser.local?.setItem("tenure:last-activity", value);
      const { tracker, window } = browser.tab();
      browser.now += 7 * MINUTE;
      expect(tracker.idleMinutes()).toBe(7);
      browser.now -= 60 * MINUTE;
      expect(tracker.idleMinutes()).toBe(0);
      window.dispatchEvent(new Event("click"));
      browser.now += 3 * MINUTE;
      expect(tracker.idleMinutes()).toBe(3);
    }
  });
});

describe("what an app says by itself", () => {
  it("joins the client's record, whichever comes first", async () => {
    for (const first of ["app", "client"]) {
      const browser = new Browser();
      const { tracker, client } = busyTab(browser);
      const app = () =>
        tracker.track("Clicked the button", "UNKNOWN", { place: "menu", isAuthenticated: false });
      if (first === "app") app();
      browser.now += 100;
      client.emit("SIGNED_OUT", signedOut("signed_out"));
      browser.now += 100;
      if (first === "client") app();
      await browser.pass();
      expect(tracker.history()).toHaveLength(1);
      expect(browser.sent).toHaveLength(1);
      const expected = {
        type: "USER_ACTION",
        reason: "signed_out",
        message: "Clicked the button",
        context: { place: "menu", isAuthenticated: true, hasToken: true },
      };
      expect(tracker.lastReason()).toMatchObject(expected);
      expect(browser.sent[0]?.body).toMatchObject(expected);
    }
  });

  it("is a record of its own if no sign-out is near", async () => {
    const browser = new Browser();
    const { tracker, client } = busyTab(browser);
    tracker.track("Wondering", "AUTH_ERROR");
    await browser.pass(2 * MINUTE);
    client.emit("SIGNED_OUT", signedOut("signed_out"));
    await browser.pass();
    expect(tracker.history().map(({ message }) => message)).toEqual([
      "Session ended: signed out",
      "Wondering",
    ]);
    expect(browser.sent).toHaveLength(2);
  });

  it("trackLogout speaks to the tracker made last and to none after its end", () => {
    const browser = new Browser();
    browser.tab();
    const { tracker } = browser.tab();
    trackLogout("Refresh token returned 401", "REFRESH_FAILED", { tries: 2 });
    expect(tracker.lastReason()).toMatchObject({ type: "REFRESH_FAILED", context: { tries: 2 } });
    tracker.dispose();
    trackLogout("again", "UNKNOWN");
    expect(tracker.history()).toHaveLength(1);
  });

  it("never throws, whatever is passed", () => {
    const { tracker } = new Browser().tab();
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const trap = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("trap");
        },
      },
    );
    for (const context of [
      cyclic,
      trap,
      {
        get x() {
          throw new Error("get");
        },
      },
      null,
      5,
      "text",
      [1],
    ]) {
      tracker.track("m", "UNKNOWN", context as never);
      tracker.track(context as never, context as never);
    }
    expect(tracker.history().every(({ type }) => type === "UNKNOWN")).toBe(true);
  });
});

it("dispose stops listening", () => {
  const browser = new Browser();
  const { tracker, client, window } = busyTab(browser);
  tracker.dispose();
  browser.now += 9 * MINUTE;
  window.dispatchEvent(new Event("click"));
  client.emit("SIGNED_OUT", signedOut("signed_out"));
  expect(tracker.idleMinutes()).toBe(9);
  expect(tracker.history()).toEqual([]);
});
