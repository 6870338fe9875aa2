/**
 * What the person may do, as the server last said it: kept once for everything that shows it, beside the session and
 * without a way to it. Answers may be old or missing, and nobody is signed out by them; the server decides in any case.
 */

import { browserEdges, type Edges } from "../edges.js";
import { enlist, tell } from "../listeners.js";
import { isAuthorization, isTransport, type ProblemError, type Refusal } from "../problem.js";
import { foreign, unreachable } from "../transport.js";
import type { Account, Client, Entitlements, Result } from "../types.js";

export { type Needs, requirementOf } from "./requirement.js";
export { REFUSAL_HELP, REFUSAL_TITLES } from "./words.js";

/**
 * - `unknown`: nobody is signed in, or the first answer is not there yet.
 * - `allowed`, `refused`: what the server said last; with `error`, it cannot be asked again just now.
 * - `unavailable`: it has never said, and cannot be asked just now.
 */
export type Entitlement =
  | { readonly status: "unknown" }
  | { readonly status: "allowed"; readonly error?: ProblemError }
  | { readonly status: "refused"; readonly refusal: Refusal; readonly error?: ProblemError }
  | { readonly status: "unavailable"; readonly error: ProblemError };

/** As with {@link Entitlement}. `account` is null where the person has none, and where the server cannot read it. */
export type AccountState =
  | { readonly status: "unknown"; readonly account: null }
  | { readonly status: "known"; readonly account: Account | null; readonly error?: ProblemError }
  | { readonly status: "unavailable"; readonly account: null; readonly error: ProblemError };

export interface EntitlementStore {
  /** What is known of a requirement; the same object until that changes. */
  of(requirement: string): Entitlement;
  /** The account, likewise. */
  account(): AccountState;
  /**
   * Has a requirement answered, and kept up to date, for as long as somebody watches it; an empty one is about the
   * account alone. Calls `listener` after each change of anything. Returns how to stop.
   */
  watch(requirement: string, listener: () => void): () => void;
  /** Asks anew about everything that is watched, as after a purchase, and returns when it is answered. */
  reload(): Promise<void>;
}

/** The part of the client that is used: there is no way in it to end a session. */
type Asked = Pick<Client, "getState" | "subscribe" | "onAuthStateChange" | "onRefusal" | "entitlements">;
type Outside = Pick<Edges, "setTimeout" | "clearTimeout" | "monotonicNow" | "random" | "onWake">;

/** What is known is asked again at most this often, whatever gives reason to doubt it. */
const AGAIN_AFTER_MS = 10_000;
const RETRY_FIRST_MS = 2000;
const RETRY_MAX_MS = 60_000;
/** Requirements in one question: as many as the server answers. */
const AT_ONCE = 64;

const UNKNOWN: Entitlement = { status: "unknown" };
const ALLOWED: Entitlement = { status: "allowed" };
const NO_ACCOUNT: AccountState = { status: "unknown", account: null };
/** What is watched where only the account is. */
const ACCOUNT = "";

const stores = new WeakMap<Asked, EntitlementStore>();

/** The one store of a client. It asks nothing until something is watched. */
export function entitlementsOf(client: Asked, edges: Partial<Outside> = {}): EntitlementStore {
  const store = stores.get(client) ?? new Store(client, { ...browserEdges(), ...edges });
  stores.set(client, store);
  return store;
}

class Store implements EntitlementStore {
  readonly #listeners = new Set<() => void>();
  /** How many watch each requirement. */
  readonly #watched = new Map<string, number>();
  /** Whose answers these are. */
  #owner: string | undefined;
  readonly #known = new Map<string, Entitlement>();
  /** What has never been answered: unavailable while nothing can be asked. */
  #unsaid = UNKNOWN;
  #account = NO_ACCOUNT;
  /** What was answered since there was last a reason to doubt it. */
  readonly #fresh = new Set<string>();
  #doubts = 0;
  #asking: Promise<void> | undefined;
  #isDue = false;
  /** Before this moment only what has no answer yet is asked, and after a failure nothing. */
  #notBefore = 0;
  #failures = 0;
  #timer: unknown;
  #stops: (() => void)[] = [];

  constructor(
    private readonly client: Asked,
    private readonly edges: Outside,
  ) {}

