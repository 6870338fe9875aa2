/** What `onAuthStateChange` has said, with the time. */

import type { AuthEvent, AuthState, Client } from "@tenure/client";

export interface Entry {
  readonly id: number;
  /** Unix milliseconds, by the clock of this device. */
  readonly at: number;
  readonly event: AuthEvent;
  readonly detail: string;
}

const ENTRIES_MAX = 40;

export class EventLog {
  #entries: readonly Entry[] = [];
  #lastId = 0;
  #tokenAt = 0;
  /** How often this tab was signed out. */
  signOuts = 0;
  readonly #listeners = new Set<() => void>();

  constructor(client: Pick<Client, "onAuthStateChange">) {
    client.onAuthStateChange((event, state) => this.#add(event, state));
  }

  /** Newest first; the same array until there is something new. */
  readonly entries = (): readonly Entry[] => this.#entries;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** How old the access token is, in milliseconds. */
  get tokenAgeMs(): number {
    return Date.now() - this.#tokenAt;
  }

  #add(event: AuthEvent, state: AuthState): void {
    const at = Date.now();
    if (event === "SIGNED_OUT") this.signOuts += 1;
    if (event === "SIGNED_IN" || event === "TOKEN_REFRESHED") this.#tokenAt = at;
    this.#lastId += 1;
    this.#entries = [{ id: this.#lastId, at, event, detail: detailOf(state) }, ...this.#entries].slice(
      0,
      ENTRIES_MAX,
    );
    for (const listener of this.#listeners) listener();
  }
}

function detailOf(state: AuthState): string {
  if (state.status === "signedOut") return `signed out: ${state.reason}`;
  if (state.trouble) return `${state.trouble.error.code}, attempt ${state.trouble.failures}`;
  return state.status === "signedIn" ? `${state.user.email}, ${state.freshness}` : "nothing known yet";
}
