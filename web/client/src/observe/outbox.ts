/** What has been seen, on its way to the server: in batches, bounded, and lost rather than in anybody's way. */

import { type PlainStorage, readJson } from "./profile.js";
import { quietly } from "./requests.js";

/** One thing that was seen. Which members it has depends on its kind; a member that is undefined is not sent. */
export interface Sight {
  readonly kind: "page" | "sign_in" | "refresh" | "failure" | "sign_out";
  /** Unix milliseconds, by this device's clock. */
  readonly at: number;
  [member: string]: string | number | undefined;
}

interface Batch {
  readonly profile: string;
  readonly page: string;
  readonly release?: string;
  readonly seen: readonly Sight[];
}

export interface Outbox {
  add(sight: Sight): void;
  /** Sends what waits: now, because the page goes away or something happened that is worth telling. */
  flush(): void;
  /** Sends what an earlier page could not. */
  resend(): void;
}

const WAIT_MS = 2000;
/** The server takes 50 at once, and 16 KiB with what is said of the page. */
const AT_ONCE = 30;
const CHARS_MAX = 14_000;
const WAITING_MAX = 90;
/** What no server was reached for, as batches. */
const KEPT = "tenure:observed-kept";
const KEPT_MAX = 5;

export function outboxOf(
  url: string,
  head: Omit<Batch, "seen">,
  /** Draws the number of a sight, which no other of its page has. */
  number: () => number,
  fetcher: typeof fetch,
  storage: PlainStorage,
  signal: AbortSignal,
): Outbox {
  let waiting: Sight[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function send(batch: Batch): void {
    // Written now: the server counts back from it, by its own clock.
    const body = JSON.stringify({ ...batch, sentAt: Date.now() });
    try {
      // A text without CORS needs no preflight, for which a page that goes away has no time; nobody reads the answer.
      void fetcher(url, {
        method: "POST",
        body,
        mode: "no-cors",
        keepalive: true,
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "strict-origin",
      }).catch(() => keep(batch));
    } catch {
      keep(batch);
    }
  }

  const kept = () => {
    const { batches } = readJson(storage.get(KEPT)) as { batches?: unknown };
    return Array.isArray(batches) ? (batches as Batch[]) : [];
  };
  const keep = (batch: Batch) =>
    storage.set(KEPT, JSON.stringify({ batches: [...kept(), batch].slice(-KEPT_MAX) }));

  /** As many as go into one batch, in the order in which they were seen. All that is in them is ASCII. */
  function next(): Sight[] {
    let chars = 0;
    const fit = waiting.slice(0, AT_ONCE).findIndex((sight, i) => {
      chars += JSON.stringify(sight).length + 1;
      return i > 0 && chars > CHARS_MAX;
    });
    return waiting.splice(0, fit < 0 ? AT_ONCE : fit);
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    while (waiting.length) {
      const batch = { ...head, seen: next() };
      if (navigator.onLine === false) keep(batch);
      else send(batch);
    }
  }

  return {
    add(sight) {
      // What was under way as the observer was stopped still ends.
      if (signal.aborted) return;
      // The object itself: what is known of it only later is added to it until it is sent.
      waiting.push(Object.assign(sight, { seq: number() }));
      waiting = waiting.slice(-WAITING_MAX);
      timer ??= setTimeout(() => void quietly(flush), WAIT_MS);
    },
    flush,
    resend() {
      const batches = kept();
      if (!batches.length || navigator.onLine === false) return;
      storage.remove(KEPT);
      batches.forEach(send);
    },
  };
}
