/**
 * The session as this tab knows it: one pure function from a state, an event and a moment to a state and effects.
 * It touches nothing; `engine.ts` carries the effects out. docs/protocol.md sections 8 and 9 are its contract.
 */

import { SIGNS_OUT } from "./api.gen.js";
import type { ProblemError } from "./problem.js";
import type {
  AuthEvent,
  AuthState,
  Session,
  SignedOutReason,
  SignedOutState,
  Trouble,
  User,
} from "./types.js";

/** An access token, in memory only. Times are by the server's clock. */
export interface Token {
  readonly value: string;
  readonly receivedAt: number;
  readonly refreshAt: number;
  readonly expiresAt: number;
}

/** What a sign-in, a refresh or another tab brings. */
export interface Grant {
  readonly user: User;
  readonly session: Session;
  readonly token: Token;
}

/** What a browser keeps of a session, so that its end can be explained to the next page. */
export type Believed = Pick<Session, "id" | "remembered" | "expiresAt">;

export interface Tab {
  /** The session that this browser remembers from before the page was loaded. */
  readonly remembered?: Believed | undefined;
  readonly grant?: Grant | undefined;
  readonly out?: SignedOutState | undefined;
  /** A refresh is under way. */
  readonly refreshing: boolean;
  readonly trouble?: Trouble | undefined;
  /** A sign-out that the server has said once; it counts when said twice. */
  readonly doubt?: ProblemError | undefined;
  /** The API has refused the access token; another is needed although its time is not over. */
  readonly discarded: boolean;
  /** A sign-out that the server has yet to be told, with the attempts that failed; undefined if there is none. */
  readonly leaving?: number | undefined;
  /** Sessions known to be over: a late answer or message does not bring them back. */
  readonly over: readonly string[];
}

export const initial: Tab = { refreshing: false, discarded: false, over: [] };

export type Event =
  /** The page was loaded. `leaving`: the session whose sign-out has yet to be delivered, empty if it is not known. */
  | { readonly is: "start"; readonly remembered: Believed | undefined; readonly leaving: string | undefined }
  | { readonly is: "granted"; readonly grant: Grant; readonly by: "sign-in" | "refresh" | "tab" }
  /** A refresh did not bring a token. */
  | { readonly is: "refused"; readonly error: ProblemError }
  /** A refresh was not needed any more. */
  | { readonly is: "spared" }
  /** A sign-in begins: a refresh under way is not waited for and its answer not heard. */
  | { readonly is: "outdate" }
  /** The server says unasked that the session is over. It counts as the first of two times. */
  | { readonly is: "hint"; readonly error: ProblemError }
  /** The time that was waited for has come. */
  | { readonly is: "due" }
  /** The network or the page is back. */
  | { readonly is: "wake" }
  /** Somebody needs a token now. */
  | { readonly is: "wanted" }
  /** The API refused this token, or the app wants another. */
  | { readonly is: "discard"; readonly token: string; readonly force: boolean }
  | { readonly is: "sign-out" }
  /** The server has been told of the sign-out, or could not be. */
  | { readonly is: "left"; readonly heard: boolean }
  /** Another tab says that a session is over. */
  | { readonly is: "told-out"; readonly out: SignedOutState }
  /** The browser remembers another session than this tab shows; another tab signed in. */
  | { readonly is: "told-in"; readonly session: Believed }
  /** A change of the password brought a new token for this session. */
  | { readonly is: "token"; readonly sessionId: string; readonly token: Token };

export type Effect =
  | { readonly do: "refresh" }
  /** Outdates a refresh under way: whatever it brings is ignored. */
  | { readonly do: "abort" }
  /** Send `due` after this time; replaces what was waited for. */
  | { readonly do: "wait"; readonly ms: number }
  /** Tell the server of the sign-out. */
  | { readonly do: "leave" }
  /** Write down whose sign-out has yet to be delivered (empty: not known), or that nobody's has. */
  | { readonly do: "note-leaving"; readonly sessionId: string | undefined }
  | { readonly do: "remember"; readonly session: Believed | undefined }
  | { readonly do: "tell-grant"; readonly grant: Grant }
  | { readonly do: "tell-out"; readonly out: SignedOutState }
  | { readonly do: "emit"; readonly event: AuthEvent };

/** The outside world at one moment. */
export interface Moment {
  /** The server's clock as well as it is known. */
  readonly server: number;
  /** This device's wall clock, for display only. */
  readonly wall: number;
  /** A random number from 0 up to 1, for jitter. */
  readonly chance: number;
}

