/** The clients of this page, for what finds them by itself: `monitor/auto` and no other. */

import type { Client } from "./types.js";

/** Is told of a client; may return what to do when the client is disposed of. */
type Watcher = (client: Client) => (() => void) | undefined;

const clients = new Map<Client, (() => void)[]>();
const watchers = new Set<Watcher>();

/**
 * Makes a client known to the watchers of this page, now and later. Returns how to forget it.
 *
 * On a server there is no page to watch, and clients that nobody disposes of would pile up here, so nothing is kept.
 */
export function registerClient(client: Client): () => void {
  if (typeof window === "undefined") return () => {};
  clients.set(client, []);
  for (const watch of watchers) introduce(client, watch);
  return () => {
    const leave = clients.get(client) ?? [];
    clients.delete(client);
    for (const left of leave) left();
  };
}

/** Calls `watch` for every client that is registered now or later. Returns how to stop hearing of new ones. */
export function watchClients(watch: Watcher): () => void {
  watchers.add(watch);
  for (const client of clients.keys()) introduce(client, watch);
  return () => watchers.delete(watch);
}

function introduce(client: Client, watch: Watcher): void {
  const left = watch(client);
  if (left) clients.get(client)?.push(left);
}
