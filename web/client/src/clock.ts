/** The server's clock, kept from what the server says and the time that has passed since. */

import type { Edges } from "./edges.js";

/** Two local clocks that drift apart by more than this have been set, or one of them slept. */
const AGREE_MS = 2000;

interface Anchor {
  readonly server: number;
  readonly wall: number;
  readonly monotonic: number;
}

export class ServerClock {
  #anchor: Anchor | undefined;

  constructor(private readonly edges: Pick<Edges, "wallNow" | "monotonicNow">) {}

  /**
   * Takes the server's time from an answer that has just arrived. It was true some moment before, so the clock
   * is never ahead of the server by more than its own drift; behind, by at most the answer's way.
   */
  learn(server: number): void {
    this.#anchor = { server, wall: this.edges.wallNow(), monotonic: this.edges.monotonicNow() };
  }

  /** Unix milliseconds. Before the server has told, this device's own clock. */
  now(): number {
    if (!this.#anchor) return this.edges.wallNow();
    // The monotonic clock may stand still while the device sleeps, and the wall clock may be set: the one that has
    // seen more time pass decides. If that is wrong, a token is renewed early, and the answer sets us right.
    return this.#anchor.server + Math.max(...this.#passed(this.#anchor));
  }

  /**
   * What `Tenure-Sent-At` says: the server's time, or 0 if it would be a guess. A wrong guess could make a request
   * that was held up for a minute look young (docs/protocol.md section 2); 0 makes the server tell its time.
   */
  sentAt(): number {
    if (!this.#anchor) return 0;
    const [byWall, byMonotonic] = this.#passed(this.#anchor);
    return Math.abs(byWall - byMonotonic) < AGREE_MS ? Math.round(this.#anchor.server + byMonotonic) : 0;
  }

  /** The server's clock less this device's; null before the server has told. */
  offset(): number | null {
    return this.#anchor ? this.now() - this.edges.wallNow() : null;
  }

  /** The time since the server told, by the wall clock and by the monotonic one. */
  #passed({ wall, monotonic }: Anchor): [byWall: number, byMonotonic: number] {
    return [this.edges.wallNow() - wall, this.edges.monotonicNow() - monotonic];
  }
}
