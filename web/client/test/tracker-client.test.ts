/** The tracker and the monitor on the real client; only the server is made by hand. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createClient } from "../src/index.js";
import { startMonitor } from "../src/monitor/index.js";
import { Browser, MINUTE, Store } from "./tracker-world.js";

const TOKEN = `eyJhbGciOiJFZERTQSJ9.${"a".repeat(80)}.c2ln`;
const DAY = 24 * 60 * MINUTE;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const json = (status: number, body: unknown, type = "application/json") =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": type } });

/** Signs in whoever asks, and answers refreshes as told. */
function server(refresh: () => Response) {
  const startedAt = Date.now();
  return async (url: string, init: RequestInit): Promise<Response> => {
    if (url.endsWith("/auth/refresh"))
      return init.method === "DELETE" ? new Response(null, { status: 204 }) : refresh();
    const user = {
      id: "usr_1",
      account_id: null,
      email: "ada@example.com",
      name: "Ada",
      role: "user",
      created_at: 0,
    };
    const session = {
      id: "ses_1",
      remembered: true,
      created_at: startedAt,
      expires_at: startedAt + 20 * DAY,
    };
    const token = { access_token: TOKEN, token_type: "Bearer", expires_in: 900, server_time: Date.now() };
    return json(200, { ...token, user, session });
  };
}

function revoked(reason: string): Response {
  const problem = {
    status: 401,
    code: "session_revoked",
    class: "authentication",
    title: "Ended",
    detail: "Ended.",
  };
  const more = { reason, receipt: "rcp_1", session: "ses_1", server_time: Date.now() };
  return json(401, { ...problem, ...more }, "application/problem+json");
}

async function signedInTab(browser: Browser, refresh = () => revoked("admin_revoked")) {
  const storage = new Store();
  const edges = { fetch: server(refresh), storage, locks: undefined, openChannel: () => undefined };
  const client = createClient({ edges, start: false });
  const tab = browser.tab({}, client);
  const signIn = client.signIn.password({ email: "ada@example.com", password: "hunter2", rememberMe: true });
  await vi.advanceTimersByTimeAsync(100);
  expect((await signIn).error).toBeNull();
  return { ...tab, storage };
}

it("a sign-out in this browser is the person's own act", async () => {
  const browser = new Browser();
  const { tracker, client, session } = await signedInTab(browser);
  expect(tracker.lastReason()).toBeNull();
  void client.signOut();
  await vi.advanceTimersByTimeAsync(100);
  expect(tracker.lastReason()).toMatchObject({
    type: "USER_ACTION",
    reason: "signed_out",
    session: "ses_1",
    context: {
      isAuthenticated: true,
      hasToken: true,
      accessExpiresInMinutes: 15,
      sessionExpiresInHours: 480,
    },
  });
  await browser.pass();
  expect(browser.sent).toHaveLength(1);
  const everything = browser.stored() + JSON.stringify([...session.kept]) + browser.sent[0]?.text;
  for (const secret of [TOKEN, "ada@example.com", "hunter2"]) expect(everything).not.toContain(secret);
});

it.each(["admin_revoked", "signed_out_everywhere"])(
  "an end that the server tells (%s) comes with its receipt",
  async (reason) => {
    const browser = new Browser();
    const { tracker, client } = await signedInTab(browser, () => revoked(reason));
    void client.refresh();
    await vi.advanceTimersByTimeAsync(5000);
    expect(tracker.history()).toMatchObject([
      { type: "REFRESH_FAILED", reason, receipt: "rcp_1", session: "ses_1" },
    ]);
    client.dispose();
  },
);

it("a server that cannot be reached is no sign-out to the tracker and a warning of the monitor", async () => {
  vi.stubGlobal("window", new EventTarget());
  const browser = new Browser();
  const { tracker, client } = await signedInTab(browser, () => new Response("<html>", { status: 502 }));
  const out = { info: vi.fn(), warn: vi.fn() };
  const monitor = startMonitor(client, { console: out });
  expect(out.warn).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(20 * MINUTE);
  expect(out.warn).toHaveBeenLastCalledWith(
    "%c[TokenMonitor] Access token: expired; the server cannot be reached, the client keeps trying and the session goes on",
    expect.any(String),
  );
  expect(monitor.getTokenStatus()).toMatchObject({
    accessTokenExpired: true,
    status: "signedIn",
    freshness: "reconnecting",
  });
  expect(JSON.stringify([...out.info.mock.calls, ...out.warn.mock.calls])).not.toContain("eyJ");
  expect(tracker.history()).toEqual([]);
  monitor.stop();
  client.dispose();
  vi.unstubAllGlobals();
});
