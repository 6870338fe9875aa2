/** What the tracker touches outside itself, and what it takes where nothing else is given. */

import type { KeyValueStore, Locks } from "../edges.js";
import { browserRequests } from "./evidence.js";

/** `at` is as `monotonicNow` tells. */
export type RequestFailed = (failure: { status: number; path: string; at: number; isOurs?: boolean }) => void;

export interface TrackerEdges {
  fetch(input: string, init: RequestInit): Promise<Response>;
  /** Queues a request that outlives the page; false if the browser refuses. */
  sendBeacon(url: string, body: string): boolean;
  /** Whether a `fetch` with `keepalive` outlives the page as well. */
  keepalive(): boolean;
  localStorage: KeyValueStore | undefined;
  sessionStorage: KeyValueStore | undefined;
  locks: Locks | undefined;
  /** This device's wall clock, Unix milliseconds. */
  now(): number;
  /** A number from 0 up to 1. */
  random(): number;
  setTimeout(work: () => void, ms: number): unknown;
  /** False only where the browser is sure to be offline. */
  online(): boolean;
  /** Milliseconds since the page was loaded; never set. */
  monotonicNow(): number;
  /** Tells of requests that failed, until the signal. Returns how to hear of the last ones at once. */
  watchRequests(failed: RequestFailed, signal: AbortSignal): (() => void) | undefined;
  /** The path of the page, without query and fragment. */
  path(): string;
  /** Where the person's activity, `online` and `pagehide` are heard; undefined on a server. */
  window: EventTarget | undefined;
  document: (EventTarget & { readonly visibilityState: DocumentVisibilityState }) | undefined;
}

export function browserEdges(): TrackerEdges {
  // Some platforms without pages have a `window` all the same.
  const page = typeof document === "undefined" ? undefined : window;
  return {
    fetch: (input, init) => fetch(input, init),
    sendBeacon: (url, body) => navigator.sendBeacon(url, body),
    keepalive: () => "keepalive" in Request.prototype,
    localStorage: allowed(() => page?.localStorage),
    sessionStorage: allowed(() => page?.sessionStorage),
    locks: allowed(() => page?.navigator.locks),
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (work, ms) => setTimeout(work, ms),
    online: () => navigator.onLine !== false,
    monotonicNow: () => performance.now(),
    watchRequests: (failed, signal) => (page ? browserRequests(failed, signal) : undefined),
    path: () => location.pathname,
    window: page,
    document: page?.document,
  };
}

/** A browser that denies storage throws as soon as it is asked for it. */
function allowed<T>(ask: () => T | undefined): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
