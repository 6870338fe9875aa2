/**
 * What was true just before a sign-out that the client knows nothing of: the last request that failed, the last error.
 * It tells one mistake of an app from another. Nothing is patched: browsers tell of requests and errors by themselves.
 */

import type { AuthState, Client } from "../types.js";
import type { RequestFailed, TrackerEdges } from "./edges.js";

/** What a report says of the moment of a sign-out. Spans are milliseconds. */
export interface LogoutEvidence {
  /** The last request of the page that failed. */
  readonly answer?: {
    /** 0: no answer came. */
    readonly status: number;
    readonly code?: string;
    readonly path?: string;
    /** Whether the answer was a problem of the server; absent where that could not be seen. */
    readonly isOurs?: boolean;
    readonly agoMs: number;
  };
  /** The last error that no script had caught. */
  readonly error?: { readonly message: string; readonly agoMs: number };
  /** How long the access token had to live, by the server's clock; negative if it had expired. */
  readonly accessLeftMs?: number;
  /** This device's clock less the server's. */
  readonly clockAheadMs?: number;
  readonly pageAgeMs?: number;
  readonly tokensFromTabs?: number;
}

export interface Witness {
  /** Hears of trouble with a refresh. */
  heard(state: AuthState): void;
  /** The last failed request and error, with their age. */
  lately(): Pick<LogoutEvidence, "answer" | "error">;
  /** The same of the last time it was asked, with what browsers told only later. */
  again(): Pick<LogoutEvidence, "answer" | "error">;
}

/** A moment as both clocks have it: the monotonic one may stand still while the device sleeps, the other may be set. */
interface Moment {
  readonly at: number;
  readonly wall: number;
}

/** Told in parts: the browser knows path and status, and the client the code of a refusal. */
type Failure = Moment & { status: number; code?: string; path?: string; isOurs?: boolean };

const OWN = "/api/v1/auth/";
/** Two tellings of one status that are no farther apart are of one request. */
const SAME_MS = 1000;

export function watchFailures(
  client: Partial<Pick<Client, "onRefusal">>,
  edges: TrackerEdges,
  signal: AbortSignal,
): Witness {
  let failure: Failure | undefined;
  let error: (Moment & { message: string }) | undefined;
  let asked = moment();

  function moment(): Moment {
    return { at: edges.monotonicNow(), wall: edges.now() };
  }

  function failed(told: Omit<Failure, "wall">): void {
    const fresh: Failure = { ...told, wall: edges.now() };
    if (failure && fresh.at < failure.at - SAME_MS) return;
    const isSame = failure?.status === fresh.status && Math.abs(fresh.at - failure.at) < SAME_MS;
    // Of two requests one after the other the later counts.
    const isOther = fresh.path && failure?.path && fresh.path !== failure.path;
    failure =
      failure && isSame && !isOther
        ? { ...failure, ...fresh, at: Math.min(fresh.at, failure.at), wall: failure.wall }
        : fresh;
  }

  const requests = edges.watchRequests(failed, signal);
  const refused = client.onRefusal?.(({ status, code }) =>
    failed({ status, code, isOurs: true, at: edges.monotonicNow() }),
  );
  if (refused) signal.addEventListener("abort", refused);
  const caught = (message: unknown) => {
    error = { message: String(message), ...moment() };
  };
  // Before handlers of the app, which may sign out.
  const first = { capture: true, signal };
  edges.window?.addEventListener("error", (event) => caught((event as ErrorEvent).message), first);
  edges.window?.addEventListener(
    "unhandledrejection",
    ({ reason }: Event & { reason?: { message?: unknown } }) => caught(reason?.message ?? reason),
    first,
  );

  function before({ at, wall }: Moment): Pick<LogoutEvidence, "answer" | "error"> {
    requests?.();
    const age = (then: Moment) => Math.max(0, Math.round(Math.max(at - then.at, wall - then.wall)));
    // What failed afterwards may be its consequence: a page that is left gives its requests up.
    return {
      ...(failure && failure.at <= at && { answer: { ...failure, agoMs: age(failure) } }),
      ...(error && error.at <= at && { error: { ...error, agoMs: age(error) } }),
    };
  }

  return {
    heard(state) {
      const trouble = state.status !== "signedOut" && state.trouble;
      if (!trouble) return;
      const { status, code } = trouble.error;
      failed({
        status,
        code,
        path: `${OWN}refresh`,
        isOurs: code !== "foreign_answer" && status > 0,
        at: edges.monotonicNow(),
      });
    },
    lately() {
      asked = moment();
      return before(asked);
    },
    again: () => before(asked),
  };
}

/** Requests of the page's own scripts that failed, as the browser tells of them. Returns how to hear at once. */
export function browserRequests(failed: RequestFailed, signal: AbortSignal): (() => void) | undefined {
  if (typeof PerformanceObserver === "undefined") return undefined;
  const judge = (entries: PerformanceEntryList) => {
    for (const entry of entries as (PerformanceResourceTiming & { contentType?: string })[]) {
      const { responseStatus: status, initiatorType, name, contentType } = entry;
      if (!/^(fetch|xmlhttprequest)$/.test(initiatorType) || status === undefined) continue;
      const { origin, pathname: path } = new URL(name, location.href);
      // Browsers do not tell of other origins what is not ours to know, nor why a request of ours was given up.
      if (origin !== location.origin || (status > 0 && status < 400)) continue;
      // The client's own, which gives some of them up on purpose and tells what it makes of them by its state.
      if (path.startsWith(OWN)) continue;
      const at = entry.responseStart || entry.responseEnd;
      failed({
        status,
        path,
        at,
        ...(contentType && { isOurs: contentType === "application/problem+json" }),
      });
    }
  };
  try {
    const observer = new PerformanceObserver((list) => judge(list.getEntries()));
    observer.observe({ type: "resource" });
    signal.addEventListener("abort", () => observer.disconnect());
    return () => judge(observer.takeRecords());
  } catch {
    return undefined;
  }
}