export type Step = readonly [Tab, readonly Effect[]];

/** Backoff: full jitter below a ceiling that doubles from half a second to half a minute. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const BACKOFF_LEAST_MS = 100;
/** A longer Retry-After is cut: a broken proxy must not silence us for a day. */
const RETRY_AFTER_MAX_MS = 300_000;
/** A token younger than this is not thrown away again: an API that refuses them all would make us ask without end. */
const DISCARD_AFTER_MS = 10_000;
/** A token is not used in its last seconds, in which it would expire on its way. */
export const LAST_SECONDS_MS = 10_000;
/** By this much a tab that only misses the cookie asks again later than one that was told of an end. */
const LET_OTHERS_SAY_MS = 2000;
const OVER_MAX = 8;

export function step(tab: Tab, event: Event, now: Moment): Step {
  switch (event.is) {
    case "start":
      if (event.leaving === undefined) return refresh({ ...tab, remembered: event.remembered });
      // One attempt has failed before: the page in which it was has gone.
      return [
        { ...tab, ...outOf(tab, bySelf, event.leaving), leaving: 1 },
        [{ do: "leave" }, emit("SIGNED_OUT")],
      ];
    case "granted":
      return granted(tab, event.grant, event.by, now);
    case "refused":
      return refused({ ...tab, refreshing: false }, event.error, now);
    case "spared":
      return due({ ...tab, refreshing: false }, now);
    case "outdate":
      return [{ ...tab, refreshing: false }, [{ do: "abort" }]];
    case "hint":
      return hint(tab, event.error);
    case "due":
      return tab.leaving !== undefined ? [tab, [{ do: "leave" }]] : due(tab, now);
    case "wake":
      return wake(tab, now);
    case "wanted":
      return isUsable(tab, now) || tab.out || tab.trouble || tab.doubt ? [tab, []] : refresh(tab);
    case "discard":
      return discard(tab, event.token, event.force, now);
    case "sign-out": {
      const [left, effects] = signedOut(tab, bySelf, known(tab));
      return [{ ...left, leaving: 0 }, [...effects, noted(known(tab) ?? ""), { do: "leave" }]];
    }
    case "left":
      if (tab.leaving === undefined) return [tab, []];
      if (event.heard) return [{ ...tab, leaving: undefined }, [noted(undefined)]];
      return [{ ...tab, leaving: tab.leaving + 1 }, [{ do: "wait", ms: backoff(tab.leaving, now.chance) }]];
    case "told-out":
      return toldOut(tab, event.out);
    case "told-in":
      if (tab.grant?.session.id === event.session.id || tab.over.includes(event.session.id)) return [tab, []];
      // A doubt was about the session before.
      return refresh({
        ...tab,
        remembered: event.session,
        out: undefined,
        leaving: undefined,
        doubt: undefined,
      });
    case "token": {
      if (tab.grant?.session.id !== event.sessionId) return [tab, []];
      const grant = { ...tab.grant, token: event.token };
      return [{ ...tab, grant, discarded: false }, [{ do: "tell-grant", grant }, emit("TOKEN_REFRESHED")]];
    }
  }
}

/** What the app sees of it. */
export function view(tab: Tab, now: Moment): AuthState {
  if (tab.out) return tab.out;
  const trouble = tab.trouble && { trouble: tab.trouble };
  if (!tab.grant) return { status: "unknown", ...trouble };
  const { user, session } = tab.grant;
  const freshness = tab.trouble ? "reconnecting" : isUsable(tab, now) ? "live" : "stale";
  return { status: "signedIn", user, session, freshness, ...trouble };
}

/** Whether the access token in hand can be sent with a request now. */
export function isUsable(tab: Tab, now: Pick<Moment, "server">): boolean {
  return !!tab.grant && !tab.discarded && tab.grant.token.expiresAt - LAST_SECONDS_MS > now.server;
}

/** Whether an answer to a refresh says that the session is over: only these codes, only as our 401. */
export function saysSignedOut(error: ProblemError): boolean {
  const closed: readonly string[] = SIGNS_OUT;
  return error.status === 401 && error.problemClass === "authentication" && closed.includes(error.code);
}

/** Starts a refresh unless one is under way. */
function refresh(tab: Tab): Step {
  return tab.refreshing ? [tab, []] : [{ ...tab, refreshing: true }, [{ do: "refresh" }]];
}

