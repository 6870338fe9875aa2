/** A browser with tabs, and a server that takes reports, for the tests of the tracker. */

import type { KeyValueStore, Locks } from "../src/edges.js";
import type { Refusal } from "../src/problem.js";
import {
  createTracker,
  type RequestFailed,
  type Tracker,
  type TrackerEdges,
  type TrackerOptions,
} from "../src/tracker/index.js";
import type {
  AuthEvent,
  AuthState,
  HeldToken,
  Inspection,
  SignedInState,
  SignedOutState,
} from "../src/types.js";

export const START = 1_795_000_000_000;
export const MINUTE = 60_000;

export class Store implements KeyValueStore {
  readonly kept = new Map<string, string>();
  getItem(key: string): string | null {
    return this.kept.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.kept.set(key, value);
  }
  removeItem(key: string): void {
    this.kept.delete(key);
  }
}

/** Denies everything, as a browser does whose user forbids site data. */
export const denied: KeyValueStore = {
  getItem() {
    throw new DOMException("denied", "SecurityError");
  },
  setItem() {
    throw new DOMException("denied", "SecurityError");
  },
  removeItem() {
    throw new DOMException("denied", "SecurityError");
  },
};

export function signedIn(session = "ses_1"): SignedInState {
  return {
    status: "signedIn",
    user: { id: "usr_1", accountId: null, email: "ada@example.com", name: "Ada", role: "user", createdAt: 0 },
    session: { id: session, remembered: true, createdAt: START, expiresAt: START + 20 * 24 * 60 * MINUTE },
    freshness: "live",
  } as SignedInState;
}

export function signedOut(
  reason: SignedOutState["reason"],
  rest: Partial<SignedOutState> = {},
): SignedOutState {
  return { status: "signedOut", reason, sessionId: "ses_1", ...rest };
}

/** The members of a client that a tracker uses. */
export class FakeClient {
  baseUrl = "https://id.example";
  token: HeldToken | null = null;
  accessExpiresInMs: number | null = 12 * MINUTE;
  sessionExpiresInMs: number | null = 300 * 60 * MINUTE;
  readonly #listeners = new Set<(event: AuthEvent, state: AuthState) => void>();

  constructor(private state: AuthState = { status: "unknown" }) {}

  inspect = () => {
    const { state, accessExpiresInMs, sessionExpiresInMs } = this;
    return { state, accessExpiresInMs, sessionExpiresInMs } as Inspection;
  };
  heldToken = () => this.token;
  refusal: (refusal: Refusal) => void = () => {};
  onRefusal = (listener: (refusal: Refusal) => void) => {
    this.refusal = listener;
    return () => {};
  };
  onAuthStateChange = (listener: (event: AuthEvent, state: AuthState) => void) => {
    this.#listeners.add(listener);
    listener("INITIAL_STATE", this.state);
    return () => this.#listeners.delete(listener);
  };
  emit(event: AuthEvent, state: AuthState): void {
    this.state = state;
    for (const listener of this.#listeners) listener(event, state);
  }
}

export interface Sent {
  readonly url: string;
  readonly by: "fetch" | "beacon";
  readonly init?: RequestInit;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

type Tracked = Parameters<typeof createTracker>[0];

interface Tab<C> {
  readonly tracker: Tracker;
  readonly client: C;
  readonly window: EventTarget;
  readonly document: EventTarget & { visibilityState: DocumentVisibilityState };
  readonly session: Store;
}

/** One browser profile. `answer` is what the server does with a report: a status, or no answer. */
export class Browser {
  now = START;
  /** For how long the monotonic clock has stood still. */
  asleepMs = 0;
  online = true;
  answer: () => number | Promise<number> = () => 202;
  beaconTakes = true;
  keepalive = true;
  local: KeyValueStore | undefined = new Store();
  locks: Locks | undefined = queuedLocks();
  readonly sent: Sent[] = [];
  /** Tells the tab that was opened last of a request, as the browser does. */
  requestFailed: RequestFailed = () => {};
  /** What the browser has to tell once it is asked. */
  late: () => void = () => {};
  #timers: { at: number; work: () => void }[] = [];
  #tabs = 0;

  tab(options?: TrackerOptions): Tab<FakeClient>;
  tab<C extends Tracked>(options: TrackerOptions, client: C, edges?: Partial<TrackerEdges>): Tab<C>;
  tab(options: TrackerOptions = {}, client: Tracked = new FakeClient(), edges: Partial<TrackerEdges> = {}) {
    const window = new EventTarget();
    const document = Object.assign(new EventTarget(), {
      visibilityState: "visible" as DocumentVisibilityState,
    });
    const session = new Store();
    const share = (this.#tabs++ * 0.37) % 1;
    const tracker = createTracker(client, {
      ...options,
      edges: {
        fetch: (url, init) => this.#fetch(url, init),
        sendBeacon: (url, text) => {
          if (this.beaconTakes) this.sent.push({ url, by: "beacon", text, body: JSON.parse(text) });
          return this.beaconTakes;
        },
        keepalive: () => this.keepalive,
        localStorage: this.local,
        sessionStorage: session,
        locks: this.locks,
        now: () => this.now,
        monotonicNow: () => this.now - START - this.asleepMs,
        watchRequests: (failed) => {
          this.requestFailed = failed;
          return () => this.late();
        },
        random: () => share,
        setTimeout: (work, ms) => this.#timers.push({ at: this.now + ms, work }),
        online: () => this.online,
        path: () => "/dashboard",
        window,
        document,
        ...edges,
      },
    });
    return { tracker, client, window, document, session };
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const text = String(init.body);
    this.sent.push({ url, by: "fetch", init, text, body: JSON.parse(text) });
    const status = await this.answer();
    return { status } as Response;
  }

  /** Lets a second pass, with everything that is due in it. */
  async pass(ms = 1000): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at);
      const next = this.#timers[0];
      if (!next || next.at > end) break;
      this.#timers.shift();
      this.now = next.at;
      next.work();
      for (let i = 0; i < 50; i++) await Promise.resolve();
    }
    this.now = end;
    for (let i = 0; i < 50; i++) await Promise.resolve();
  }

  /** The lid is closed for so long; the monotonic clock of some systems stands still meanwhile. */
  sleep(ms: number): void {
    this.now += ms;
    this.asleepMs += ms;
  }

  /** Everything that scripts of this origin could read from the profile. */
  stored(): string {
    return this.local instanceof Store ? JSON.stringify([...this.local.kept]) : "";
  }
}

/** Web Locks: one holder at a time, the others in the order in which they asked. */
function queuedLocks(): Locks {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request(_name, _options, callback) {
      const mine = last.then(callback);
      last = mine.catch(() => {});
      return mine;
    },
  };
}

export const denyingLocks: Locks = {
  request: () => Promise.reject(new DOMException("denied", "SecurityError")),
};
