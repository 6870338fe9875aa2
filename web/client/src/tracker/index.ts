/** Keeps and reports why people were signed out, with what it takes to find the cause: when, where, after how much idling. */

import type { AuthEvent, AuthState, Client } from "../types.js";
import { watchActivity } from "./activity.js";
import { browserEdges, type TrackerEdges } from "./edges.js";
import { outboxOf } from "./outbox.js";
import { type LogoutContext, type LogoutRecord, type LogoutType, typeOf, washed } from "./record.js";
import { valuesIn } from "./store.js";

export type { TrackerEdges } from "./edges.js";
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

/** What this tab last knew while somebody was signed in. */
interface Held {
  readonly session: string;
  /** By this device's clock; null without a token. */
  readonly accessUntil: number | null;
  readonly sessionUntil: number | null;
}

/** A record before it is washed. */
type Draft = { readonly [Name in keyof LogoutRecord]?: unknown };

const HISTORY = "logout_history";
const LAST_REASON = "last_logout_reason";
const HISTORY_MAX = 10;
const MINUTE_MS = 60_000;

let latest: Tracker | undefined;

/**
 * Records each sign-out of the client once per browser, whichever tabs see it, and reports it to the server.
 *
 * It never delays a sign-out, never throws, and works without storage, when it remembers as long as the page lives.
 * On a server it does nothing.
 */
export function createTracker(
  client: Pick<Client, "baseUrl" | "getState" | "inspect" | "onAuthStateChange">,
  options: TrackerOptions = {},
): Tracker {
  const edges = { ...browserEdges(), ...options.edges };
  const shared = valuesIn(edges.localStorage);
  const ofTab = valuesIn(edges.sessionStorage);
  const activity = watchActivity(edges, shared);
  const outbox = outboxOf(`${client.baseUrl}/api/v1/auth/logout-event`, edges, shared);
  let held: Held | undefined;

  function history(): LogoutRecord[] {
    const past = shared.read(HISTORY);
    if (!Array.isArray(past)) return [];
    return past.slice(0, HISTORY_MAX).flatMap((entry) => washed(entry) ?? []);
  }

  function record(draft: Draft): void {
    const fresh = washed({
      timestamp: edges.now(),
      idleMinutes: activity.idleMinutes(),
      location: edges.path(),
      release: options.release,
      ...draft,
    });
    if (!fresh || !edges.window) return;
    const past = history();
    const isSame = (other: LogoutRecord) => isSameSignOut(fresh, other);
    const known = past.find(isSame);
    // Of two accounts of the client another tab's was first: this tab only has something to show.
    const isRepeated = !!known?.reason && !!fresh.reason;
    const kept = isRepeated ? known : known ? joined(known, fresh) : fresh;
    ofTab.write(LAST_REASON, kept);
    if (isRepeated) return;
    shared.write(HISTORY, [kept, ...past.filter((other) => other !== known)].slice(0, HISTORY_MAX));
    if (options.report === false) return;
    if (known) outbox.amend(kept, isSame);
    else outbox.put(kept);
  }

  /** What was true just before, from what this tab last knew. */
  function contextBefore(hasRefreshToken: boolean): LogoutContext {
    const left = (until: number | null | undefined, unit: number) =>
      typeof until === "number" ? Math.floor((until - edges.now()) / unit) : undefined;
    const accessExpiresInMinutes = left(held?.accessUntil, MINUTE_MS);
    const sessionExpiresInHours = left(held?.sessionUntil, 60 * MINUTE_MS);
    return {
      isAuthenticated: held !== undefined,
      hasToken: accessExpiresInMinutes !== undefined && accessExpiresInMinutes >= 0,
      hasRefreshToken,
      ...(accessExpiresInMinutes !== undefined && { accessExpiresInMinutes }),
      ...(sessionExpiresInHours !== undefined && { sessionExpiresInHours }),
    };
  }

  function changed(event: AuthEvent, state: AuthState): void {
    if (state.status === "signedIn") {
      const { accessExpiresInMs: access, sessionExpiresInMs: session } = client.inspect();
      const until = (ms: number | null) => (ms === null ? null : edges.now() + ms);
      held = { session: state.session.id, accessUntil: until(access), sessionUntil: until(session) };
      ofTab.write(LAST_REASON, null);
      return;
    }
    if (state.status !== "signedOut" || state.reason === "never_signed_in") return;
    const { reason, receipt } = state;
    const session = state.sessionId ?? held?.session;
    // A sign-out from before the page was loaded is told again by each load until it is delivered. Only the session's
    // name tells whether it is recorded already.
    if (!session && (event !== "SIGNED_OUT" || reason === "signed_out")) return;
    record({
      type: typeOf(state),
      message: `Session ended: ${(reason || "unknown").replaceAll("_", " ")}`,
      context: contextBefore(reason !== "cookie_missing"),
      reason,
      receipt,
      session,
    });
    held = undefined;
  }

  const online = () => outbox.send();
  const away = () => outbox.leave();
  const hidden = () => edges.document?.visibilityState === "hidden" && away();
  edges.window?.addEventListener("online", online);
  edges.window?.addEventListener("pagehide", away);
  edges.document?.addEventListener("visibilitychange", hidden);
  const unsubscribe = client.onAuthStateChange((event, state) => quietly(() => changed(event, state)));
  if (options.report !== false) outbox.send();

  const tracker: Tracker = {
    idleMinutes: activity.idleMinutes,
    history,
    lastReason: () => washed(ofTab.read(LAST_REASON)) ?? null,
    clearLastReason: () => ofTab.write(LAST_REASON, null),
    track: (message, type, context) =>
      quietly(() => {
        const state = client.getState();
        const signedIn = state.status === "signedIn";
        const session = signedIn
          ? state.session.id
          : state.status === "signedOut"
            ? state.sessionId
            : undefined;
        record({ type, message, context: { ...contextBefore(signedIn), ...context }, session });
      }),
    dispose() {
      unsubscribe();
      activity.stop();
      edges.window?.removeEventListener("online", online);
      edges.window?.removeEventListener("pagehide", away);
      edges.document?.removeEventListener("visibilitychange", hidden);
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

/** A session ends once. What an app says about it by itself belongs to the end that is at most a minute away. */
function isSameSignOut(one: LogoutRecord, other: LogoutRecord): boolean {
  if (!one.session || one.session !== other.session) return false;
  if (one.reason && other.reason) return true;
  return !one.reason !== !other.reason && Math.abs(one.timestamp - other.timestamp) < MINUTE_MS;
}

/** Of the client's account and the app's one record: the client knows the cause, the app has the words. */
function joined(known: LogoutRecord, fresh: LogoutRecord): LogoutRecord {
  const [cause, words] = known.reason ? [known, fresh] : [fresh, known];
  const context = { ...cause.context, ...words.context, ...cause.context };
  return washed({ ...cause, message: words.message, context }) ?? fresh;
}

/** Telling about a sign-out must not break it. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // What cannot be told is not told.
  }
}
