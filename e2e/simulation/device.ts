/** A computer: its wall clock, which somebody may set wrong, and its other clock and timers, which sleep with it or not. */

import type { Happening, Timeline } from "./timeline.js";

export interface Timer {
  readonly work: () => void;
  /** Undefined while the device sleeps. */
  happening: Happening | undefined;
  /** While the device sleeps: what was left when it began to. */
  leftMs: number;
}

export class Device {
  /** How far the wall clock is ahead. */
  wallOffsetMs = 0;
  #asleepSince: number | undefined;
  #sleptMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(
    private readonly timeline: Timeline,
    /** Whether the monotonic clock, and the timers with it, stand still while the device sleeps. */
    private readonly standsStill: boolean,
  ) {}

  get isAsleep(): boolean {
    return this.#asleepSince !== undefined;
  }

  wallNow(): number {
    return this.timeline.now + this.wallOffsetMs;
  }

  monotonicNow(): number {
    return this.timeline.now - (this.standsStill ? this.#sleptMs : 0);
  }

  /** Like `setTimeout`. Nothing happens on a device that sleeps. */
  after(ms: number, work: () => void): Timer {
    const timer: Timer = { work, happening: undefined, leftMs: ms };
    this.#timers.add(timer);
    if (!this.isAsleep) this.#schedule(timer);
    return timer;
  }

  clear(timer: Timer): void {
    this.#timers.delete(timer);
    if (timer.happening) timer.happening.work = undefined;
  }

  sleep(): void {
    this.#asleepSince = this.timeline.now;
    for (const timer of this.#timers) {
      if (!timer.happening) continue;
      timer.leftMs = timer.happening.at - this.timeline.now;
      timer.happening.work = undefined;
      timer.happening = undefined;
    }
  }

  wake(): void {
    const sleptMs = this.timeline.now - (this.#asleepSince ?? this.timeline.now);
    this.#asleepSince = undefined;
    this.#sleptMs += sleptMs;
    for (const timer of this.#timers) {
      if (!this.standsStill) timer.leftMs = Math.max(0, timer.leftMs - sleptMs);
      this.#schedule(timer);
    }
  }

  #schedule(timer: Timer): void {
    timer.happening = this.timeline.after(timer.leftMs, () => {
      this.#timers.delete(timer);
      timer.work();
    });
  }
}
