/** `@tenure/client/migrate`: who is signed in by another system stays signed in when the app comes to Tenure. */

import type { Edges, KeyValueStore } from "../edges.js";
import { isRecord, ProblemError, problemIn } from "../problem.js";
import { done, failure, GIVE_UP_MS, unreachable } from "../transport.js";
import type { Migration, Result } from "../types.js";
import { migration, SETTLES } from "./trade.js";

export type { Migration } from "../types.js";

/** Where djangorestframework-simplejwt's refresh token lies in this browser. */
export type SimpleJwtOptions = {
  /** Keys of the same system, such as that of its access token, which are removed together with the refresh token. */
  readonly remove?: readonly string[];
  /**
   * The keys stay while somebody is signed in, for pages of the old app that are still open, and for a way back to it. They
   * go when somebody signs out, or is signed out.
   */
  readonly keepUntilSignOut?: boolean;
  /** Where the keys are looked for: localStorage and sessionStorage, unless others are named. */
  readonly stores?: readonly (KeyValueStore | undefined)[];
} & (
  | {
      /** The key of the refresh token: the token itself, or the token as JSON. */
      readonly refreshKey: string;
    }
  | {
      /** Reads a refresh token that lies elsewhere, as in a cookie or within a stored object. */
      readonly read: () => string | null | undefined;
      /** Removes it, at the same moments as a key would be. */
      readonly forget: () => void;
    }
);

/**
 * Trades a refresh token of simplejwt for a session, at the first page where the server knows of no session.
 *
 * The keys are removed once somebody is signed in, when they sign out, and when the server will never take the token again;
 * never because of the network, or of an error. Where the server does not take it, or not yet, they stay for the next page.
 *
 * Each browser trades once: where somebody has been signed in, keys that a page of the old app writes after that do not count.
 */
export function fromSimpleJwt(options: SimpleJwtOptions): Migration {
  return migration((edges) => {
    const stores = options.stores ?? [edges.storage, sessionStore()];
    const keys = [...("refreshKey" in options ? [options.refreshKey] : []), ...(options.remove ?? [])];
    const read = (): unknown => {
      if ("read" in options) return options.read();
      for (const store of stores) {
        const text = quietly(() => store?.getItem(options.refreshKey));
        if (text) return text;
      }
      return undefined;
    };
    return {
      isKept: !!options.keepUntilSignOut,
      async find() {
        const token = tokenIn(quietly(read));
        return token ? done({ kind: "simplejwt", token }) : undefined;
      },
      forget() {
        for (const store of stores) for (const key of keys) quietly(() => store?.removeItem(key));
        if ("forget" in options) quietly(options.forget);
      },
    };
  });
}

/** How long whoever cannot be asked for a ticket is asked again. A deploy is over by then. */
const PATIENCE_MS = 3 * 60_000;

/**
 * Trades a ticket, with which a back end vouches for whoever is signed in there, for a session. `ask` gets the ticket: the
 * back end answers `{ "ticket": "tnx1_..." }`, and 401 or 403 as JSON if nobody is signed in. Where there is no such address
 * (404, 410), or nothing but other answers for three minutes, the page goes on without, and the next one asks again.
 *
 * Each browser trades once: the back end's own session stays, and does not bring back whoever has signed out here since.
 */
export function fromTicket(ask: (signal: AbortSignal) => Promise<Response>): Migration {
  return migration((edges) => {
    let failingSince: number | undefined;
    return {
      stays: true,
      forget() {},
      async find(signal) {
        const found = await ticketOf(ask, signal, edges);
        if (!found?.error || SETTLES[found.error.code]) {
          failingSince = undefined;
          return found;
        }
        failingSince ??= edges.monotonicNow();
        // What a request left behind by a sign-in comes to says nothing of the back end.
        return signal.aborted || edges.monotonicNow() - failingSince < PATIENCE_MS ? found : undefined;
      },
    };
  });
}

async function ticketOf(
  ask: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
  edges: Edges,
): Promise<Result<object> | undefined> {
  const giveUp = new AbortController();
  const timer = edges.setTimeout(() => giveUp.abort(), GIVE_UP_MS);
  signal.addEventListener("abort", () => giveUp.abort());
  // What ignores its signal must not hold us either.
  const late = new Promise<Result<never>>((resolve) => {
    giveUp.signal.addEventListener("abort", () => resolve(unreachable()));
  });
  // An app that throws has not answered.
  const asked = Promise.resolve(giveUp.signal).then(ask).then(ticketIn).catch(unreachable);
  const found = await Promise.race([asked, late]);
  edges.clearTimeout(timer);
  return found;
}

async function ticketIn(response: Response): Promise<Result<object> | undefined> {
  const { status, headers, ok } = response;
  const type = headers.get("content-type");
  const body: unknown = /json/.test(type ?? "") ? await response.json() : undefined;
  const problem = problemIn(status, type, body);
  // What the server says of the exchange is handed on by the back end, and counts as if it were said to us.
  if (problem && SETTLES[problem.code]) return failure(problem);
  if (body !== undefined && (status === 401 || status === 403)) return undefined;
  if (status === 404 || status === 410) return undefined;
  const ticket = ok && isRecord(body) && body.ticket;
  if (typeof ticket === "string") return done({ kind: "ticket", ticket });
  const seconds = Number(headers.get("retry-after"));
  return failure(
    new ProblemError(
      "foreign_answer",
      "transport",
      status,
      `A ticket was asked for and ${status} answered.`,
      {
        ...(seconds > 0 && { retryAfterMs: seconds * 1000 }),
      },
    ),
  );
}

/** A JWT, bare or in the quotes of JSON; undefined if it is none, and then it is not ours to trade. */
function tokenIn(value: unknown): string | undefined {
  return /^"?([\w-]+\.[\w-]+\.[\w-]+)"?$/.exec(`${value}`.trim())?.[1];
}

const sessionStore = (): KeyValueStore | undefined => quietly(() => globalThis.sessionStorage);

/** Denied is as good as nothing there. */
function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
