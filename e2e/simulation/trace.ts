/** What happened, line by line, for people who replay a seed. */

import { DAY, type Timeline } from "./timeline.js";

export class Trace {
  readonly lines: string[] = [];

  constructor(
    private readonly timeline: Timeline,
    private readonly start: number,
  ) {}

  say(text: string): void {
    this.lines.push(`${this.#time()}  ${text}`);
  }

  last(count: number): string {
    return this.lines.slice(-count).join("\n");
  }

  /** Since sign-in, as in `day 3 14:05:07.123`. */
  #time(): string {
    const ms = this.timeline.now - this.start;
    const day = Math.floor(ms / DAY);
    const inDay = new Date(ms - day * DAY).toISOString().slice(11, 23);
    return `day ${String(day).padStart(2)} ${inDay}`;
  }
}
