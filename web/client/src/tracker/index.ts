/** Keeps and reports why people were signed out, with what it takes to find the cause: when, where, after how much idling. */

import type { AuthEvent, AuthState, Client } from "../types.js";
import { watchActivity } from "./activity.js";
import { browserEdges, type TrackerEdges } from "./edges.js";
import { outboxOf } from "./outbox.js";
import { type LogoutRecord, type LogoutType, RECORDS_MAX, typeOf, washed, washedList } from "./record.js";
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

/** When what this tab holds runs out, by this device's clock; not a number for what it does not hold. */
interface Held {
  readonly accessUntil: number;
  readonly sessionUntil: number;
}

/** A record before it is washed. */
type Draft = { readonly [Name in keyof LogoutRecord]?: unknown };

const HISTORY = "logout_history";
const LAST_REASON = "last_logout_reason";
const MINUTE_MS = 60_000;

let latest: Tracker | undefined;

/**
 * Records each sign-out of the client once per browser, whichever tabs see it, and reports it to the server.
 *
 * It never delays a sign-out, never throws, and works without storage, when it remembers as long as the page lives.
 * On a server it does nothing.
 */
export function createTracker(
  client: Pick<Client, "baseUrl" | "inspect" | "onAuthStateChange">,
  options: TrackerOptions = {},
): Tracker {
  const edges = { ...browserEdges(), ...options.edges };
  const shared = valuesIn(edges.localStorage);
  const ofTab = valuesIn(edges.sessionStorage);
  const listening = new AbortController();
  const { signal } = listening;
  const idleMinutes = watchActivity(edges, shared, signal);
  const outbox = outboxOf(`${client.baseUrl}/api/v1/auth/logout-event`, edges, shared, signal);
  /** The session that this tab knows or knew last, and what it holds of it while somebody is signed in. */
  let session: string | undefined;
  let held: Held | undefined;

  const clearLastReason = () => ofTab.write(LAST_REASON, null);
  const history = () => washedList(shared.read(HISTORY));

  function record(draft: Draft): void {
    if (!edges.window) return;
    const fresh = washed({
      timestamp: edges.now(),
      idleMinutes: idleMinutes(),
      location: edges.path(),
      release: options.release,
      session,
      ...draft,
    });
    if (!fresh) return;
    const past = history();
    const isSame = (other: LogoutRecord) => isSameSignOut(fresh, other);
    const known = past.find(isSame);
    // Of two accounts of the client another tab's was first: this tab only has something to show.
    const isRepeated = !!known?.reason && !!fresh.reason;
    const kept = isRepeated ? known : known ? joined(known, fresh) : fresh;
    ofTab.write(LAST_REASON, kept);
    if (isRepeated) return;
    shared.write(HISTORY, [kept, ...past.filter((other) => other !== known)].slice(0, RECORDS_MAX));
    if (options.report === false) return;
    if (known) outbox.amend(kept, isSame);
    else outbox.put(kept);
  }

  /** What was true just before. Numbers that are none are left out by the washing. */
  function contextBefore(hasRefreshToken: boolean): Record<string, unknown> {
    const left = (until = Number.NaN, unit: number) => Math.floor((until - edges.now()) / unit);
    const accessExpiresInMinutes = left(held?.accessUntil, MINUTE_MS);
    return {
      isAuthenticated: !!held,
      hasToken: accessExpiresInMinutes >= 0,
      hasRefreshToken,
      accessExpiresInMinutes,
      sessionExpiresInHours: left(held?.sessionUntil, 60 * MINUTE_MS),
    };
  }

  function changed(event: AuthEvent, state: AuthState): void {
    if (state.status === "signedIn") {
      const { accessExpiresInMs, sessionExpiresInMs } = client.inspect();
      const until = (ms: number | null) => edges.now() + (ms ?? Number.NaN);
      session = state.session.id;
      held = { accessUntil: until(accessExpiresInMs), sessionUntil: until(sessionExpiresInMs) };
      clearLastReason();
    } else if (state.status === "signedOut" && state.reason !== "never_signed_in") {
      const { reason, receipt } = state;
      session = state.sessionId ?? (held && session);
      // A sign-out from before the page was loaded is told again by each load until it is delivered. Only the
      // session's name tells whether it is recorded already.
      if (!session && (event !== "SIGNED_OUT" || reason === "signed_out")) return;
      const message = `Session ended: ${(reason || "unknown").replaceAll("_", " ")}`;
      record({
        type: typeOf(state),
        message,
        context: contextBefore(reason !== "cookie_missing"),
        reason,
        receipt,
      });
      held = undefined;
    }
  }

  const away = () => outbox.leave();
  const hidden = () => edges.document?.visibilityState === "hidden" && away();
  edges.window?.addEventListener("online", () => outbox.send(), { signal });
  edges.window?.addEventListener("pagehide", away, { signal });
  edges.document?.addEventListener("visibilitychange", hidden, { signal });
  const unsubscribe = client.onAuthStateChange((event, state) => quietly(() => changed(event, state)));
  if (options.report !== false) outbox.send();

  const tracker: Tracker = {
    idleMinutes,
    history,
    lastReason: () => washed(ofTab.read(LAST_REASON)) ?? null,
    clearLastReason,
    track: (message, type, context) =>
      quietly(() => record({ type, message, context: { ...contextBefore(!!held), ...context } })),
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
