// @vitest-environment jsdom

import { afterEach, expect, it, vi } from "vitest";
import { createTracker } from "../src/tracker/index.js";
import { FakeClient, signedIn, signedOut } from "./tracker-world.js";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  localStorage.clear();
  sessionStorage.clear();
});

function page() {
  const fetch = vi.fn(async (_url: string, _init: RequestInit) => new Response(null, { status: 202 }));
  const sendBeacon = vi.fn(() => true);
  vi.stubGlobal("fetch", fetch);
  Object.assign(navigator, { sendBeacon });
  history.replaceState(null, "", "/account/devices?code=secret#access_token=secret");
  const client = new FakeClient(signedIn());
  const tracker = createTracker(client);
  return { tracker, client, fetch, sendBeacon };
}

it("uses the page's own storage, path, clock and fetch", async () => {
  vi.useFakeTimers();
  const { tracker, client, fetch } = page();
  vi.advanceTimersByTime(23 * 60_000);
  client.emit("SIGNED_OUT", signedOut("admin_revoked"));
  const kept = JSON.parse(sessionStorage.getItem("last_logout_reason") ?? "");
  expect(kept).toMatchObject({ idleMinutes: 23, location: "/account/devices", timestamp: Date.now() });
  expect(JSON.parse(localStorage.getItem("logout_history") ?? "")).toEqual([kept]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(fetch).toHaveBeenCalledOnce();
  expect(String(fetch.mock.calls[0]?.[1].body)).not.toContain("secret");
  tracker.dispose();
});

it("sees activity that the app stops from bubbling, and never holds up scrolling", () => {
  vi.useFakeTimers();
  const listen = vi.spyOn(window, "addEventListener");
  const { tracker } = page();
  const heard = listen.mock.calls.filter(([name]) => ["scroll", "touchstart", "mousemove"].includes(name));
  expect(heard.map(([, , options]) => options)).toEqual(
    Array(3).fill({ passive: true, capture: true, signal: expect.anything() }),
  );
  document.body.addEventListener("keydown", (event) => event.stopPropagation());
  vi.advanceTimersByTime(10 * 60_000);
  expect(tracker.idleMinutes()).toBe(10);
  document.body.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true }));
  expect(tracker.idleMinutes()).toBe(0);
  tracker.dispose();
});

it("a page that goes away sends text, which needs no preflight", () => {
  const { tracker, client, sendBeacon } = page();
  client.emit("SIGNED_OUT", signedOut("signed_out"));
  window.dispatchEvent(new Event("pagehide"));
  expect(sendBeacon).toHaveBeenCalledExactlyOnceWith(
    "https://id.example/api/v1/auth/logout-event",
    expect.stringContaining('"type":"USER_ACTION"'),
  );
  tracker.dispose();
});

it("works where asking for storage throws", () => {
  const deny = () => {
    throw new DOMException("denied", "SecurityError");
  };
  const local = vi.spyOn(window, "localStorage", "get").mockImplementation(deny);
  const session = vi.spyOn(window, "sessionStorage", "get").mockImplementation(deny);
  const { tracker, client } = page();
  client.emit("SIGNED_OUT", signedOut("signed_out"));
  expect(tracker.lastReason()?.type).toBe("USER_ACTION");
  tracker.dispose();
  local.mockRestore();
  session.mockRestore();
});
