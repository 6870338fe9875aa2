/** Reports on their way to the server: kept until an answer comes, sent without ever standing in the way of anything. */

import type { TrackerEdges } from "./edges.js";
import { type LogoutRecord, washed } from "./record.js";
import type { Values } from "./store.js";

/** What writes the reports. */
export const CLIENT = "@tenure/client 0.1.0";

const ENTRIES_MAX = 10;
const ATTEMPTS_MAX = 3;
const SPREAD_MS = 500;
const GIVE_UP_MS = 10_000;

interface Letter {
  readonly record: LogoutRecord;
  /** Attempts that no server answered. */
  readonly attempts: number;
}

export interface Outbox {
  /** Takes a report for sending soon. */
  put(record: LogoutRecord): void;
  /** Changes a report if it still waits. */
  amend(record: LogoutRecord, isSame: (other: LogoutRecord) => boolean): void;
  /** Sends what waits. */
  send(): Promise<void>;
  /** Hands what waits to the browser, which sends it when the page is gone. */
  leave(): void;
}

/**
 * The queue is one value that the tabs share. A report is taken out before it is sent: if the page dies meanwhile it
 * may be lost, but none is sent twice by two tabs. It comes back only if no server answered.
 */
export function outboxOf(url: string, edges: TrackerEdges, values: Values): Outbox {
  const key = `tenure:logout-reports:${url}`;
  const read = () => lettersIn(values.read(key));
  const write = (letters: readonly Letter[]) =>
    values.write(key, letters.length ? letters.slice(-ENTRIES_MAX) : null);

  async function sendAll(): Promise<void> {
    const letters = read();
    if (!letters.length || !edges.online()) return;
    write([]);
    const sent = await Promise.all(letters.map(({ record }) => answered(edges, url, record)));
    const again = letters.flatMap(({ record, attempts }, i) =>
      sent[i] || attempts + 1 >= ATTEMPTS_MAX ? [] : [{ record, attempts: attempts + 1 }],
    );
    if (again.length) write([...again, ...read()]);
  }

  /** Of several tabs that saw one sign-out the first to hold the lock sends; the others then find nothing to do. */
  async function sendAlone(): Promise<void> {
    if (!read().length) return;
    try {
      if (edges.locks) {
        const { signal } = new AbortController();
        return await edges.locks.request(key, { signal }, sendAll);
      }
    } catch {
      // Denied: two tabs may then send the same, which the server bears.
    }
    return sendAll();
  }

  return {
    put(record) {
      write([...read(), { record, attempts: 0 }]);
      // Tabs send at different moments, so that without locks too one of them is the first.
      edges.setTimeout(sendAlone, edges.random() * SPREAD_MS);
    },
    amend(record, isSame) {
      const letters = read();
      if (letters.some((letter) => isSame(letter.record))) {
        write(letters.map((letter) => (isSame(letter.record) ? { ...letter, record } : letter)));
      }
    },
    send: sendAlone,
    leave() {
      if (!edges.online()) return;
      const letters = read();
      if (!letters.length) return;
      write([]);
      write(letters.filter(({ record }) => !beaconed(edges, url, record)));
    },
  };
}

/** Whether a server has taken the report, or never will. A captive portal's page and a proxy's 502 are no answers. */
async function answered(edges: TrackerEdges, url: string, record: LogoutRecord): Promise<boolean> {
  try {
    const { status } = await edges.fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: bodyOf(record),
      keepalive: true,
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(GIVE_UP_MS),
    });
    return status === 202 || (status >= 400 && status < 500);
  } catch {
    return false;
  }
}

/** A text needs no preflight, for which a page that goes away has no time. */
function beaconed(edges: TrackerEdges, url: string, record: LogoutRecord): boolean {
  try {
    return edges.sendBeacon(url, bodyOf(record));
  } catch {
    return false;
  }
}

function bodyOf(record: LogoutRecord): string {
  return JSON.stringify({ ...record, client: CLIENT });
}

function lettersIn(value: unknown): Letter[] {
  if (!Array.isArray(value)) return [];
  return value.slice(-ENTRIES_MAX).flatMap((entry: Partial<Letter> | null) => {
    const record = washed(entry?.record);
    const attempts = Number(entry?.attempts);
    return record && attempts >= 0 && attempts < ATTEMPTS_MAX ? [{ record, attempts }] : [];
  });
}
