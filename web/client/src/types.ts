/** What an app sees: states, events, results, and the client itself. */

import type { AccountStatus, EndReason, UserRole } from "./api.gen.js";
import type { Edges } from "./edges.js";
import type { ProblemError, Refusal } from "./problem.js";

/** The person who is signed in. Times are Unix milliseconds by the server's clock. */
export interface User {
  readonly id: string;
  readonly accountId: string | null;
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  readonly createdAt: number;
}

/** One sign-in in this browser. Its end is fixed at sign-in: nothing shortens or extends it. */
export interface Session {
  readonly id: string;
  /** Whether "remember me" was ticked. */
  readonly remembered: boolean;
  readonly createdAt: number;
  /** When the session ends, idle or busy. */
  readonly expiresAt: number;
}

/** A line of the device list. */
export interface SessionEntry extends Session {
  /** Browser and system in words, as in `Firefox on Linux`. */
  readonly label: string;
  readonly address: string | null;
  /** Last refresh, accurate to a minute and a half. */
  readonly lastUsedAt: number;
  /** Whether it is the session of this browser. */
  readonly current: boolean;
}

/**
 * Why nobody is signed in: the server's closed set of reasons, or what this browser found by itself.
 *
 * - `never_signed_in`: the browser has no session and remembers none.
 * - `cookie_missing`: it remembers one, but the browser no longer has its cookie (browser data was cleared or evicted).
 * - `session_unknown`: the server does not know the session.
 * - `session_superseded`: this browser holds an old copy of the session.
 * - `not_carried_over`: a sign-in of another system was here, and the server will not take it.
 */
export type SignedOutReason =
  | EndReason
  | "never_signed_in"
  | "cookie_missing"
  | "session_unknown"
  | "session_superseded"
  | "not_carried_over";

/** The server cannot be asked just now. The client keeps trying, for ever; nothing ends because of it. */
export interface Trouble {
  /** When the first attempt failed; Unix milliseconds by this device's clock, for display. */
  readonly since: number;
  /** When the next attempt is due; by this device's clock, for display. */
  readonly nextAttemptAt: number;
  /** Attempts that failed in a row. */
  readonly failures: number;
  readonly error: ProblemError;
}

/** Before the server has been asked. Show neither the app nor a sign-in page. */
export interface UnknownState {
  readonly status: "unknown";
  readonly trouble?: Trouble;
}

/**
 * Somebody is signed in.
 *
 * `freshness` says how good the access token is: `live` while one is usable; `stale` when it has run out and its
 * replacement is under way, as after sleep; `reconnecting` while attempts fail, with `trouble` telling since when.
 */
export interface SignedInState {
  readonly status: "signedIn";
  readonly user: User;
  readonly session: Session;
  readonly freshness: "live" | "stale" | "reconnecting";
  readonly trouble?: Trouble;
}

/** Nobody is signed in, and `reason` says why. */
export interface SignedOutState {
  readonly status: "signedOut";
  readonly reason: SignedOutReason;
  /** The receipt of the session's end, to quote to support. */
  readonly receipt?: string;
  /** The session that ended, where there was one. */
  readonly sessionId?: string;
}

export type AuthState = UnknownState | SignedInState | SignedOutState;

/** Names that `onAuthStateChange` is called with. */
export type AuthEvent =
  | "INITIAL_STATE"
  | "SIGNED_IN"
  | "TOKEN_REFRESHED"
  | "USER_UPDATED"
  | "USER_CHANGED"
  | "RECONNECTING"
  | "RECONNECTED"
  | "SIGNED_OUT";

/** What can be expected to happen is told, not thrown. */
export type Result<T> =
  | { readonly data: T; readonly error: null }
  | { readonly data: null; readonly error: ProblemError };

/** What somebody signs in with. */
export interface Credentials {
  email: string;
  password: string;
  /** Stay signed in for the remembered lifetime (20 days), idle or busy. */
  rememberMe?: boolean;
}

/** Who is signed in, and in which session. */
export interface SignedIn {
  readonly user: User;
  readonly session: Session;
}

