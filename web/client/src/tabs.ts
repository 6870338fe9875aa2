/**
 * The other tabs of this browser: one of them refreshes at a time, and what one learns all know.
 *
 * Locks and channel only save requests. The protocol is safe without either, so nothing here may wait for ever:
 * a lock that is not granted in time is done without, and it is never stolen (docs/protocol.md section 9).
 */

import type { Channel, Edges } from "./edges.js";
import type { Memory } from "./memory.js";
import { isRecord } from "./problem.js";
import type { Grant } from "./session.js";
import type { SignedOutState } from "./types.js";
import { isTime } from "./wire.js";

/** How long a lock is waited for. */
const LOCK_WAIT_MS = 4000;
/** How long a new tab waits for another to share its token. */
const ANSWER_WAIT_MS = 60;
/** Tabs answer a question at different moments, so that one answer is enough. */
const ANSWER_SPREAD_MS = 20;
/** Without locks tabs that are woken together look around at different moments before they begin. */
const CLAIM_SPREAD_MS = 200;

/** What tabs tell each other, from memory to memory. */
export type Message =
  /** `serverNow` is 0 if the sender is not sure of it. */
  | { readonly is: "grant"; readonly grant: Grant; readonly serverNow: number }
  | { readonly is: "out"; readonly out: SignedOutState }
  | { readonly is: "ask" }
  /** Without locks: "I am refreshing". */
  | { readonly is: "claim" };

export interface Hearing {
  grant(grant: Grant, serverNow: number): void;
  out(out: SignedOutState): void;
  /** Another tab has written down a sign-in or a sign-out. */
  stored(): void;
  /** The token to share with a tab that asks. */
  share(): { grant: Grant; serverNow: number } | undefined;
}

export class Tabs {
  readonly #channel: Channel | undefined;
  readonly #stopStorage: () => void;
  #heardGrant = 0;
  #onGrant: (() => void) | undefined;
  /** When another tab claimed the refresh, on the monotonic clock, and has brought no token since. */
  #claimedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly edges: Edges,
    private readonly memory: Memory,
    private readonly hearing: Hearing,
  ) {
    this.#channel = edges.openChannel(memory.keyOf("tabs"), (message) => this.#hear(message));
    // Storage is the slower channel, and can carry no token: it is listened to where there is no other.
    const stored = (key: string) => key.startsWith(memory.keyOf("")) && hearing.stored();
    this.#stopStorage = this.#channel ? () => {} : edges.onStorage(stored);
  }

  get channelKind(): "broadcast" | "storage" | "none" {
    return this.#channel ? "broadcast" : this.memory.works ? "storage" : "none";
  }

  tell(message: Message): void {
    try {
      this.#channel?.postMessage(message);
    } catch {
      // A closed channel: the others find out by themselves.
    }
  }

  /** Asks the other tabs for a token, and waits a moment for an answer. */
  async ask(): Promise<void> {
    if (!this.#channel) return;
    this.tell({ is: "ask" });
    await this.#grantWithin(ANSWER_WAIT_MS);
  }

  /**
   * Does `work` while no other tab does such work, as far as that can be had in time. `waited` says that another
   * tab was at it, which may have made the work superfluous.
   */
  exclusively<T>(work: (waited: boolean) => Promise<T>): Promise<T> {
    return this.edges.locks ? this.#locked(work) : this.#claimed(work);
  }

  dispose(): void {
    this.#stopStorage();
    this.#channel?.close();
  }

  #locked<T>(work: (waited: boolean) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const patience = new AbortController();
      const askedAt = this.edges.monotonicNow();
      let begun = false;
      const begin = async (): Promise<void> => {
        // Only the first of "granted" and "not in time" begins; the other finds it done.
        if (begun) return;
        begun = true;
        this.edges.clearTimeout(timer);
        await work(this.edges.monotonicNow() - askedAt > 5).then(resolve, reject);
      };
      const timer = this.edges.setTimeout(() => {
        patience.abort();
        void begin();
      }, LOCK_WAIT_MS);
      try {
        const name = this.memory.keyOf("lock");
        // A lock that is refused, or a browser that throws: the work is safe without.
        this.edges.locks?.request(name, { signal: patience.signal }, begin).catch(() => begin());
      } catch {
        void begin();
      }
    });
  }

  async #claimed<T>(work: (waited: boolean) => Promise<T>): Promise<T> {
    if (!this.#channel) return work(false);
    await this.#sleep(this.edges.random() * CLAIM_SPREAD_MS);
    const waitMs = this.#claimedAt + LOCK_WAIT_MS - this.edges.monotonicNow();
    const waits = waitMs > 0;
    if (waits) await this.#grantWithin(waitMs);
    this.tell({ is: "claim" });
    return work(waits);
  }

  #grantWithin(ms: number): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      this.#onGrant = resolve;
    });
    return Promise.race([heard, this.#sleep(ms)]);
  }

  /** Anything of this origin may post here: what is not understood is not heard. */
  #hear(message: unknown): void {
    if (!isRecord(message)) return;
    const { is, grant, out, serverNow } = message as { [name: string]: unknown };
    if (is === "grant" && isGrant(grant) && typeof serverNow === "number") {
      this.#heardGrant += 1;
      this.#claimedAt = Number.NEGATIVE_INFINITY;
      this.hearing.grant(grant, serverNow);
      this.#onGrant?.();
    } else if (is === "out" && isEnd(out)) {
      this.hearing.out(out);
    } else if (is === "ask") {
      void this.#answer();
    } else if (is === "claim") {
      this.#claimedAt = this.edges.monotonicNow();
    }
  }

  /** One answer to a question is enough: whoever hears another's keeps quiet. */
  async #answer(): Promise<void> {
    const before = this.#heardGrant;
    await this.#sleep(this.edges.random() * ANSWER_SPREAD_MS);
    const shared = this.#heardGrant === before ? this.hearing.share() : undefined;
    if (shared) this.tell({ is: "grant", ...shared });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.edges.setTimeout(resolve, ms));
  }
}

/** Whether it tells of the end of a session that has a name, and gives a reason. */
export function isEnd(value: unknown): value is SignedOutState {
  if (!isRecord(value) || value.status !== "signedOut") return false;
  return [value.sessionId, value.reason].every((text) => typeof text === "string");
}

function isGrant(value: unknown): value is Grant {
  try {
    const { user, session, token } = value as Grant;
    const texts = [user.id, session.id, token.value];
    const times = [session.createdAt, session.expiresAt, token.receivedAt, token.refreshAt, token.expiresAt];
    return texts.every((text) => typeof text === "string") && times.every(isTime);
  } catch {
    return false;
  }
}
