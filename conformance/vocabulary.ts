/**
 * The words that scenarios are written in: what can be given, what can happen, and what must be true afterwards.
 *
 * The list is closed. A scenario is data without code, so that a reader reviews the table and not a program, and so
 * that something other than our own runner could carry it out.
 */

import type { EndReason } from "../web/client/src/api.gen.js";
import type { SignedOutReason } from "../web/client/src/types.js";

/**
 * What becomes of a session by this cause: it is a legitimate end (L), it never is (N), the cause cannot exist here (S),
 * or it ends a session where a policy says so (P).
 */
export type Verdict = "L" | "N" | "S" | "P";

export interface Cause {
  readonly id: `C${string}`;
  readonly title: string;
  readonly verdict: Verdict;
  /** What happens instead, in one sentence. */
  readonly why: string;
}

/** As in `90s`, `15m`, `72h`, `20d`. */
export type Span = `${number}${"s" | "m" | "h" | "d"}`;

/** Who signs in; `ada` is `ada@example.com`. Each has an account of their own. */
export type Person = "ada" | "bob";

/** Everybody's, until they change it. */
export const PASSWORD = "a long way to the sea";

/** What Stripe's events are signed with; a server is given it by `stripe.webhook_secret`. */
export const STRIPE_SECRET = "whsec_conformance0123456789";

/** A browser profile with its own cookies; `laptop` where none is named. */
export type Device = string;

export interface Scenario {
  readonly id: `C${string}-${number}`;
  readonly title: string;
  /** Where the client runs: in a simulated browser on virtual time, or in a real Chromium. */
  readonly in?: "browser";
  readonly server?: ServerWish;
  readonly given: readonly Step[];
  readonly when: readonly Step[];
  readonly then: Then;
}

/** What is special about the server; otherwise it is the testbed as it comes. */
export interface ServerWish {
  /** As in `session.reuse=observe`. */
  readonly settings?: readonly string[];
  /** Behind a proxy that ends TLS, and with its address as the public one; for real browsers. */
  readonly https?: true;
  /** With a Redis of its own. */
  readonly redis?: true;
  /** The product itself instead of the testbed: on the real time, without orders for faults. */
  readonly product?: {
    /** Its environment, which is empty otherwise; it starts in an empty folder. */
    readonly environment?: Readonly<Record<string, string>>;
    /** Names of shared libraries, of which broken ones are found before any others. */
    readonly brokenLibraries?: readonly string[];
  };
}

/** One thing that happens. Those that get an answer add it to what `Then.answers` is compared with. */
export type Step = PersonStep | TimeStep | WireStep | RequestStep | OperatorStep | MachineStep | BrowserStep;

interface On {
  readonly on?: Device;
}

/** What people do, by the client. */
export type PersonStep =
  /** With "remember me" unless it is said. */
  | (On & { readonly signIn: Person; readonly remember?: false })
  /** So many more tabs. */
  | (On & { readonly open: number })
  /** All tabs are loaded again. */
  | (On & { readonly reload: true })
  /** All windows are closed, and one is opened again: cookies without Max-Age are gone. */
  | (On & { readonly reopen: true })
  /** All windows are closed for so long, and then one is opened. */
  | (On & { readonly awayFor: Span })
  | (On & { readonly signOut: "this" | "others" | "everywhere" })
  /** Requests of the app by `client.fetch`, to the API; `show` adds a member of the body to the answer. */
  | (On & { readonly call: string; readonly times?: number; readonly show?: string })
  /** The same, asking the forward-auth endpoint for what is required. */
  | (On & { readonly may: string; readonly times?: number })
  /** The app wants a new token now, in one tab or all at once; the answer is `200` or what went wrong. */
  | (On & { readonly refresh: "one tab" | "every tab" })
  | (On & { readonly changePassword: string })
  /** The device's wall clock is set this much ahead. */
  | (On & { readonly clockAhead: Span });

export type TimeStep =
  /** Time passes, and everybody goes on with what they do. */
  { readonly wait: Span } | { readonly every: Span; readonly during: Span; readonly do: readonly Step[] };

/** What happens between the client and the server. */
export type WireStep =
  | (On & { readonly network: "fine" | "offline" | "silent" | "portal" | "proxy" })
  /** The next answers to requests whose path begins with `at` come from elsewhere, or not at all. */
  | {
      readonly fault: "status" | "html" | "reset" | "drop_answer";
      readonly at: string;
      readonly status?: number;
      readonly body?: string;
      readonly type?: string;
      readonly times?: number | "until cleared";
    }
  | { readonly faults: "cleared" }
  /** What the next requests of the client carry instead of what it sends. */
  | (On & {
      readonly replace: "bearer";
      readonly by: Exclude<Bearer, "own">;
      readonly times?: number;
    })
  | (On & { readonly addHeaders: Readonly<Record<string, string>> })
  /** Something befalls the session's cookie. */
  | (On & { readonly cookie: CookieAct })
  /** A cookie of some other software on the same site. */
  | (On & { readonly foreignCookie: string });

