/** Keeps and reports why people were signed out, with what it takes to find the cause: when, where, after how much idling. */

import type { AuthEvent, AuthState, Client, HeldToken } from "../types.js";
import { watchActivity } from "./activity.js";
import { browserEdges, type TrackerEdges } from "./edges.js";
import { type LogoutEvidence, watchFailures } from "./evidence.js";
import { historyIn } from "./history.js";
import { outboxOf } from "./outbox.js";
import { type LogoutRecord, type LogoutType, typeOf, washed } from "./record.js";
import { valuesIn } from "./store.js";

export type { RequestFailed, TrackerEdges } from "./edges.js";
export type { LogoutEvidence } from "./evidence.js";
export type { LogoutContext, LogoutRecord, LogoutType } from "./record.js";

export interface TrackerOptions {
  /** The release of your app, sent along with reports. */
  release?: string;
  /** False keeps sign-outs in this browser and reports none of them. */
  report?: boolean;
  edges?: Partial<TrackerEdges>;
}

export interface Tracker {
  /** Whole minutes since the person last did something in any tab of this browser. */
  idleMinutes(): number;
  /** The last ten sign-outs of this browser, newest first. */
  history(): readonly LogoutRecord[];
  /** The sign-out that this tab has yet to explain; null after a sign-in. */
  lastReason(): LogoutRecord | null;
  /** Call it when the person has read the explanation. */
  clearLastReason(): void;
  /**
   * Adds what only the app knows about a sign-out. The client's own sign-outs are recorded without it; called within
   * a minute of one, before or after, it adds to that record and makes no second one. Never throws.
   */
  track(message: string, type: LogoutType, context?: Readonly<Record<string, unknown>>): void;
  /** Stops listening. What was recorded stays and is still reported. */
  dispose(): void;
}

/** A record before it is washed. */
type Draft = { readonly [Name in keyof LogoutRecord]?: unknown };

const MINUTE_MS = 60_000;

let latest: Tracker | undefined;

/**
 * Records each sign-out of the client once per browser, whichever tabs see it, and reports it to the server.
 *
 * It never delays a sign-out, never throws, and works without storage, when it remembers as long as the page lives.
 * On a server it does nothing.
 */
