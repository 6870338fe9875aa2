/** Randomness that follows from a seed, so that a run can be had again. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  }

  /** From 0 up to 1. A Weyl sequence through a mixer (the finaliser of MurmurHash3). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 0x1_0000_0000;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** A whole number from `least` to `most` of which the small ones are as likely as the large ones are in sum. */
  spread(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.next());
  }

  chance(part: number): boolean {
    return this.next() < part;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)] as T;
  }

  /** Another sequence, so that what draws from it does not disturb what draws from this one. */
  fork(): Random {
    return new Random(this.between(0, 0xffff_ffff));
  }
}
