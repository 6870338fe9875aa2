/** The clients of this page, for what finds them by itself: `monitor/auto` and no other. */

import type { Client } from "./types.js";

/** Is told of a client; may return what to do when the client is disposed of. */
type Watcher = (client: Client) => (() => void) | undefined;

const watchers = new Set<Watcher>();
/** One for each client: introduces a watcher to it. */
const introductions = new Set<(watch: Watcher) => void>();

/** Makes a client known to the watchers of this page, now and later. Returns how to forget it. */
export function registerClient(client: Client): () => void {
  const left: (() => void)[] = [];
  const introduce = (watch: Watcher) => left.push(watch(client) ?? (() => {}));
  introductions.add(introduce);
  watchers.forEach(introduce);
  return () => {
    introductions.delete(introduce);
    for (const leave of left) leave();
  };
}

/** Calls `watch` for every client that is registered now or later. Returns how to stop hearing of new ones. */
export function watchClients(watch: Watcher): () => void {
  watchers.add(watch);
  for (const introduce of introductions) introduce(watch);
  return () => watchers.delete(watch);
}