function due(tab: Tab, now: Moment): Step {
  if (tab.out) return [tab, []];
  const waitMs =
    tab.grant && !tab.trouble && !tab.doubt && !tab.discarded ? tab.grant.token.refreshAt - now.server : 0;
  return waitMs > 0 ? [tab, [{ do: "wait", ms: waitMs }]] : refresh(tab);
}

function wake(tab: Tab, now: Moment): Step {
  if (tab.leaving !== undefined) return [tab, [{ do: "leave" }]];
  // The server itself asked for patience; a person who switches tabs is no reason to ask again.
  if (tab.doubt && !tab.trouble) return [tab, []];
  const patience =
    tab.trouble?.error.details.retryAfterMs !== undefined && tab.trouble.nextAttemptAt > now.wall;
  return patience ? [tab, []] : due(tab, now);
}

function discard(tab: Tab, token: string, force: boolean, now: Moment): Step {
  const current = tab.grant?.token;
  if (current?.value !== token) return [tab, []];
  if (!force && now.server - current.receivedAt < DISCARD_AFTER_MS) return [tab, []];
  return refresh({ ...tab, discarded: true });
}

function granted(tab: Tab, grant: Grant, by: "sign-in" | "refresh" | "tab", now: Moment): Step {
  const before = tab.grant;
  const rest: Tab = by === "refresh" ? { ...tab, refreshing: false } : tab;
  // A server that has not heard of a sign-out yet still serves what is over here; it is asked again, not believed.
  if (tab.over.includes(grant.session.id))
    return [rest, by === "refresh" ? [{ do: "wait", ms: BACKOFF_MAX_MS }] : []];
  const sameSession = before?.session.id === grant.session.id;
  if (by === "tab" && before) {
    // Messages may be late: neither an earlier sign-in nor an earlier token replaces what is here.
    const earlier = sameSession
      ? grant.token.receivedAt <= before.token.receivedAt
      : grant.session.createdAt < before.session.createdAt;
    if (earlier) return [tab, []];
  }
  const effects: Effect[] = [{ do: "wait", ms: Math.max(0, grant.token.refreshAt - now.server) }];
  // Another session than the one that a refresh under way asked about: its answer would take us back.
  const outdated = tab.refreshing && by !== "refresh" && !sameSession;
  if (outdated) effects.push({ do: "abort" });
  if (tab.leaving !== undefined || by === "sign-in") effects.push(noted(undefined));
  if (by !== "tab") effects.push({ do: "remember", session: grant.session }, { do: "tell-grant", grant });
  effects.push(...names(tab, grant).map(emit));
  return [
    {
      grant: before
        ? { ...grant, user: kept(before.user, grant.user), session: kept(before.session, grant.session) }
        : grant,
      refreshing: rest.refreshing && !outdated,
      discarded: false,
      over: tab.over,
    },
    effects,
  ];
}

/** The old object if the new one says the same, so that whoever compares by identity sees no change. */
function kept<T extends object>(before: T, now: T): T {
  return (Object.keys(now) as (keyof T)[]).every((key) => before[key] === now[key]) ? before : now;
}

/** What a grant is to an app that has seen `tab`. */
function names(tab: Tab, grant: Grant): AuthEvent[] {
  const before = tab.grant;
  if (!before) return ["SIGNED_IN"];
  if (before.user.id !== grant.user.id) return ["USER_CHANGED"];
  const events: AuthEvent[] = tab.trouble ? ["RECONNECTED"] : [];
  if (before.session.id !== grant.session.id) return [...events, "SIGNED_IN"];
  if (kept(before.user, grant.user) !== before.user) events.push("USER_UPDATED");
  return [...events, "TOKEN_REFRESHED"];
}

/** A refresh that failed. Only a closed list of answers, about this session and heard twice, signs out. */
function refused(tab: Tab, error: ProblemError, now: Moment): Step {
  if (tab.out) return [tab, []];
  const ours = known(tab);
  const about = error.details.sessionId;
  if (!saysSignedOut(error) || (ours && about && ours !== about)) return troubled(tab, error, now);
  // Nobody believes to be signed in, so nobody is thrown out: the first answer is enough.
  if (!ours && error.code === "no_session") return signedOut(tab, verdict(tab, error, now), undefined);
  if (tab.doubt) return signedOut(tab, verdict(tab, error.details.reason ? error : tab.doubt, now), ours);
  // The tab that the server told the reason has lost the cookie by that for all tabs; it is given time to say why.
  const ms = pause(now) + (error.code === "no_session" ? LET_OTHERS_SAY_MS : 0);
  return [{ ...tab, doubt: error }, [{ do: "wait", ms }]];
}

