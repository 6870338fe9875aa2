/** What was true just before: the last request that failed, the last error, clocks. */

import { describe, expect, it } from "vitest";
import { ProblemError, type Refusal } from "../src/problem.js";
import { Browser, type FakeClient, MINUTE, START, signedIn, signedOut } from "./tracker-world.js";

function busyTab(browser: Browser) {
  const tab = browser.tab({ release: "app 7" });
  tab.client.emit("SIGNED_IN", signedIn());
  return tab;
}

const sentEvidence = (browser: Browser) => browser.sent.map(({ body }) => body.evidence);

describe("evidence of a sign-out", () => {
  it("names the request that failed just before, by its path, with the refusal's code and how long ago", async () => {
    const browser = new Browser();
    const { tracker, client } = busyTab(browser);
    browser.now += 1000;
    browser.requestFailed({ status: 403, path: "/api/reports?token=secret", at: 1000 });
    client.refusal(new ProblemError("account_suspended", "authorization", 403, "No.") as Refusal);
    browser.now += 12;
    tracker.track("Access denied", "AUTH_ERROR");
    await browser.pass();
    const answer = { status: 403, path: "/api/reports", code: "account_suspended", isOurs: true, agoMs: 12 };
    expect(sentEvidence(browser)).toMatchObject([{ answer }]);
    expect(tracker.lastReason()?.evidence?.answer).toEqual(answer);
  });

  it("a request that the browser tells of only after the app has acted on it is in the report all the same", async () => {
    const browser = new Browser();
    const { tracker } = busyTab(browser);
    browser.now += 5000;
    tracker.track("Access denied", "AUTH_ERROR");
    browser.late = () => browser.requestFailed({ status: 402, path: "/api/upgrade", at: 4990 });
    await browser.pass();
    expect(sentEvidence(browser)).toMatchObject([
      { answer: { status: 402, path: "/api/upgrade", agoMs: 10 } },
    ]);
  });

  it("what fails afterwards is the consequence of a sign-out and not its cause", async () => {
    const browser = new Browser();
    const { tracker } = busyTab(browser);
    tracker.track("Session timed out", "TOKEN_EXPIRED");
    browser.late = () => browser.requestFailed({ status: 0, path: "/api/reports", at: 3 });
    await browser.pass();
    expect(browser.sent).toHaveLength(1);
    expect(sentEvidence(browser)[0]).not.toHaveProperty("answer");
  });

  it("of two requests the later counts, and trouble with a refresh is one of them", () => {
    const browser = new Browser();
    const { tracker, client } = busyTab(browser);
    browser.now += 200;
    browser.requestFailed({ status: 503, path: "/api/a", at: 0 });
    browser.requestFailed({ status: 503, path: "/api/b", at: 100 });
    tracker.track("a", "UNKNOWN");
    expect(tracker.lastReason()?.evidence?.answer).toMatchObject({ status: 503, path: "/api/b" });
    browser.now += 2 * MINUTE;
    const error = new ProblemError("foreign_answer", "transport", 401, "Something answered.");
    const trouble = { since: 0, failures: 1, nextAttemptAt: 0, error };
    client.emit("RECONNECTING", { ...signedIn(), freshness: "reconnecting", trouble });
    tracker.track("b", "REFRESH_FAILED");
    const path = "/api/v1/auth/refresh";
    const answer = { status: 401, code: "foreign_answer", path, isOurs: false, agoMs: 0 };
    expect(tracker.lastReason()?.evidence?.answer).toEqual(answer);
  });

  it("names the last error, without what could be a secret", () => {
    const browser = new Browser();
    const { tracker, window } = busyTab(browser);
    const token = `eyJ${"a".repeat(60)}`;
    window.dispatchEvent(
      Object.assign(new Event("error"), { message: `ada@example.com ${token} is undefined` }),
    );
    browser.now += 4;
    tracker.track("reset", "UNKNOWN");
    expect(tracker.lastReason()?.evidence?.error).toEqual({
      message: "[e-mail] [token] is undefined",
      agoMs: 4,
    });
    window.dispatchEvent(Object.assign(new Event("unhandledrejection"), { reason: new Error("too late") }));
    browser.now += 2 * MINUTE;
    tracker.track("again", "UNKNOWN");
    expect(tracker.lastReason()?.evidence?.error).toEqual({ message: "too late", agoMs: 2 * MINUTE });
  });

  it("counts the time for which the device slept, and no time by which its clock was set back", () => {
    const browser = new Browser();
    const { tracker, window } = busyTab(browser);
    const opened = browser.now - START;
    browser.requestFailed({ status: 503, path: "/api/reports", at: opened });
    window.dispatchEvent(Object.assign(new Event("error"), { message: "x is undefined" }));
    browser.sleep(8 * 60 * MINUTE);
    browser.now += 900;
    tracker.track("at once after waking", "UNKNOWN");
    const agoMs = 8 * 60 * MINUTE + 900;
    expect(tracker.lastReason()?.evidence).toMatchObject({
      answer: { status: 503, agoMs },
      error: { agoMs },
      pageAgeMs: opened + agoMs,
    });
    // The clock was wrong and is put right: a day less.
    browser.sleep(-24 * 60 * MINUTE);
    tracker.track("again", "UNKNOWN");
    expect(tracker.lastReason()?.evidence).toMatchObject({ answer: { agoMs: 900 }, error: { agoMs: 900 } });
  });

  it("tells how the clock, the page and the token stood", () => {
    const browser = new Browser();
    const { tracker, client } = busyTab(browser);
    browser.now += 25 * MINUTE;
    Object.assign(client, {
      inspect: () => ({ ...inspection(client), clockOffsetMs: -7000, tokensFromTabs: 3 }),
    });
    tracker.track("timer", "TOKEN_EXPIRED");
    expect(tracker.lastReason()?.evidence).toEqual({
      accessLeftMs: 35 * MINUTE,
      clockAheadMs: 7000,
      pageAgeMs: 25 * MINUTE,
      tokensFromTabs: 3,
    });
  });

  it("an app that signs out by itself says so, and a hand stays a hand", () => {
    for (const [type, expected] of [
      ["AUTH_ERROR", "AUTH_ERROR"],
      ["UNKNOWN", "USER_ACTION"],
    ] as const) {
      const { tracker, client } = busyTab(new Browser());
      tracker.track("by code", type);
      client.emit("SIGNED_OUT", signedOut("signed_out"));
      expect(tracker.history()).toMatchObject([{ type: expected, reason: "signed_out", message: "by code" }]);
    }
  });
});

const inspection = (client: FakeClient) => ({
  state: signedIn(),
  accessExpiresInMs: 35 * MINUTE,
  sessionExpiresInMs: client.sessionExpiresInMs,
});