export function createTracker(
  client: Pick<Client, "baseUrl" | "inspect" | "onAuthStateChange"> &
    Partial<Pick<Client, "onRefusal" | "heldToken">>,
  options: TrackerOptions = {},
): Tracker {
  const edges = { ...browserEdges(), ...options.edges };
  const listening = new AbortController();
  const { signal } = listening;
  const shared = valuesIn(edges.localStorage);
  const history = historyIn(shared, valuesIn(edges.sessionStorage));
  const url = `${client.baseUrl}/api/v1/auth/logout-event`;
  /** Of the session that this tab knows or knew last. The server takes it as proof when it has expired, too. */
  let token: HeldToken | null = null;
  const tokenFor = (record: LogoutRecord) => {
    token = client.heldToken?.() ?? token;
    return token?.session === record.session ? token?.value : undefined;
  };
  const outbox =
    options.report === false ? undefined : outboxOf(url, edges, shared, signal, finished, tokenFor);
  const idling = watchActivity(edges, shared, signal);

  const witness = watchFailures(client, edges, signal);
  const startedAt = edges.now();

  /** When this page last recorded a sign-out. */
  let recordedAt = Number.NaN;
  /** The session that this tab knows or knew last. */
  let session: string | undefined;
  let isSignedIn = false;
  /** By this device's clock; no numbers without a token or a session. */
  let accessUntil = Number.NaN;
  let sessionUntil = Number.NaN;

  /**
   * Browsers tell of a request only when all of its answer is there, which may be after what an app makes of it, and of
   * the click in another tab later than of the sign-out that came by it.
   */
  function finished(record: LogoutRecord): LogoutRecord {
    const idleMinutes = Math.min(record.idleMinutes, idling.at(record.timestamp));
    const witnessed = record.timestamp === recordedAt && { ...record.evidence, ...witness.again() };
    return washed({ ...record, idleMinutes, ...(witnessed && { evidence: witnessed }) }) ?? record;
  }

  function evidence(): LogoutEvidence {
    const { accessExpiresInMs, clockOffsetMs, tokensFromTabs } = client.inspect();
    const left = accessExpiresInMs ?? accessUntil - edges.now();
    return {
      ...witness.lately(),
      pageAgeMs: Math.max(edges.monotonicNow(), edges.now() - startedAt),
      accessLeftMs: left,
      clockAheadMs: -(clockOffsetMs ?? Number.NaN),
      tokensFromTabs,
    };
  }

  function record(draft: Draft, hasRefreshToken: boolean, context?: object): void {
    if (!edges.window) return;
    const now = edges.now();
    const accessExpiresInMinutes = Math.floor((accessUntil - now) / MINUTE_MS);
    const before = {
      isAuthenticated: isSignedIn,
      hasToken: accessExpiresInMinutes >= 0,
      hasRefreshToken,
      accessExpiresInMinutes,
      sessionExpiresInHours: Math.floor((sessionUntil - now) / MINUTE_MS / 60),
    };
    const fresh = washed({
      ...draft,
      timestamp: now,
      idleMinutes: idling.now(),
      location: edges.path(),
      context: { ...before, ...context },
      session,
      release: options.release,
      evidence: evidence(),
    });
    recordedAt = now;
    const change = fresh && history.add(fresh);
    if (change) outbox?.change(change);
  }

  function changed(event: AuthEvent, state: AuthState): void {
    witness.heard(state);
    if (state.status === "signedIn") {
      const { accessExpiresInMs, sessionExpiresInMs } = client.inspect();
      accessUntil = edges.now() + (accessExpiresInMs ?? Number.NaN);
      sessionUntil = edges.now() + (sessionExpiresInMs ?? Number.NaN);
      session = state.session.id;
      token = client.heldToken?.() ?? token;
      isSignedIn = true;
      history.forgetLast();
    } else if (state.status === "signedOut" && state.reason !== "never_signed_in") {
      const { reason, receipt } = state;
      session = state.sessionId ?? (isSignedIn ? session : undefined);
      // A sign-out from before the page was loaded is told again by each load until it is delivered. Only the
      // session's name tells whether it is recorded already.
      if (!session && (event !== "SIGNED_OUT" || reason === "signed_out")) return;
      const message = `Session ended: ${(reason || "unknown").replaceAll("_", " ")}`;
      record({ type: typeOf(state), message, reason, receipt }, reason !== "cookie_missing");
      isSignedIn = false;
      accessUntil = sessionUntil = Number.NaN;
    }
  }

  const away = () => outbox?.leave();
  const hidden = () => edges.document?.visibilityState === "hidden" && away();
  edges.window?.addEventListener("online", () => outbox?.send(), { signal });
  edges.window?.addEventListener("pagehide", away, { signal });
  edges.document?.addEventListener("visibilitychange", hidden, { signal });
  const unsubscribe = client.onAuthStateChange((event, state) => quietly(() => changed(event, state)));
  outbox?.send();

  const tracker: Tracker = {
    idleMinutes: idling.now,
    history: history.list,
    lastReason: history.last,
    clearLastReason: history.forgetLast,
    track: (message, type, context) => quietly(() => record({ type, message }, isSignedIn, context)),
    dispose() {
      unsubscribe();
      listening.abort();
      away();
      if (latest === tracker) latest = undefined;
    },
  };
  latest = tracker;
  return tracker;
}

/** `track` of the tracker that was made last; nothing without one. */
export const trackLogout: Tracker["track"] = (message, type, context) =>
  latest?.track(message, type, context);

/** Telling about a sign-out must not break it. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // What cannot be told is not told.
  }
}
