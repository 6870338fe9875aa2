/** Web Locks of one browser, for one name: whoever asks first has it first. */

import type { Locks } from "../../web/client/src/edges.js";

interface Request {
  readonly owner: object;
  readonly grant: () => void;
}

export class LockManager {
  #held: Request | undefined;
  #waiting: Request[] = [];

  /** The locks as the tab `owner` sees them. `soon` runs something in that tab a moment later. */
  for(owner: object, soon: (work: () => void) => void): Locks {
    return {
      request: <T>(
        _name: string,
        { signal }: { signal: AbortSignal },
        callback: () => Promise<T>,
      ): Promise<T> =>
        new Promise((resolve, reject) => {
          const grant = () => {
            const release = () => this.#release(request);
            void callback().then(resolve, reject).finally(release);
          };
          const request: Request = { owner, grant: () => soon(grant) };
          signal.addEventListener("abort", () => {
            if (!this.#waiting.includes(request)) return;
            this.#waiting = this.#waiting.filter((waiting) => waiting !== request);
            reject(new DOMException("aborted", "AbortError"));
          });
          this.#waiting.push(request);
          this.#next();
        }),
    };
  }

  /** The tab is gone, and with it what it held. */
  gone(owner: object): void {
    this.#waiting = this.#waiting.filter((request) => request.owner !== owner);
    if (this.#held?.owner === owner) this.#release(this.#held);
  }

  #release(request: Request): void {
    if (this.#held !== request) return;
    this.#held = undefined;
    this.#next();
  }

  #next(): void {
    if (this.#held) return;
    this.#held = this.#waiting.shift();
    this.#held?.grant();
  }
}
