// @vitest-environment jsdom

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../src/index.js";
import { type Monitor, startMonitor } from "../src/monitor/index.js";
import { registerClient, watchClients } from "../src/registry.js";
import type { AuthState, Client, Inspection, SignedInState } from "../src/types.js";
import { signedIn } from "./tracker-world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

beforeEach(() => void vi.useFakeTimers());

const running: Monitor[] = [];
afterEach(() => {
  for (const monitor of running.splice(0)) monitor.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

class FakeClient {
  readonly #listeners = new Set<() => void>();
  constructor(
    public state: AuthState,
    public accessExpiresInMs: number | null,
    public sessionExpiresInMs: number | null,
  ) {}
  inspect = () => {
    const { state, accessExpiresInMs, sessionExpiresInMs } = this;
    return { state, accessExpiresInMs, sessionExpiresInMs } as Inspection;
  };
  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  change(change: Partial<FakeClient>): void {
    Object.assign(this, change);
    for (const listener of this.#listeners) listener();
  }
}

type Line = [level: "info" | "warn", text: string, colour: string];
const COLOURS: Record<string, string> = { "#15803d": "green", "#a16207": "yellow", "#b91c1c": "red" };

/** Starts a monitor; `lines` takes what was written since it was last asked. */
function watch(client: FakeClient) {
  let written: Line[] = [];
  const write = (level: "info" | "warn") => (text: string, style: string) => {
    expect(text).toMatch(/^%c\[TokenMonitor\] /);
    written.push([
      level,
      text.slice("%c[TokenMonitor] ".length),
      COLOURS[style.slice("color:".length)] ?? style,
    ]);
  };
  const monitor = startMonitor(client, { console: { info: write("info"), warn: write("warn") } });
  running.push(monitor);
  const lines = () => {
    const taken = written;
    written = [];
    return taken;
  };
  return { monitor, lines };
}

function state(freshness: SignedInState["freshness"], remembered = true): SignedInState {
  const base = signedIn();
  return { ...base, freshness, session: { ...base.session, remembered } };
}

describe("lines", () => {
  const access: [SignedInState["freshness"], number | null, Line][] = [
    ["live", 12 * MINUTE, ["info", "Access token: 12 minutes until expiry", "green"]],
    ["live", 5 * MINUTE, ["info", "Access token: 5 minutes until expiry", "green"]],
    [
      "live",
      4.9 * MINUTE,
      ["info", "Access token: 4 minutes until expiry; its renewal is scheduled", "green"],
    ],
    ["live", MINUTE, ["info", "Access token: 1 minute until expiry; its renewal is scheduled", "green"]],
    ["live", 1, ["info", "Access token: less than a minute until expiry; its renewal is scheduled", "green"]],
    ["stale", 0, ["info", "Access token: expired; its renewal is under way", "red"]],
    ["stale", null, ["info", "Access token: expired; its renewal is under way", "red"]],
    [
      "reconnecting",
      5 * MINUTE,
      [
        "info",
        "Access token: 5 minutes until expiry; the server cannot be reached, the client keeps trying and the session goes on",
        "green",
      ],
    ],
    [
      "reconnecting",
      4 * MINUTE,
      [
        "warn",
        "Access token: 4 minutes until expiry; the server cannot be reached, the client keeps trying and the session goes on",
        "yellow",
      ],
    ],
    [
      "reconnecting",
      -1,
      [
        "warn",
        "Access token: expired; the server cannot be reached, the client keeps trying and the session goes on",
        "red",
      ],
    ],
  ];
  it.each(access)("%s with an access token for %s ms", (freshness, ms, line) => {
    const { lines } = watch(new FakeClient(state(freshness), ms, 5 * DAY));
    expect(lines()[1]).toEqual(line);
  });

  const session: [boolean, number, Line][] = [
    [true, 19.5 * DAY, ["info", "Session: 19 days, 12 hours until it ends", "green"]],
    [true, 20 * DAY, ["info", "Session: 20 days, 0 hours until it ends", "green"]],
    [true, DAY + HOUR, ["info", "Session: 1 day, 1 hour until it ends", "green"]],
    [
      true,
      DAY - 1,
      ["warn", "Session: 23 hours until it ends; after that a new sign-in is needed", "yellow"],
    ],
    [
      true,
      30 * MINUTE,
      ["warn", "Session: 30 minutes until it ends; after that a new sign-in is needed", "yellow"],
    ],
    [
      false,
      DAY - 1,
      ["info", "Session: 23 hours until it ends; after that a new sign-in is needed", "yellow"],
    ],
    [
      false,
      HOUR - 1,
      ["warn", "Session: 59 minutes until it ends; after that a new sign-in is needed", "yellow"],
    ],
    [true, 0, ["warn", "Session: its time is over", "red"]],
  ];
  it.each(session)("a session (remembered: %s) with %i ms left", (remembered, ms, line) => {
    const { lines } = watch(new FakeClient(state("live", remembered), 12 * MINUTE, ms));
    expect(lines()[2]).toEqual(line);
  });

  const trouble = { since: 0, nextAttemptAt: 0, failures: 1 } as NonNullable<
    AuthState & { trouble: never }
  >["trouble"];
  const others: [AuthState, Line][] = [
    [{ status: "unknown" }, ["info", "Asking the server who is signed in", "green"]],
    [
      { status: "unknown", trouble },
      ["warn", "The server cannot be reached yet; the client keeps trying", "yellow"],
    ],
    [{ status: "signedOut", reason: "admin_revoked" }, ["info", "Signed out: admin revoked", "green"]],
  ];
  it.each(others)("while nobody is known to be signed in (%o)", (other, line) => {
    const { lines } = watch(new FakeClient(other, null, null));
    expect(lines()).toEqual([["info", "Starting token expiry monitoring", "green"], line]);
  });
});

describe("when", () => {
  it("every 30 seconds while somebody is signed in", () => {
    const client = new FakeClient(state("live"), 12 * MINUTE, 5 * DAY);
    const { lines } = watch(client);
    expect(lines()).toHaveLength(3);
    vi.advanceTimersByTime(29_999);
    expect(lines()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(lines()).toHaveLength(2);
    vi.advanceTimersByTime(60_000);
    expect(lines()).toHaveLength(4);
  });

  it("at once when something new is to be said, and not for other changes", () => {
    const client = new FakeClient(state("live"), 12 * MINUTE, 5 * DAY);
    const { lines } = watch(client);
    lines();
    client.change({ accessExpiresInMs: 12 * MINUTE + 1 });
    expect(lines()).toEqual([]);
    client.change({ state: state("reconnecting") });
    expect(lines()).toHaveLength(2);
    client.change({ state: { status: "signedOut", reason: "signed_out" }, accessExpiresInMs: null });
    expect(lines()).toEqual([["info", "Signed out: signed out", "green"]]);
    vi.advanceTimersByTime(10 * MINUTE);
    expect(lines()).toEqual([]);
  });

  it("never again after stop", () => {
    const client = new FakeClient(state("live"), 12 * MINUTE, 5 * DAY);
    const { monitor, lines } = watch(client);
    lines();
    monitor.stop();
    client.change({ state: { status: "unknown" } });
    vi.advanceTimersByTime(10 * MINUTE);
    expect(lines()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("window.__tokenMonitor", () => {
  it("tells the status under the known names, and no more", () => {
    watch(new FakeClient(state("live"), 12.9 * MINUTE, 19.5 * DAY + 1));
    expect(Object.keys(window.__tokenMonitor ?? {})).toEqual(["getTokenStatus"]);
    expect(window.__tokenMonitor?.getTokenStatus()).toEqual({
      accessTokenExpired: false,
      accessExpiresInMinutes: 12,
      refreshTokenExpired: false,
      refreshExpiresInHours: 468,
      status: "signedIn",
      freshness: "live",
    });
  });

  it("tells expired from absent", () => {
    const client = new FakeClient(state("reconnecting"), -5 * MINUTE, -HOUR);
    const { monitor } = watch(client);
    expect(monitor.getTokenStatus()).toMatchObject({
      accessTokenExpired: true,
      accessExpiresInMinutes: 0,
      refreshTokenExpired: true,
      refreshExpiresInHours: 0,
    });
    client.change({ state: { status: "unknown" }, accessExpiresInMs: null, sessionExpiresInMs: null });
    expect(monitor.getTokenStatus()).toEqual({
      accessTokenExpired: true,
      accessExpiresInMinutes: null,
      refreshTokenExpired: true,
      refreshExpiresInHours: null,
      status: "unknown",
      freshness: null,
    });
  });

  it("belongs to the monitor that was started last", () => {
    const first = watch(new FakeClient(state("live"), MINUTE, DAY)).monitor;
    const second = watch(new FakeClient(state("live"), 2 * MINUTE, DAY)).monitor;
    first.stop();
    expect(window.__tokenMonitor?.getTokenStatus().accessExpiresInMinutes).toBe(2);
    second.stop();
    expect("__tokenMonitor" in window).toBe(false);
  });
});

describe("without a page", () => {
  it("starts no timer, writes nothing, and still answers", () => {
    vi.stubGlobal("window", undefined);
    const { monitor, lines } = watch(new FakeClient(state("live"), MINUTE, DAY));
    expect(vi.getTimerCount()).toBe(0);
    expect(lines()).toEqual([]);
    expect(monitor.getTokenStatus().status).toBe("signedIn");
  });

  it("no client is registered, so that a server does not collect them", () => {
    const seen = vi.fn();
    const stop = watchClients(seen);
    vi.stubGlobal("window", undefined);
    createClient();
    stop();
    expect(seen).not.toHaveBeenCalled();
  });
});

it("monitor/auto watches clients from before and after its import until they are disposed of", async () => {
  const info = vi.spyOn(console, "info").mockImplementation(() => {});
  const early = new FakeClient(state("live"), MINUTE, DAY);
  const forget = registerClient(early as unknown as Client);
  expect(info).not.toHaveBeenCalled();
  await import("../src/monitor/auto.js");
  expect(window.__tokenMonitor?.getTokenStatus().accessExpiresInMinutes).toBe(1);
  const late = new FakeClient(state("live"), 2 * MINUTE, DAY);
  const forgetLate = registerClient(late as unknown as Client);
  expect(window.__tokenMonitor?.getTokenStatus().accessExpiresInMinutes).toBe(2);
  expect(vi.getTimerCount()).toBe(2);
  forget();
  forgetLate();
  expect(vi.getTimerCount()).toBe(0);
  expect("__tokenMonitor" in window).toBe(false);
  const real = createClient({ edges: { fetch: () => new Promise(() => {}) } });
  expect(window.__tokenMonitor?.getTokenStatus().status).toBe("unknown");
  real.dispose();
  expect("__tokenMonitor" in window).toBe(false);
  info.mockRestore();
});