  of(requirement: string): Entitlement {
    return this.#isOwners() ? (this.#known.get(requirement) ?? this.#unsaid) : UNKNOWN;
  }

  account(): AccountState {
    return this.#isOwners() ? this.#account : NO_ACCOUNT;
  }

  watch(requirement: string, listener: () => void): () => void {
    // Each watcher counts, also with the same listener.
    const forget = enlist(this.#listeners, () => listener());
    this.#watched.set(requirement, (this.#watched.get(requirement) ?? 0) + 1);
    if (this.#listeners.size === 1) this.#listen();
    this.#askSoon();
    return () => {
      forget();
      const left = (this.#watched.get(requirement) ?? 1) - 1;
      if (left) this.#watched.set(requirement, left);
      else this.#watched.delete(requirement);
      if (!this.#listeners.size) this.#rest();
    };
  }

  async reload(): Promise<void> {
    // What is under way was asked before this wish.
    await this.#asking;
    this.#doubt({ atOnce: true });
    this.#ask();
    await this.#asking;
  }

  /** While nobody watches nothing is listened to, so that the store holds on to no page. */
  #listen(): void {
    const { client } = this;
    if (this.edges.monotonicNow() >= this.#notBefore) this.#doubt();
    const heard = (event: string) => {
      // The new token may say more, and a network that is back has an answer for what failed.
      if (event === "RECONNECTED") this.#doubt({ atOnce: true });
      if (event === "TOKEN_REFRESHED" || event === "USER_UPDATED") this.#doubt();
    };
    this.#stops = [
      client.subscribe(() => this.#follow()),
      client.onAuthStateChange(heard),
      client.onRefusal((refusal) => this.#says(refusal) || this.#doubt()),
      this.edges.onWake(() => this.#doubt()),
    ];
    this.#follow();
  }

  #rest(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.edges.clearTimeout(this.#timer);
  }

  /** Another person, or nobody: nothing of the first is kept. */
  #follow(): void {
    if (this.#isOwners()) return;
    const wasEmpty = this.#account === NO_ACCOUNT && !this.#known.size;
    this.#owner = personIn(this.client);
    this.#known.clear();
    this.#unsaid = UNKNOWN;
    this.#account = NO_ACCOUNT;
    this.#notBefore = 0;
    this.#failures = 0;
    this.#doubt();
    if (!wasEmpty) this.#tell();
  }

  #isOwners(): boolean {
    return this.#owner === personIn(this.client);
  }

  /** What is known may be out of date. A storm of reasons is one reason. */
  #doubt({ atOnce = false } = {}): void {
    this.#doubts += 1;
    this.#fresh.clear();
    for (const name of this.#known.keys()) if (!this.#watched.has(name)) this.#known.delete(name);
    if (atOnce) this.#notBefore = 0;
    this.#askSoon();
  }

  /** Whether it is known already, so that a storm of what is shown asks nothing. */
  #says(refusal: Refusal): boolean {
    return [...this.#known.values()].some((known) => isRefusedBy(known, refusal));
  }

  /** Components that appear together ask together. */
  #askSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#ask();
    });
  }

  /** Asks what has to be asked, if it is time; one question is under way at most. */
  #ask(): void {
    const open = this.#open();
    if (this.#asking || !open.length || !this.#owner || !this.#isOwners()) return;
    this.edges.clearTimeout(this.#timer);
    const isNew = (name: string) =>
      name === ACCOUNT ? this.#account === NO_ACCOUNT : !this.#known.has(name);
    // Whole milliseconds: a timer for less would find that it is not time yet.
    const waitMs = Math.ceil(this.#notBefore - this.edges.monotonicNow());
    if (waitMs > 0 && (this.#unsaid !== UNKNOWN || !open.some(isNew))) {
      // No longer than timers can be, whatever somebody says that it takes.
      this.#timer = this.edges.setTimeout(() => this.#ask(), Math.min(waitMs, RETRY_MAX_MS));
      return;
    }
    this.#asking = this.#round(this.#owner).finally(() => {
      this.#asking = undefined;
      this.#ask();
    });
  }

  /** What is watched and has to be asked. */
  #open(): string[] {
    return [...this.#watched.keys()].filter((name) => !this.#fresh.has(name));
  }

  /** Asks about everything once, in as many questions as it takes, of which one that fails is the last. */
  async #round(owner: string): Promise<void> {
    const asked = new Set([ACCOUNT]);
    let trouble: ProblemError | undefined;
    let isDone = false;
    while (!isDone) {
      const names = this.#next(asked);
      const doubts = this.#doubts;
      const answer = await this.#answer(names);
      // An answer about somebody else is nobody's.
      if (owner !== this.#owner || !this.#isOwners()) return;
      trouble = this.#hear(names, answer, doubts) ?? trouble;
      this.#tell();
      for (const name of names) asked.add(name);
      isDone = !!answer.error || !this.#next(asked).length;
    }
    this.#failures = trouble ? this.#failures + 1 : 0;
    this.#notBefore = this.edges.monotonicNow() + (trouble ? this.#retryAfter(trouble) : AGAIN_AFTER_MS);
  }

  #next(asked: ReadonlySet<string>): string[] {
    return this.#open()
      .filter((name) => !asked.has(name))
      .slice(0, AT_ONCE);
  }

  /** A mistake on the way is trouble like any other: it must not end what asks. */
  async #answer(names: readonly string[]): Promise<Result<Entitlements>> {
    try {
      return await this.client.entitlements(names);
    } catch (cause) {
      return unreachable(cause);
    }
  }

