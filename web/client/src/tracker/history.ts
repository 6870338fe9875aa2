/** The sign-outs that this browser remembers, each once, and the one that a tab has yet to explain. */

import { type LogoutRecord, RECORDS_MAX, washed, washedList } from "./record.js";
import type { Values } from "./store.js";

const HISTORY = "logout_history";
const LAST_REASON = "last_logout_reason";
const MINUTE_MS = 60_000;

/** What the reports have to become after a sign-out was added. */
export type Change = (waiting: LogoutRecord[]) => LogoutRecord[];

export interface History {
  /** Newest first. */
  list(): LogoutRecord[];
  last(): LogoutRecord | null;
  forgetLast(): void;
  /** Adds a sign-out, or what is new about a known one. Undefined if another tab has told it all. */
  add(record: LogoutRecord): Change | undefined;
}

export function historyIn(browser: Values, tab: Values): History {
  const list = () => washedList(browser.read(HISTORY));
  return {
    list,
    last: () => washed(tab.read(LAST_REASON)) ?? null,
    forgetLast: () => tab.write(LAST_REASON, null),
    add(fresh) {
      const past = list();
      const isSame = (other: LogoutRecord) => isSameSignOut(fresh, other);
      const known = past.find(isSame);
      // Of two accounts of the client the first stays: this tab only has something to show.
      const kept = !known ? fresh : known.reason && fresh.reason ? known : joined(known, fresh);
      tab.write(LAST_REASON, kept);
      if (kept === known) return undefined;
      const updated = (records: LogoutRecord[]) => records.map((other) => (isSame(other) ? kept : other));
      browser.write(HISTORY, known ? updated(past) : [kept, ...past].slice(0, RECORDS_MAX));
      return known ? updated : (waiting) => [...waiting, kept];
    },
  };
}

/** A session ends once. What an app says about it by itself belongs to the end that is less than a minute away. */
function isSameSignOut(one: LogoutRecord, other: LogoutRecord): boolean {
  if (!one.session || one.session !== other.session) return false;
  return !!(one.reason && other.reason) || Math.abs(one.timestamp - other.timestamp) < MINUTE_MS;
}

/** Of the client's account and the app's one record: the client knows the cause, the app has the words. */
function joined(known: LogoutRecord, fresh: LogoutRecord): LogoutRecord {
  const [cause, words] = known.reason ? [known, fresh] : [fresh, known];
  const context = { ...cause.context, ...words.context, ...cause.context };
  // An app that signs out by itself knows better than the client that it was not the person.
  const isTold = cause.type === "USER_ACTION" && words.type !== "UNKNOWN";
  const { type } = isTold ? words : cause;
  // The first to tell was nearer to it.
  const { evidence } = known;
  return washed({ ...cause, type, message: words.message, context, evidence }) ?? fresh;
}
