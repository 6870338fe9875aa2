/** Reports on their way to the server: kept until an answer comes, sent without ever standing in the way of anything. */

import type { TrackerEdges } from "./edges.js";
import type { Change } from "./history.js";
import { type LogoutRecord, RECORDS_MAX, washedList } from "./record.js";
import type { Values } from "./store.js";

/** What writes the reports. */
export const CLIENT = "@tenure/client 0.1.0";

/** A report that no server has answered for so long is given up. */
const KEPT_MS = 7 * 24 * 3_600_000;
const SPREAD_MS = 500;
/** By then a browser has told all tabs what one of them has stored. */
const SETTLE_MS = 200;
/** Of a report, as the server takes them. */
const BYTES_MAX = 4096;
const GIVE_UP_MS = 10_000;

export interface Outbox {
  /** Changes what waits, and sends it soon. */
  change(change: Change): void;
  /** Sends what waits. */
  send(): Promise<void>;
  /** Hands what waits to the browser, which sends it when the page is gone. */
  leave(): void;
}

/**
 * The queue is one value that the tabs share. A report is taken out before it is sent: if the page dies meanwhile it
 * may be lost, but none is sent twice by two tabs. It comes back only if no server answered. `finished` adds what
 * became known since it was written, and `tokenFor` has the access token of its session, if this page had it: what comes
 * without is a claim that anybody could make.
 */
export function outboxOf(
  url: string,
  edges: TrackerEdges,
  values: Values,
  signal: AbortSignal,
  finished: (record: LogoutRecord) => LogoutRecord,
  tokenFor: (record: LogoutRecord) => string | undefined,
): Outbox {
  const key = `tenure:logout-reports:${url}`;
  const read = () =>
    washedList(values.read(key)).filter(({ timestamp }) => edges.now() - timestamp < KEPT_MS);
  const write = (records: LogoutRecord[]) =>
    values.write(key, records.length ? records.slice(-RECORDS_MAX) : null);

  function take(): LogoutRecord[] {
    const records = edges.online() ? read() : [];
    if (records.length) write([]);
    return records.map(finished);
  }

  function putBack(records: LogoutRecord[]): void {
    if (records.length) write([...records, ...read()]);
  }

  async function sendAll(): Promise<void> {
    const records = take();
    await Promise.all(records.map(deliver));
  }

  async function deliver(record: LogoutRecord): Promise<void> {
    if (!(await answered(edges, url, record, tokenFor(record)))) putBack([record]);
  }

  /** Whether a page that goes away may still send it with its token: elsewhere a header needs a preflight first. */
  const outlives = (record: LogoutRecord) => url.startsWith("/") && edges.keepalive() && !!tokenFor(record);

  /** Of several tabs that saw one sign-out the first to hold the lock sends; the others then find nothing to do. */
  async function sendAlone(): Promise<void> {
    if (!read().length) return;
    try {
      if (edges.locks) return await edges.locks.request(key, { signal }, sendAll);
    } catch {
      // Denied: two tabs may then send the same, which the server bears.
    }
    return sendAll();
  }

  return {
    change(change) {
      write(change(read()));
      // Tabs send at different moments, so that without locks too one of them is the first.
      edges.setTimeout(sendAlone, SETTLE_MS + edges.random() * SPREAD_MS);
    },
    send: sendAlone,
    leave() {
      for (const record of take()) {
        if (outlives(record)) void deliver(record);
        else if (!beaconed(edges, url, record)) putBack([record]);
      }
    },
  };
}

/** Whether a server has taken the report, or never will. A captive portal's page and a proxy's 502 are no answers. */
async function answered(
  edges: TrackerEdges,
  url: string,
  record: LogoutRecord,
  token: string | undefined,
): Promise<boolean> {
  try {
    const { status } = await edges.fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
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

/** What is too long for the server goes without its least part. */
function bodyOf(record: LogoutRecord): string {
  const { evidence, ...rest } = record;
  const whole = JSON.stringify({ ...record, client: CLIENT });
  return new TextEncoder().encode(whole).length <= BYTES_MAX
    ? whole
    : JSON.stringify({ ...rest, client: CLIENT });
}