  /** Takes in what was answered, and returns why some of it has to be asked again. */
  #hear(
    names: readonly string[],
    { data, error }: Result<Entitlements>,
    doubts: number,
  ): ProblemError | undefined {
    if (error) {
      this.#unsaid = { status: "unavailable", error };
      this.#account = failedAccount(this.#account, error);
      for (const name of this.#open()) if (name !== ACCOUNT) this.#know(name, error);
      // If it is they that cannot be answered, the others come first the next time.
      for (const name of names) this.#moveBack(name);
      return error;
    }
    this.#unsaid = UNKNOWN;
    this.#account = { status: "known", account: data.account };
    let trouble: ProblemError | undefined;
    for (const [at, name] of names.entries()) {
      const { problem } = data.answers[at] ?? { problem: foreign(200) };
      this.#know(name, problem);
      if (isTransport(problem)) trouble = problem;
      // Something may have changed while the answer was on its way.
      else if (doubts === this.#doubts) this.#fresh.add(name);
    }
    if (trouble) this.#fresh.delete(ACCOUNT);
    else if (doubts === this.#doubts) this.#fresh.add(ACCOUNT);
    return trouble;
  }

  #moveBack(name: string): void {
    const count = this.#watched.get(name);
    if (!count) return;
    this.#watched.delete(name);
    this.#watched.set(name, count);
  }

  #know(name: string, problem: ProblemError | null): void {
    const before = this.of(name);
    if (!problem) this.#known.set(name, ALLOWED);
    else if (isAuthorization(problem)) this.#known.set(name, refused(before, problem));
    else this.#known.set(name, failed(before, problem));
  }

  #retryAfter({ details }: ProblemError): number {
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    return Math.max(details.retryAfterMs ?? 0, ceiling * (0.5 + this.edges.random() / 2));
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) tell(listener);
  }
}

function personIn(client: Asked): string | undefined {
  const state = client.getState();
  return state.status === "signedIn" ? state.user.id : undefined;
}

/** The old object if the new one says the same, so that whoever compares by identity sees no change. */
function refused(before: Entitlement, refusal: Refusal): Entitlement {
  return isRefusedBy(before, refusal) && !before.error ? before : { status: "refused", refusal };
}

type Refused = Extract<Entitlement, { status: "refused" }>;

function isRefusedBy(known: Entitlement, { code, message }: Refusal): known is Refused {
  return known.status === "refused" && known.refusal.code === code && known.refusal.message === message;
}

/** What was said last stands until something else is said. */
function failed(before: Entitlement, error: ProblemError): Entitlement {
  return before.status === "allowed" || before.status === "refused"
    ? { ...before, error }
    : { status: "unavailable", error };
}

function failedAccount(before: AccountState, error: ProblemError): AccountState {
  return before.status === "known" ? { ...before, error } : { status: "unavailable", account: null, error };
}
