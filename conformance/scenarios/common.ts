/** What many scenarios begin and end with. */

import type { Step, Then } from "../vocabulary.js";

export const ADA: Step = { signIn: "ada" };
export const PROFILE = { call: "/api/v1/auth/profile" } as const;
export const REFRESH: Step = { refresh: "one tab" };
/** A client does not throw away a token of the last seconds, so what it does about an answer is seen a little later. */
export const LATER: Step = { wait: "1m" };
export const REFRESH_PATH = "/api/v1/auth/refresh";

/** Nothing has happened to the session. */
export const ALIVE = { client: "live", row: "alive", receipt: null } satisfies Partial<Then>;

/** Nothing at all, not even a refresh. */
export const UNTOUCHED = { ...ALIVE, row: "alive, generation 1", refreshes: 0 } satisfies Partial<Then>;

/** The client cannot reach whoever could say how it is, and goes on trying. */
export const WAITING = { client: "reconnecting", row: "alive", receipt: null } satisfies Partial<Then>;

/** A problem in our shape, for an answer that somebody else gives. */
export const problem = (status: number, code: string, problemClass: string) => ({
  status,
  type: "application/problem+json",
  body: JSON.stringify({ type: "about:blank", title: code, status, code, class: problemClass }),
});
