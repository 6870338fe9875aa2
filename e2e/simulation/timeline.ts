/**
 * Virtual time: one queue of everything that will happen, worked off in order.
 *
 * Time stands still while code runs and while a real request is under way, so a run is the same each time as far as
 * the server's answers are, and twenty days last as long as their work.
 */

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export interface Happening {
  readonly at: number;
  readonly order: number;
  /** Undefined once it is called off. */
  work: (() => void) | undefined;
}

export class Timeline {
  #now: number;
  #order = 0;
  readonly #heap: Happening[] = [];
  readonly #real = new Set<Promise<unknown>>();

  constructor(start: number) {
    this.#now = start;
  }

  /** Unix milliseconds of the simulated world, always whole. */
  get now(): number {
    return this.#now;
  }

  after(ms: number, work: () => void): Happening {
    this.#order += 1;
    const happening = { at: this.#now + Math.max(0, Math.ceil(ms)), order: this.#order, work };
    this.#push(happening);
    return happening;
  }

  at(when: number, work: () => void): Happening {
    return this.after(when - this.#now, work);
  }

  /** Something of the real world that time waits for. */
  hold<T>(real: Promise<T>): Promise<T> {
    this.#real.add(real);
    const done = () => void this.#real.delete(real);
    real.then(done, done);
    return real;
  }

  /** Lets everything happen until that time, or until `isOver` says so. */
  async run(until: number, isOver: () => boolean): Promise<void> {
    await this.#settle();
    while (!isOver()) {
      const next = this.#heap[0];
      if (!next || next.at > until) break;
      this.#pop();
      if (!next.work) continue;
      this.#now = next.at;
      next.work();
      await this.#settle();
    }
    if (!isOver()) this.#now = Math.max(this.#now, until);
  }

  /** Waits until nothing is left to run at this moment. */
  async #settle(): Promise<void> {
    // Every promise that can be settled is settled before a new turn of the event loop begins.
    await turn();
    while (this.#real.size > 0) {
      await Promise.allSettled(this.#real);
      await turn();
    }
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Happening;
      if (!isBefore(happening, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      const left = heap[below];
      const right = heap[below + 1];
      if (!left) break;
      if (right && isBefore(right, left)) below += 1;
      const least = heap[below] as Happening;
      if (!isBefore(least, last)) break;
      heap[at] = least;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
