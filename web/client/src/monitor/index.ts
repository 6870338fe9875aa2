/** The token expiry monitor: what the session's clocks say, on the console and as `window.__tokenMonitor`. */

import type { AuthState, Client, SignedInState } from "../types.js";

/** What the monitor knows. It never sees a token; times come from the client and are judged by the server's clock. */
export interface TokenStatus {
  /** True as well when there is no access token. */
  readonly accessTokenExpired: boolean;
  /** Whole minutes, rounded down, never negative; null without an access token. */
  readonly accessExpiresInMinutes: number | null;
  /** Whether the session is over, which is when its refresh token stops being of use. True as well without one. */
  readonly refreshTokenExpired: boolean;
  /** Whole hours until the session ends, rounded down, never negative; null without a session. */
  readonly refreshExpiresInHours: number | null;
  readonly status: AuthState["status"];
  /** Null unless signed in. */
  readonly freshness: SignedInState["freshness"] | null;
}

export interface MonitorOptions {
  /** Where lines are written; the console of the page by default. */
  console?: Pick<Console, "info" | "warn">;
}

export interface Monitor {
  getTokenStatus(): TokenStatus;
  /** Stops writing and takes `window.__tokenMonitor` away. */
  stop(): void;
}

declare global {
  interface Window {
    __tokenMonitor?: Pick<Monitor, "getTokenStatus">;
  }
}

interface Line {
  readonly text: string;
  readonly colour: "green" | "yellow" | "red";
  /** Whether somebody may have to do something about it; otherwise it is information. */
  readonly warns: boolean;
}

const TICK_MS = 30_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const ACCESS_SOON_MS = 5 * MINUTE_MS;
const COLOURS = { green: "color:#15803d", yellow: "color:#a16207", red: "color:#b91c1c" };

/**
 * Writes the times of a client's session to the console: at once, every 30 seconds, and when they mean something new.
 * While nobody is signed in it speaks only when that changes. On a server it does nothing.
 */
export function startMonitor(
  client: Pick<Client, "inspect" | "subscribe">,
  options: MonitorOptions = {},
): Monitor {
  const getTokenStatus = () => tokenStatus(client);
  if (typeof window === "undefined") return { getTokenStatus, stop() {} };

  const out = options.console ?? console;
  let written = "";
  const write = (again: boolean) => {
    const lines = linesOf(client);
    const whole = lines.map((line) => line.text).join("\n");
    if (whole === written && !again) return;
    written = whole;
    for (const { text, colour, warns } of lines) {
      out[warns ? "warn" : "info"](`%c[TokenMonitor] ${text}`, COLOURS[colour]);
    }
  };

  out.info("%c[TokenMonitor] Starting token expiry monitoring", COLOURS.green);
  write(true);
  const unsubscribe = client.subscribe(() => write(false));
  const timer = setInterval(() => write(client.inspect().state.status === "signedIn"), TICK_MS);
  const handle = { getTokenStatus };
  window.__tokenMonitor = handle;
  return {
    getTokenStatus,
    stop() {
      clearInterval(timer);
      unsubscribe();
      if (window.__tokenMonitor === handle) delete window.__tokenMonitor;
    },
  };
}

function tokenStatus(client: Pick<Client, "inspect">): TokenStatus {
  const { state, accessExpiresInMs: access, sessionExpiresInMs: session } = client.inspect();
  return {
    accessTokenExpired: access === null || access <= 0,
    accessExpiresInMinutes: access === null ? null : whole(access, MINUTE_MS),
    refreshTokenExpired: session === null || session <= 0,
    refreshExpiresInHours: session === null ? null : whole(session, HOUR_MS),
    status: state.status,
    freshness: state.status === "signedIn" ? state.freshness : null,
  };
}

function linesOf(client: Pick<Client, "inspect">): Line[] {
  const { state, accessExpiresInMs, sessionExpiresInMs } = client.inspect();
  if (state.status === "signedIn") {
    return [accessLine(accessExpiresInMs ?? 0, state.freshness), sessionLine(sessionExpiresInMs ?? 0, state)];
  }
  if (state.status === "signedOut") {
    return [{ text: `Signed out: ${state.reason.replaceAll("_", " ")}`, colour: "green", warns: false }];
  }
  return state.trouble
    ? [{ text: "The server cannot be reached yet; the client keeps trying", colour: "yellow", warns: true }]
    : [{ text: "Asking the server who is signed in", colour: "green", warns: false }];
}

/**
 * An access token with little time left is ordinary: it lives for minutes and is renewed before it runs out. It is
 * worth a warning only when renewals fail, and even then nobody is signed out by it.
 */
function accessLine(ms: number, freshness: SignedInState["freshness"]): Line {
  const failing = freshness === "reconnecting";
  const expired = ms <= 0;
  const soon = ms < ACCESS_SOON_MS;
  let note = "";
  if (failing) note = "; the server cannot be reached, the client keeps trying and the session goes on";
  else if (expired) note = "; its renewal is under way";
  else if (soon) note = "; its renewal is scheduled";
  const time = expired ? "expired" : `${minutes(ms)} until expiry`;
  const colour = expired ? "red" : failing && soon ? "yellow" : "green";
  return { text: `Access token: ${time}${note}`, colour, warns: failing && soon };
}

/** The end of a session is fixed. A short session is always in its last day, so that it warns in its last hour only. */
function sessionLine(ms: number, { session }: SignedInState): Line {
  if (ms <= 0) return { text: "Session: its time is over", colour: "red", warns: true };
  const days = whole(ms, DAY_MS);
  const hours = whole(ms % DAY_MS, HOUR_MS);
  const time =
    days > 0
      ? `${count(days, "day")}, ${count(hours, "hour")}`
      : hours > 0
        ? count(hours, "hour")
        : minutes(ms);
  const soon = days === 0;
  const note = soon ? "; after that a new sign-in is needed" : "";
  return {
    text: `Session: ${time} until it ends${note}`,
    colour: soon ? "yellow" : "green",
    warns: ms < (session.remembered ? DAY_MS : HOUR_MS),
  };
}

function whole(ms: number, unit: number): number {
  return Math.max(0, Math.floor(ms / unit));
}

function minutes(ms: number): string {
  return ms < MINUTE_MS ? "less than a minute" : count(whole(ms, MINUTE_MS), "minute");
}

function count(n: number, unit: string): string {
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}