export type Bearer =
  | "own"
  | "none"
  | "one bit flipped"
  | "cut in half"
  | "without its signature"
  | "the refresh token"
  | "the kept one"
  | `of ${Device}`
  | { readonly text: string };

export type CookieAct =
  | "kept"
  | "put back"
  | "deleted"
  | "cut to 80 characters"
  | "one bit flipped"
  | "random"
  | "under an unknown key"
  | "moved to another name";

/** A request without the client, as another program would send it. The jar is not touched by its answer. */
export interface RequestStep extends On {
  readonly send: `${"GET" | "POST" | "PATCH" | "DELETE" | "OPTIONS"} /${string}`;
  readonly bearer?: Bearer;
  /** Whose session cookies go along: none unless it is said. */
  readonly cookie?: "own" | "own, with the access token in it" | "the kept one" | `of ${Device}`;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly times?: number;
  readonly show?: string;
}

/** What whoever runs the server does. */
export type OperatorStep =
  /** A command line of the product on the server's data; `ada` becomes the e-mail, `@laptop` that device's session. */
  | { readonly operator: string }
  /** The same, of which the outcome is an answer: `0`, or the exit code and the words that are looked for. */
  | {
      readonly run: string;
      readonly environment?: Readonly<Record<string, string>>;
      readonly saying?: string;
    }
  /** An event of Stripe's about the subscription of somebody's account. */
  | { readonly stripe: StripeEvent; readonly of: Person; readonly price: string };

export type StripeEvent = "active" | "past_due" | "canceled";

/** What happens to the server, its database and its neighbours. */
export type MachineStep =
  | { readonly server: "restarted" | "killed" | "started again" }
  | { readonly keys: "rotated" }
  /** A statement by a second connection to the database. `@laptop` is the id of that device's session. */
  | { readonly sql: string }
  /** Another process holds the database's lock for writing. */
  | { readonly database: "held" | "released" }
  /** So many of the next handlers panic where they ask for randomness, `after` having got some. */
  | { readonly panics: number; readonly after?: number }
  | { readonly redis: "killed" | "flushed" | "paused" | "started again" };

/** What only a real browser does. */
export type BrowserStep = PageStep | FormStep;

/** A page of another site posts a form there, in a tab of its own. The answer is the server's. */
export type FormStep = On & { readonly formPosted: `/${string}` };

export type PageStep = On & {
  readonly page:
    | "loses its storage"
    | "loses all site data"
    | "loses its cache"
    | "is denied storage"
    | "has nonsense in its storage"
    | "throws when it starts"
    | "returns from a payment page"
    | "is opened by a link in a mail"
    | "is posted to by a payment page"
    /** The answer is what our page shows in there. */
    | "is framed by another site"
    /** The answer is what the client is told on that origin. */
    | "is served from another origin";
};

/** What must be true in the end. */
export interface Then {
  /**
   * What the steps of `when` that ask for something were answered, in their order: a status and the code of a problem,
   * as in `403 account_suspended`; `unreachable` where no answer came. Of many requests, the different answers.
   */
  readonly answers: readonly string[];
  /** What every tab of the laptop shows. */
  readonly client: ClientState;
  /** The session's row, as `tenure session show` reads it from the database. */
  readonly row: Row;
  /** The receipt of the end, and whether the tabs were given it; null where nothing has ended. */
  readonly receipt: Receipt | null;
  /** Whom the client shows, where that is the point. */
  readonly shows?: Person;
  /** The same of other devices. */
  readonly others?: Readonly<
    Record<Device, { readonly client?: ClientState; readonly row: Row; readonly receipt?: Receipt | null }>
  >;
  /** Requests to the refresh endpoint that reached the server during `when`, where that is the point. */
  readonly refreshes?: number | { readonly atMost: number };
  /** Bugs that were ordered. */
  readonly panics?: number;
  /** Whether the browser still has the session's cookie; it has, unless the session ended. */
  readonly cookie?: "kept" | "kept, Secure" | "gone";
}

export type ClientState =
  | "live"
  | "stale"
  | "reconnecting"
  | "unknown"
  | "unknown, in trouble"
  | `signed out: ${SignedOutReason}`;

export type Row =
  | "alive"
  /** Its time is over, which nobody has come to notice yet. */
  | "expired"
  /** The point is that it did not move, or how far. */
  | `alive, generation ${number}`
  | `ended: ${EndReason}`
  | "unreadable"
  | "none";

export interface Receipt {
  readonly by: "user" | "admin" | "clock" | "policy";
  readonly told: boolean;
}