/** What the server says about itself to anyone. */
export interface ServerStatus {
  readonly version: string;
  /** Seconds that a remembered sign-in lasts; make the label of "remember me" from it. */
  readonly rememberedLifetime: number;
  /** Seconds that another sign-in lasts at most. */
  readonly shortLifetime: number;
  readonly registrationOpen: boolean;
}

/** Whom a person belongs to and pays with. It decides what they may do, and never whether they are signed in. */
export interface Account {
  readonly id: string;
  readonly name: string;
  readonly status: AccountStatus;
  readonly plan: Plan | null;
}

/** What an account pays for. */
export interface Plan {
  /** Its name for programs. */
  readonly slug: string;
  readonly name: string;
  readonly isActive: boolean;
  /** How much of each thing it allows; null means as much as anybody likes. */
  readonly limits: Readonly<Record<string, number | null>>;
  readonly features: readonly string[];
}

/** What the server says about one requirement: null if it is met, or what stands in the way. */
export interface Entitled {
  readonly requirement: string;
  /** A `Refusal`, or another error where it cannot be told. */
  readonly problem: ProblemError | null;
}

/** What a person may do, as the server says it for display. */
export interface Entitlements {
  /** Null where there is none, and where it cannot be read just now. */
  readonly account: Account | null;
  /** In the order of the question. */
  readonly answers: readonly Entitled[];
}

/** For debugging: times and counts, never a token. */
export interface Inspection {
  readonly state: AuthState;
  /** Milliseconds until the access token expires, by the server's clock; null without one. */
  readonly accessExpiresInMs: number | null;
  /** Milliseconds until the session ends; null without one. */
  readonly sessionExpiresInMs: number | null;
  /** The server's clock less this device's, in milliseconds; null before the server has told. */
  readonly clockOffsetMs: number | null;
  /** Requests for a new token that this tab has sent. */
  readonly refreshesSent: number;
  /** Tokens that another tab gave to this one. */
  readonly tokensFromTabs: number;
  /** What is missing in this browser and how it is made up for. */
  readonly locks: boolean;
  readonly channel: "broadcast" | "storage" | "none";
  readonly storage: boolean;
}

/** What becomes of what another sign-in system left in this browser. */
export interface Migration {
  /** Keys in localStorage that are removed when the client is made, such as `LEGACY_KEYS`. */
  readonly removeKeys?: readonly string[];
  /** Called with the client when it is made. Returns what is asked after each refresh that has failed. */
  readonly begin?: (client: Client, edges: Edges) => Trade;
}

/**
 * Hears, while no other tab refreshes, how a refresh failed. It may `send` something to be traded for a session, and resolves
 * to the answer that counts instead, or to undefined. Nobody waits for it once `signal` is aborted, as by a sign-in.
 */
export type Trade = (
  error: ProblemError,
  send: (call: { method: "POST"; path: string; json: object }) => Promise<Result<unknown>>,
  signal: AbortSignal,
) => Promise<Result<unknown> | undefined>;

/** The parts of axios that `attachAxios` needs, so that this package depends on no axios. */
export interface AxiosLike {
  interceptors: {
    // biome-ignore lint/suspicious/noExplicitAny: axios's own generics differ from version to version.
    request: { use(onFulfilled: (config: any) => any): number; eject(id: number): void };
    response: {
      // biome-ignore lint/suspicious/noExplicitAny: as above.
      use(onFulfilled: undefined, onRejected: (error: any) => any): number;
      eject(id: number): void;
    };
  };
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  request(config: any): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  getUri(config: any): string;
}

/** All of them have defaults that are right on the server's own origin. */
export interface ClientOptions {
  /** Where the server is, as in `https://auth.example.com`. Not needed on the same origin. */
  baseUrl?: string;
  /** Other origins that `client.fetch` and `attachAxios` may send the access token to. */
  apiOrigins?: readonly string[];
  /**
   * What becomes of what another sign-in system left in this browser: `removeKeys` of it, or `fromSimpleJwt` and
   * `fromTicket` of `@tenure/client/migrate`, with which people stay signed in.
   */
  migrate?: Migration;
  /**
   * Whether one tab of this browser listens to the server, so that an end or a change shows at once and not at the next
   * refresh. By default it does, in browsers with Web Locks.
   */
  events?: boolean;
  /** Whether to ask the server at once. By default in browsers, and not where pages are rendered on a server. */
  start?: boolean;
  /** Parts of the outside world to replace: `fetch`, clocks, timers, locks, channel, storage, randomness. */
  edges?: Partial<Edges>;
}

