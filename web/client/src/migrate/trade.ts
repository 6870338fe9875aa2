/** What is the same for all that can be traded: when it is, what becomes of the answer, and when it is over. */

import type { ErrorCode } from "../api.gen.js";
import type { Edges } from "../edges.js";
import { Memory } from "../memory.js";
import { type ClientCode, ProblemError } from "../problem.js";
import { failure, foreign } from "../transport.js";
import type { AuthState, Migration, Result, SignedOutReason } from "../types.js";

/** What another system left in this browser. */
export interface Left {
  /**
   * What is sent to be traded; undefined if there is nothing, or not now, and an error if that cannot be told yet. Once
   * `signal` is aborted nobody waits for it.
   */
  find(signal: AbortSignal): Promise<Result<object> | undefined>;
  /** It is of no use any more. */
  forget(): void;
  /** It is left alone while somebody is signed in. */
  readonly isKept?: boolean;
  /** It cannot be forgotten, so that this browser has to remember that it is over. */
  readonly stays?: boolean;
}

/**
 * The answers that settle it. `over`: it will never be taken, and is removed. `kept`: not now, so that nobody is signed
 * in, and the next page asks again. Every other answer says nothing and is waited out, as that to a refresh is.
 */
export const SETTLES: Readonly<Partial<Record<ErrorCode | ClientCode, "over" | "kept">>> = {
  exchange_used: "over",
  exchange_expired: "over",
  // As everybody's is while the server has been given another key than theirs by mistake.
  exchange_invalid: "kept",
  exchange_closed: "kept",
  exchange_unknown_user: "kept",
  // Whoever is disabled, as they would be told if they signed in.
  permission_denied: "kept",
};

const EXCHANGE = "/api/v1/auth/exchange";
/** A refusal is heard twice before it counts: another tab's session may just be arriving in the jar. */
const ASK_AGAIN_MS = 2000;

/** Where nobody has acted, what another system left may still be good, or is forgotten already. */
const NOBODY_ACTED: readonly SignedOutReason[] = ["never_signed_in", "cookie_missing", "not_carried_over"];

/** Stands where an attempt would, in a browser in which it is over: somebody has signed in here, or out. */
const OVER = "over";

export function migration(open: (edges: Edges) => Left): Migration {
  return {
    begin(client, edges) {
      const left = open(edges);
      const memory = new Memory(client.baseUrl, edges);
      client.onAuthStateChange((event, state) => {
        const isIn = state.status === "signedIn";
        if (!/^(SIGNED|USER)/.test(event) || !(isIn || isOut(state))) return;
        // Pages of the old app may still be open and go by their keys, also to renew and write them again. They are left
        // alone, but what they write looks like a new sign-in, and may be that of somebody who was here before: from now on
        // whoever comes here signs in here.
        memory.write("exchange", OVER);
        if (!(isIn && left.isKept)) left.forget();
      });
      let isRevoked = false;
      let isDoubted = false;
      return async (error, send, signal) => {
        // An end that somebody meant is followed by the loss of the cookie, which alone would be a reason to trade.
        isRevoked ||= error.code === "session_revoked";
        const isFree =
          !isRevoked && client.getState().status === "unknown" && memory.read("exchange") !== OVER;
        if (!isFree || error.code !== "no_session" || error.status !== 401) return undefined;
        const found = await left.find(signal);
        if (!found) return undefined;
        // By it the server knows its own answer again that was lost on the way, in whichever tab and after a crash.
        const attempt = memory.read("exchange") ?? attemptId();
        memory.write("exchange", attempt);
        const json = { ...found.data, attempt, device_id: memory.deviceId };
        const answer = found.error ? found : await send({ method: "POST", path: EXCHANGE, json });
        if (!answer.error) return answer;
        const { code, problemClass, status, message, details } = answer.error;
        const settled = SETTLES[code];
        if (settled === "kept") return undefined;
        // No answer to an exchange is about a session, whatever it says.
        if (!settled) return problemClass === "authentication" ? failure(foreign(status)) : answer;
        isDoubted = !isDoubted;
        if (isDoubted) {
          const again = { ...details, retryAfterMs: ASK_AGAIN_MS };
          return failure(new ProblemError(code, "transport", status, message, again));
        }
        left.forget();
        memory.write("exchange", left.stays ? OVER : undefined);
        return failure(refused(error));
      };
    },
  };
}

/** Nobody who has come by the token alone may guess it. */
const attemptId = (): string =>
  [...crypto.getRandomValues(new Uint8Array(20))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Whoever signs out, or is signed out, is not to come back by it. */
const isOut = (state: AuthState): boolean =>
  state.status === "signedOut" && !NOBODY_ACTED.includes(state.reason);

/** What the server said of the refresh stands, with the reason why nothing makes up for it. */
function refused({ code, problemClass, status, message, details }: ProblemError): ProblemError {
  return new ProblemError(code, problemClass, status, message, { ...details, reason: "not_carried_over" });
}
