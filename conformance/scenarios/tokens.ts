/** Access tokens and refresh tokens that are expired, wrong, of another kind, or not there. */

import type { Scenario, Step, Then } from "../vocabulary.js";
import { ADA, ALIVE, LATER, PROFILE, problem, REFRESH, REFRESH_PATH, UNTOUCHED, WAITING } from "./common.js";

/** This browser cannot prove anything any more, and nobody has ended the session. */
const LOST = { client: "signed out: session_unknown", row: "alive", receipt: null } satisfies Partial<Then>;

/** The API refuses the token of the next call. */
const BAD_TOKEN: Step = { replace: "bearer", by: "one bit flipped" };

const KEEP: Step = { cookie: "kept" };

/** What another framework says, word for word. */
const NO_CREDENTIALS = '{"detail":"Authentication credentials were not provided."}';
const NOT_AUTHENTICATED = '{"detail":"User is not authenticated"}';
const json = "application/json";
/** An API that answers 403 with these words, in storms, in several tabs, and where a refresh was expected. */
function words(cause: "C21" | "C22", body: string): readonly Scenario[] {
  const denied = { status: 403, body, type: json, times: "until cleared" } as const;
  return [
    {
      id: `${cause}-1`,
      title: "exactly these words from the API are handed to the caller",
      given: [ADA, LATER, { fault: "status", at: "/api/v1/auth/profile", ...denied }],
      when: [PROFILE],
      then: { answers: ["403"], ...UNTOUCHED },
    },
    {
      id: `${cause}-2`,
      title: "these words five hundred times in four tabs, and then no more",
      given: [ADA, LATER, { open: 3 }, { fault: "status", at: "/api/v1/auth/profile", ...denied }],
      when: [{ ...PROFILE, times: 500 }, { faults: "cleared" }, PROFILE],
      then: { answers: ["403", "200"], ...UNTOUCHED },
    },
    {
      id: `${cause}-3`,
      title: "these words in answer to a refresh are trouble and no end",
      given: [ADA, { fault: "status", at: REFRESH_PATH, ...denied }],
      when: [REFRESH, { wait: "1h" }, { faults: "cleared" }, { wait: "1m" }, PROFILE],
      then: { answers: ["403 foreign_answer", "200"], ...ALIVE, cookie: "kept" },
    },
    {
      id: `${cause}-4`,
      title: "these words while a page starts: nobody is shown a sign-in page",
      given: [ADA, { fault: "status", at: REFRESH_PATH, ...denied }],
      when: [{ reload: true }, { wait: "5m" }],
      then: { answers: [], client: "unknown, in trouble", row: "alive", receipt: null, cookie: "kept" },
    },
  ];
}

