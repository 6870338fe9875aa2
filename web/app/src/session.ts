/** The client that every page makes once. */

import { type Client, createClient, type Edges } from "@tenure/client";
import { createTracker, type Tracker } from "@tenure/client/tracker";
import { basePath } from "./return-target.js";

/** English as the person's browser is set to write its dates. */
export const locale = /^en\b/.test(navigator.language) ? navigator.language : "en";

export function openSession(edges: Partial<Edges> = {}): { client: Client; tracker: Tracker } {
  const client = createClient({ baseUrl: basePath(location.href), edges });
  return { client, tracker: createTracker(client) };
}