/** An access token, and whose it is. */
export interface HeldToken {
  /** Whoever has it is let in until it expires: never store it, log it, or send it anywhere but to your API. */
  readonly value: string;
  /** The session's id. */
  readonly session: string;
}

/** The session of this browser, as this tab sees it. Made by `createClient`, once per page. */
export interface Client {
  /** A snapshot that stays the same object until something changes. */
  getState(): AuthState;
  /** Calls `listener` after each change of the snapshot. Returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** Calls back with `INITIAL_STATE` at once and then with the name of each change. Returns how to stop. */
  onAuthStateChange(listener: (event: AuthEvent, state: AuthState) => void): () => void;
  /** Resolves with the first state that is not `unknown`. */
  ready(): Promise<SignedInState | SignedOutState>;

  readonly signIn: {
    /** Signs in with e-mail and password. */
    password(credentials: Credentials): Promise<Result<SignedIn>>;
  };
  /** Registers and signs in; `signedIn` is null where the server wants the person to sign in separately. */
  signUp(person: Credentials & { name: string }): Promise<Result<{ signedIn: SignedIn | null }>>;
  /**
   * Signs out: `this` browser (the default), all `others`, or `everywhere`.
   *
   * Signing out of this browser works offline: the tabs are signed out at once, and `delivered` is false until the
   * server has been told, which happens when the network returns, even after a reload.
   */
  signOut(options?: { scope?: "this" | "others" | "everywhere" }): Promise<Result<{ delivered: boolean }>>;

  /**
   * A usable access token, refreshed first if need be; callers share one request. Do not keep it: ask again.
   *
   * Errors: `signed_out` when nobody is signed in; a transport error when the server cannot be asked now.
   */
  getAccessToken(): Promise<Result<string>>;
  /** Throws the access token away and gets another, as after a change of role or plan. */
  refresh(): Promise<Result<SignedIn>>;
  /**
   * `fetch` with the access token. Waits for a refresh under way; a 401 about the token is refreshed and repeated
   * once; every other answer is yours. The token only goes to this page's origin, the server's, and `apiOrigins`.
   *
   * Rejects as `fetch` does, and with a `ProblemError` of class transport if a token is due and cannot be had now.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Does for an axios instance what `fetch` does. Returns how to detach it. */
  attachAxios(instance: AxiosLike): () => void;

  readonly sessions: {
    /** The person's sessions on all devices, newest first. */
    list(): Promise<Result<readonly SessionEntry[]>>;
    /** Ends one of them. */
    end(id: string): Promise<Result<{ ended: string }>>;
  };
  /** Changes the password; ends all other sessions and says how many. This one goes on. */
  changePassword(change: { current: string; next: string }): Promise<Result<{ endedSessions: number }>>;
  updateProfile(change: { name: string }): Promise<Result<User>>;
  /**
   * The person's account, and what the server says about each requirement, as in `plan:pro` or `permission:reports.read`.
   * For what is shown; what they do the server decides when they do it. Components share what `entitlementsOf` keeps.
   */
  entitlements(requirements?: readonly string[]): Promise<Result<Entitlements>>;
  /** Calls `listener` with each 402 and 403 of the server that `fetch` or axios is answered with. Returns how to stop. */
  onRefusal(listener: (refusal: Refusal) => void): () => void;
  /** What the server says about itself: lifetimes, whether registration is open. */
  serverStatus(): Promise<Result<ServerStatus>>;

  /** For debug panels and monitors. */
  inspect(): Inspection;
  /**
   * The access token in hand, which may have expired, and whose session it is of; null without one. It waits for nothing and
   * asks for nothing: for what has to be sent in the moment of a sign-out. Requests take `fetch` or `getAccessToken`.
   */
  heldToken(): HeldToken | null;
  /** The server's clock as well as it is known, Unix milliseconds. */
  serverNow(): number;
  /** Where the server is; empty on the same origin. */
  readonly baseUrl: string;
  /** Stops timers and listeners, and forgets the access token. The session goes on. */
  dispose(): void;
}
