/** Time that a test moves by hand: one true time, and a device whose clocks may be wrong and whose timers may sleep. */

/** Whose timers stop while it is frozen. */
export interface Owner {
  frozen: boolean;
}

interface Timer {
  readonly owner: Owner | undefined;
  readonly work: () => void;
  at: number;
}

/** Lets everything that promises can do be done. A turn of the event loop is needed: streams take more than microtasks. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

export class Time {
  /** What time it is; servers know it. Unix milliseconds. */
  now: number;
  /** How far the device's wall clock is ahead of it. */
  wallError = 0;
  /** By how much timers fire late, as those of browsers do. */
  lateMs = 0;
  /** How far the monotonic clock stood still. */
  #stood = 0;
  readonly #timers = new Set<Timer>();

  constructor(start = 1_800_000_000_000) {
    this.now = start;
  }

  wall(): number {
    return this.now + this.wallError;
  }

  monotonic(): number {
    return this.now - 1_700_000_000_000 - this.#stood;
  }

  /** A timer of a tab (`owner`), or of the world outside, which never sleeps. */
  after(ms: number, work: () => void, owner?: Owner): unknown {
    if (Number.isNaN(ms)) throw new Error("a timer for no time");
    const timer: Timer = { at: this.now + Math.max(0, ms) + this.lateMs, work, owner };
    this.#timers.add(timer);
    return timer;
  }

  clear(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** How many timers of `owner` are set. */
  pending(owner: Owner): number {
    return [...this.#timers].filter((timer) => timer.owner === owner).length;
  }

  /** Lets time pass, with everything that is due in it, in order. */
  async advance(ms: number): Promise<void> {
    await this.#pass(this.now + ms, (timer) => !timer.owner?.frozen);
  }

  /**
   * The device sleeps: time passes outside, its own timers do not fire. Its monotonic clock stands still, and timers
   * go on where they were; or (`ticking`) it runs on, and timers that are overdue fire on waking.
   */
  async sleep(ms: number, { ticking = false } = {}): Promise<void> {
    await this.#pass(this.now + ms, (timer) => timer.owner === undefined);
    if (ticking) return;
    this.#stood += ms;
    for (const timer of this.#timers) if (timer.owner) timer.at += ms;
  }

  async #pass(end: number, runs: (timer: Timer) => boolean): Promise<void> {
    await settle();
    for (let next = this.#next(end, runs); next; next = this.#next(end, runs)) {
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.work();
      await settle();
    }
    this.now = end;
  }

  #next(end: number, runs: (timer: Timer) => boolean): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.at <= end && runs(timer) && (!first || timer.at < first.at)) first = timer;
    return first;
  }
}

/** A seeded source of numbers from 0 up to 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