export const tokens: readonly Scenario[] = [
  {
    id: "C08-1",
    title: "the clock crosses the expiry of a hundred tokens, and no call fails",
    given: [ADA],
    when: [{ every: "20m", during: "34h", do: [{ ...PROFILE, times: 3 }] }],
    then: { answers: ["200"], ...ALIVE },
  },
  {
    id: "C08-2",
    title: "offline while the token expires: the first call afterwards waits for the next one",
    given: [ADA, { network: "offline" }, { wait: "2h" }],
    when: [{ network: "fine" }, { ...PROFILE, times: 20 }],
    then: { answers: ["200"], ...ALIVE, refreshes: { atMost: 2 } },
  },
  {
    id: "C08-3",
    title: "whoever still sends the expired token is refused, and only that request is",
    given: [ADA, KEEP, { wait: "16m" }],
    when: [{ send: "GET /api/v1/auth/profile", bearer: "the kept one", times: 50 }, PROFILE],
    then: { answers: ["401 access_token_expired", "200"], ...ALIVE, refreshes: 0 },
  },
  {
    id: "C08-4",
    title: "the API finds the client's token expired: one refresh, and the calls are repeated",
    given: [ADA, KEEP, { wait: "16m" }, { replace: "bearer", by: "the kept one", times: 30 }],
    when: [{ ...PROFILE, times: 30 }],
    then: { answers: ["200"], ...ALIVE, refreshes: 1 },
  },
  {
    id: "C08-5",
    title: "a device whose clock is a day ahead",
    given: [ADA, { clockAhead: "20h" }],
    when: [{ every: "10m", during: "2h", do: [PROFILE] }],
    then: { answers: ["200"], ...ALIVE },
  },
  {
    id: "C10-1",
    title: "a bit flips on the way: another token, and the call is repeated",
    given: [ADA, LATER, { replace: "bearer", by: "one bit flipped" }],
    when: [PROFILE],
    then: { answers: ["200"], ...ALIVE, refreshes: 1 },
  },
  {
    id: "C10-2",
    title: "tokens with a flipped bit, cut in half, and without a signature",
    given: [ADA],
    when: [
      { send: "GET /api/v1/auth/profile", bearer: "one bit flipped" },
      { send: "GET /api/v1/auth/profile", bearer: "cut in half" },
      { send: "GET /api/v1/auth/profile", bearer: "without its signature" },
      { send: "GET /api/v1/auth/profile", bearer: { text: "nonsense" } },
    ],
    then: { answers: Array<string>(4).fill("401 access_token_invalid"), ...UNTOUCHED },
  },
  {
    id: "C10-3",
    title: "two hundred calls with a bad token ask for one token together",
    given: [ADA, LATER, { replace: "bearer", by: "one bit flipped", times: 200 }],
    when: [{ ...PROFILE, times: 200 }],
    then: { answers: ["200"], ...ALIVE, refreshes: 1 },
  },
  {
    id: "C10-4",
    title: "an API that finds every token bad gets no endless stream of them",
    given: [ADA, LATER, { replace: "bearer", by: "one bit flipped", times: 100_000 }],
    when: [{ ...PROFILE, times: 500 }],
    then: { answers: ["401 access_token_invalid"], ...ALIVE, refreshes: 1 },
  },
  {
    id: "C10-5",
    title: "the signing key is rotated, and tokens of the old one stand until they expire",
    given: [ADA, KEEP, { keys: "rotated" }],
    when: [
      { wait: "12m" },
      { send: "GET /api/v1/auth/profile", bearer: "the kept one" },
      PROFILE,
      { wait: "1h" },
      PROFILE,
    ],
    then: { answers: ["200", "200", "200"], ...ALIVE },
  },
  {
    id: "C10-6",
    title: "the old key is retired at once: the client gets a token of the new one",
    given: [ADA, { keys: "rotated" }, { wait: "10m" }],
    when: [
      {
        sql: "UPDATE signing_key SET retires_at = 1 WHERE created_at = (SELECT min(created_at) FROM signing_key)",
      },
      PROFILE,
    ],
    then: { answers: ["200"], ...ALIVE, refreshes: 1 },
  },
  {
    id: "C11-1",
    title: "a refresh token where an access token belongs",
    given: [ADA],
    when: [{ send: "GET /api/v1/auth/profile", bearer: "the refresh token" }, REFRESH],
    then: { answers: ["401 wrong_token_type", "200"], ...ALIVE },
  },
  {
    id: "C11-2",
    title: "an API key where only a person may come",
    given: [ADA],
    when: [
      {
        send: "GET /api/v1/auth/profile",
        bearer: { text: "tnk1_0000000000000000000000000000000000000000000000000000000000" },
      },
    ],
    then: { answers: ["401 wrong_token_type"], ...UNTOUCHED },
  },
  {
    id: "C11-3",
    title: "an access token where the refresh token belongs",
    given: [ADA],
    when: [{ send: "POST /api/v1/auth/refresh", cookie: "own, with the access token in it" }, PROFILE],
    then: { answers: ["401 session_not_found", "200"], ...ALIVE, row: "alive, generation 1" },
  },
  {
    id: "C11-4",
    title: "the client itself sends its refresh token by mistake, once",
    given: [ADA, LATER, { replace: "bearer", by: "the refresh token" }],
    when: [PROFILE],
    then: { answers: ["200"], ...ALIVE, refreshes: 1 },
  },
  {
    id: "C11-5",
    title: "a token that says of itself that it is of another type, and that nobody has signed",
    given: [ADA],
    // {"alg":"EdDSA","typ":"JWT","kid":"k"} and a signature of zeros.
    when: [
      {
        send: "GET /api/v1/auth/profile",
        bearer: { text: `eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImsifQ.e30.${"A".repeat(86)}` },
      },
    ],
    then: { answers: ["401 access_token_invalid"], ...UNTOUCHED },
  },
  {
    id: "C19-1",
    title: "the API says 401 and the cookie is gone: asked twice, then explained",
    given: [ADA, LATER, { cookie: "deleted" }, BAD_TOKEN],
    when: [PROFILE],
    then: {
      answers: ["401 access_token_invalid"],
      client: "signed out: cookie_missing",
      row: "alive",
      receipt: null,
      refreshes: 2,
    },
  },
  {
    id: "C19-2",
    title: "the API says 401 and the cookie was cut to eighty characters",
    given: [ADA, LATER, { cookie: "cut to 80 characters" }, BAD_TOKEN],
    when: [PROFILE],
    then: { answers: ["401 access_token_invalid"], ...LOST, refreshes: 2, cookie: "kept" },
  },
  {
    id: "C19-3",
    title: "the cookie is of another environment, with a key that this one does not have",
    given: [ADA, KEEP, { cookie: "under an unknown key" }],
    when: [REFRESH, { wait: "2h" }],
    then: { answers: ["503 session_unverifiable"], ...WAITING, cookie: "kept" },
  },
  {
    id: "C19-4",
    title: "and with the right cookie back, the session goes on",
    given: [ADA, KEEP, { cookie: "under an unknown key" }, REFRESH, { wait: "1h" }],
    when: [{ cookie: "put back" }, { wait: "2m" }, PROFILE],
    then: { answers: ["200"], ...ALIVE },
  },
  {
    id: "C19-5",
    title: "a bare 401 of some API is the caller's business",
    given: [
      ADA,
      { wait: "1m" },
      { fault: "status", at: "/api/v1/auth/profile", status: 401, times: "until cleared" },
    ],
    when: [{ ...PROFILE, times: 200 }],
    then: { answers: ["401"], ...UNTOUCHED },
  },
  {
    id: "C19-6",
    title: "an API that says `session_not_found` is not the one to say so",
    given: [
      ADA,
      { wait: "1m" },
      {
        fault: "status",
        at: "/api/v1/auth/profile",
        ...problem(401, "session_not_found", "authentication"),
        times: "until cleared",
      },
    ],
    when: [{ ...PROFILE, times: 50 }, { faults: "cleared" }, PROFILE],
    then: { answers: ["401 session_not_found", "200"], ...UNTOUCHED },
  },
  {
    id: "C19-7",
    title: "one hard answer that is not repeated signs nobody out",
    given: [
      ADA,
      {
        fault: "status",
        at: REFRESH_PATH,
        ...problem(401, "session_not_found", "authentication"),
      },
    ],
    when: [REFRESH, PROFILE],
    then: { answers: ["200", "200"], ...ALIVE },
  },
  ...words("C21", NO_CREDENTIALS),
  ...words("C22", NOT_AUTHENTICATED),
  {
    id: "C23-1",
    title: "a random value where the refresh token was",
    given: [ADA, { cookie: "random" }],
    when: [REFRESH],
    then: { answers: ["signed_out"], ...LOST, refreshes: 2 },
  },
  {
    id: "C23-2",
    title: "a thousand guesses from outside touch nobody's session",
    given: [ADA],
    when: [
      {
        send: "POST /api/v1/auth/refresh",
        headers: { cookie: `tenure_0badcafe=tnr1_${"A".repeat(140)}` },
        times: 1000,
      },
      PROFILE,
    ],
    then: { answers: ["401 session_not_found", "200"], ...ALIVE, row: "alive, generation 1" },
  },
  {
    id: "C23-3",
    title: "one bit of the tag is wrong: refused, and the right one is still good",
    given: [ADA, KEEP, { open: 1 }],
    when: [
      { cookie: "one bit flipped" },
      { send: "POST /api/v1/auth/refresh", cookie: "own" },
      { cookie: "put back" },
      { refresh: "every tab" },
    ],
    then: { answers: ["401 session_not_found", "200"], ...ALIVE },
  },
  {
    id: "C23-4",
    title: "the right token under another cookie's name",
    given: [ADA, { cookie: "moved to another name" }],
    when: [REFRESH],
    then: { answers: ["signed_out"], ...LOST },
  },
  {
    id: "C23-5",
    title: "without a cookie at all, from outside",
    given: [ADA],
    when: [{ send: "POST /api/v1/auth/refresh" }, { send: "DELETE /api/v1/auth/refresh" }],
    then: { answers: ["401 no_session", "204"], ...ALIVE },
  },
];