/** Asked again at once, by a request that began after it: one under way may have been answered before the end. */
function hint(tab: Tab, error: ProblemError): Step {
  if (tab.out || !saysSignedOut(error) || error.details.sessionId !== known(tab)) return [tab, []];
  return [{ ...tab, doubt: error, refreshing: true }, [{ do: "abort" }, { do: "refresh" }]];
}

function troubled(tab: Tab, error: ProblemError, now: Moment): Step {
  const failures = tab.trouble?.failures ?? 0;
  const asked = Math.min(error.details.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
  // Another tab's answer may land in the jar in between.
  const own = error.code === "refresh_superseded" ? pause(now) : backoff(failures, now.chance);
  const ms = Math.max(asked, own);
  const since = tab.trouble?.since ?? now.wall;
  const trouble: Trouble = { since, failures: failures + 1, nextAttemptAt: now.wall + ms, error };
  const effects: Effect[] = [{ do: "wait", ms }];
  return [{ ...tab, trouble }, tab.trouble ? effects : [...effects, emit("RECONNECTING")]];
}

/** The end in the server's words, or in ours where it has none. */
function verdict(tab: Tab, { code, details }: ProblemError, now: Moment): SignedOutState {
  const reason = details.reason ?? ownReason(tab, code, now);
  return { status: "signedOut", reason, ...(details.receipt ? { receipt: details.receipt } : {}) };
}

function ownReason(tab: Tab, code: string, now: Moment): SignedOutReason {
  const session = tab.grant?.session ?? tab.remembered;
  // The cookie of a session that is over has been taken along by the answer that told another tab, or has run out
  // since; that of one that was not to be remembered is gone with the browser.
  const isOver = session && (session.expiresAt <= now.server || (!tab.grant && !session.remembered));
  if ((code === "no_session" && isOver) || code === "session_expired")
    return session?.remembered === false ? "short_lifetime" : "remembered_lifetime";
  switch (code) {
    case "no_session":
      return known(tab) ? "cookie_missing" : "never_signed_in";
    case "session_superseded":
      return "session_superseded";
    default:
      return "session_unknown";
  }
}

function signedOut(tab: Tab, state: SignedOutState, sessionId: string | undefined): Step {
  const left = outOf(tab, state, sessionId);
  const effects: Effect[] = [{ do: "abort" }, { do: "remember", session: undefined }];
  // A tab that never knew a session has nothing to tell the others.
  if (sessionId) effects.push({ do: "tell-out", out: left.out });
  return [left, [...effects, emit("SIGNED_OUT")]];
}

function toldOut(tab: Tab, out: SignedOutState): Step {
  const left = outOf(tab, out, out.sessionId);
  // About another session than ours it is only good to know.
  if (tab.out || out.sessionId !== known(tab)) return [{ ...tab, over: left.over }, []];
  return [left, [{ do: "abort" }, emit("SIGNED_OUT")]];
}

/** Signed out: of everything else only the sessions that are over stay known. */
function outOf(
  tab: Tab,
  state: SignedOutState,
  sessionId: string | undefined,
): Tab & { readonly out: SignedOutState } {
  const fresh = sessionId && !tab.over.includes(sessionId) ? [sessionId] : [];
  return {
    out: sessionId ? { ...state, sessionId } : state,
    refreshing: false,
    discarded: false,
    over: [...tab.over, ...fresh].slice(-OVER_MAX),
  };
}

/** 1 to 2 seconds. */
const pause = (now: Moment): number => 1000 + now.chance * 1000;

function backoff(failures: number, chance: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 16));
  return Math.max(BACKOFF_LEAST_MS, chance * ceiling);
}

const emit = (event: AuthEvent): Effect => ({ do: "emit", event });
const noted = (sessionId: string | undefined): Effect => ({ do: "note-leaving", sessionId });
const bySelf: SignedOutState = { status: "signedOut", reason: "signed_out" };

/** The session that this tab shows, or that the browser remembers. */
const known = (tab: Tab): string | undefined => (tab.grant?.session ?? tab.remembered)?.id;
