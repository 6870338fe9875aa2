/** What this browser keeps between page loads. Nothing in here is secret, and all of it may be lost or denied. */

import type { Edges, KeyValueStore } from "./edges.js";

/**
 * - `session`: the session that this browser believes in: its id, which opens nothing, and when it ends.
 * - `out`: the latest end that a tab has told the others of.
 * - `leaving`: the session whose sign-out the server has yet to hear of; empty where its id is not known.
 * - `device`: a random label of this browser profile, so that a new sign-in replaces the profile's earlier one.
 * - `exchange`: the attempt at trading what another system left here that is under way, or that it is over.
 */
export type Kept = "session" | "out" | "leaving" | "device" | "exchange";

export class Memory {
  readonly #prefix: string;
  /** Used where the browser denies storage: it then lasts as long as the page. */
  readonly #fallback = new Map<string, string>();
  readonly #storage: KeyValueStore | undefined;

  constructor(
    baseUrl: string,
    private readonly edges: Pick<Edges, "storage" | "randomId">,
  ) {
    this.#prefix = baseUrl ? `tenure:${baseUrl}:` : "tenure:";
    this.#storage = edges.storage;
  }

  /** The label of this browser profile, made up at its first use. */
  get deviceId(): string {
    const known = this.read("device") ?? this.edges.randomId();
    this.write("device", known);
    return known;
  }

  keyOf(name: string): string {
    return this.#prefix + name;
  }

  read(name: Kept): string | undefined {
    const key = this.keyOf(name);
    try {
      const stored = this.#storage?.getItem(key);
      if (typeof stored === "string") return stored;
    } catch {
      // Denied: what this page wrote itself is still there.
    }
    return this.#fallback.get(key);
  }

  write(name: Kept, value: string | undefined): void {
    const key = this.keyOf(name);
    // The page has it until the storage shows that it keeps it.
    if (value === undefined) this.#fallback.delete(key);
    else this.#fallback.set(key, value);
    try {
      // What is there goes first: of a storage that is full nobody shall read what was before.
      this.#storage?.removeItem(key);
      if (value !== undefined) this.#storage?.setItem(key, value);
      if (this.#storage?.getItem(key) === value) this.#fallback.delete(key);
    } catch {
      // Denied or full.
    }
  }

  /** Whether storage keeps everything: nothing had to stay in the page's memory. */
  get works(): boolean {
    return this.#fallback.size === 0;
  }
}

/** Keys under which other systems leave tokens in localStorage; see the `migrate` option. */
export const LEGACY_KEYS: readonly string[] = [
  "access_token",
  "refresh_token",
  "id_token",
  "token",
  "jwt",
  "access",
  "refresh",
  "accessToken",
  "refreshToken",
  "authToken",
  "auth-storage",
];

/** Removes keys that another system left behind. A denied storage holds nothing to remove. */
export function removeKeys(storage: KeyValueStore | undefined, keys: readonly string[]): void {
  try {
    for (const key of keys) storage?.removeItem(key);
  } catch {
    // Denied.
  }
}
