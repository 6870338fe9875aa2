/** Networks, proxies and foreign pages: nothing of what they do says anything about a session. */

import { PASSWORD, type Scenario, type Step } from "../vocabulary.js";
import { ADA, ALIVE, LATER, PROFILE, REFRESH, REFRESH_PATH, UNTOUCHED, WAITING } from "./common.js";

const ELSEWHERE = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };

type Fault = Extract<Step, { fault: unknown }>;

/** Whatever a refresh may meet on its way, and what the app is told of it. */
const FAILURES: readonly (readonly [string, Omit<Fault, "at" | "times">, string])[] = [
  ["a bare 500", { fault: "status", status: 500 }, "500 foreign_answer"],
  [
    "a proxy's 502",
    { fault: "status", status: 502, body: "<h1>Bad Gateway</h1>", type: "text/html" },
    "502 foreign_answer",
  ],
  ["a proxy's 503", { fault: "status", status: 503 }, "503 foreign_answer"],
  ["a proxy's 504", { fault: "status", status: 504 }, "504 foreign_answer"],
  ["a proxy's 429", { fault: "status", status: 429 }, "429 foreign_answer"],
  [
    "a proxy's 401",
    { fault: "status", status: 401, body: '{"error":"unauthorized"}', type: "application/json" },
    "401 foreign_answer",
  ],
  ["a captive portal's page", { fault: "html" }, "200 foreign_answer"],
  ["an empty answer", { fault: "status", status: 200, body: "" }, "200 foreign_answer"],
  ["a connection that is reset", { fault: "reset" }, "unreachable"],
  ["answers that are lost on their way", { fault: "drop_answer" }, "unreachable"],
];

const failures: readonly Scenario[] = FAILURES.map(([what, fault, told], at) => ({
  id: `C20-${at + 1}`,
  title: `the API says 401 and the refresh meets ${what}, until it does not`,
  given: [
    ADA,
    { open: 1 },
    LATER,
    { ...fault, at: REFRESH_PATH, times: "until cleared" } as Fault,
    { replace: "bearer", by: "one bit flipped" },
  ],
  when: [
    PROFILE,
    REFRESH,
    { wait: "10m" },
    { faults: "cleared" },
    { wait: "1m" },
    { refresh: "every tab" },
    PROFILE,
  ],
  then: { answers: ["401 access_token_invalid", told, "200", "200"], ...ALIVE, cookie: "kept" },
}));

export const trouble: readonly Scenario[] = [
  ...failures,
  {
    id: "C26-1",
    title: "offline for seventy-two hours, and then online: signed in, by one refresh",
    given: [ADA, { network: "offline" }, { wait: "72h" }],
    when: [{ network: "fine" }, { wait: "5s" }, PROFILE],
    then: { answers: ["200"], ...ALIVE, refreshes: { atMost: 2 } },
  },
  {
    id: "C26-2",
    title: "while it is offline nobody is shown a sign-in page",
    given: [ADA, { open: 2 }, { network: "offline" }],
    when: [{ wait: "12h" }, PROFILE],
    then: { answers: ["unreachable"], ...WAITING, cookie: "kept" },
  },
  {
    id: "C26-3",
    title: "a network that swallows everything is given up at fifteen seconds, again and again",
    given: [ADA, { network: "silent" }],
    when: [{ wait: "3h" }, { network: "fine" }, { wait: "1m" }, PROFILE],
    then: { answers: ["200"], ...ALIVE },
  },
  {
    id: "C26-4",
    title: "a portal that answers everything for a night",
    given: [ADA, { open: 1 }, { network: "portal" }],
    when: [{ wait: "10h" }, { network: "fine" }, { wait: "1m" }, PROFILE],
    then: { answers: ["200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C26-5",
    title: "a proxy that speaks for itself, with 401 and 403 among its words",
    given: [ADA, { open: 1 }, { network: "proxy" }],
    when: [{ wait: "10h" }, { network: "fine" }, { wait: "1m" }, PROFILE],
    then: { answers: ["200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C26-6",
    title: "the server is killed without a word, and started again",
    given: [ADA],
    when: [
      { server: "killed" },
      REFRESH,
      { wait: "30m" },
      { server: "started again" },
      { wait: "1m" },
      PROFILE,
    ],
    then: { answers: ["unreachable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C26-7",
    title: "the page is loaded while offline: it does not know, and says so",
    given: [ADA, { network: "offline" }],
    when: [{ reload: true }, { wait: "1h" }],
    then: { answers: [], client: "unknown, in trouble", row: "alive", receipt: null, cookie: "kept" },
  },
  {
    id: "C32-1",
    title: "a page on an unlisted origin asks for everything and gets nothing",
    given: [ADA],
    when: [
      { send: "POST /api/v1/auth/refresh", cookie: "own", headers: ELSEWHERE, times: 100 },
      { send: "DELETE /api/v1/auth/refresh", cookie: "own", headers: ELSEWHERE },
      { send: "POST /api/v1/auth/logout", bearer: "own", headers: ELSEWHERE },
      REFRESH,
    ],
    then: {
      answers: ["403 origin_not_allowed", "403 origin_not_allowed", "403 origin_not_allowed", "200"],
      ...ALIVE,
    },
  },
  {
    id: "C32-2",
    title: "the app itself is served from an unlisted origin, until that is put right",
    given: [ADA, { addHeaders: ELSEWHERE }],
    when: [REFRESH, { wait: "3h" }, { addHeaders: {} }, { wait: "1m" }, PROFILE],
    then: { answers: ["403 origin_not_allowed", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C32-3",
    title: "a listed origin is served like our own",
    server: { settings: ['origins.allowed=["https://app.example.com"]'] },
    given: [ADA, { addHeaders: { origin: "https://app.example.com", "sec-fetch-site": "same-site" } }],
    when: [REFRESH, { reload: true }, PROFILE],
    then: { answers: ["200", "200"], ...ALIVE },
  },
  {
    id: "C33-1",
    title: "forged refreshes, by Origin and by Sec-Fetch-Site alone",
    given: [ADA],
    when: [
      { send: "POST /api/v1/auth/refresh", cookie: "own", headers: { origin: "https://evil.example" } },
      { send: "POST /api/v1/auth/refresh", cookie: "own", headers: { origin: "null" } },
      { send: "POST /api/v1/auth/refresh", cookie: "own", headers: { "sec-fetch-site": "cross-site" } },
    ],
    then: { answers: Array<string>(3).fill("403 origin_not_allowed"), ...UNTOUCHED },
  },
  {
    id: "C33-2",
    title: "a forged sign-out ends nothing",
    given: [ADA],
    when: [
      { send: "DELETE /api/v1/auth/refresh", cookie: "own", headers: ELSEWHERE, times: 20 },
      PROFILE,
      { reload: true },
    ],
    then: { answers: ["403 origin_not_allowed", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C33-3",
    title: "a forged sign-in neither replaces nor ends the session",
    given: [ADA],
    when: [
      {
        send: "POST /api/v1/auth/login",
        cookie: "own",
        headers: ELSEWHERE,
        body: { email: "bob@example.com", password: PASSWORD },
      },
      REFRESH,
    ],
    then: { answers: ["403 origin_not_allowed", "200"], ...ALIVE, shows: "ada" },
  },
  {
    id: "C33-4",
    title: "a forged change of the password and a forged end of a session",
    given: [ADA],
    when: [
      {
        send: "POST /api/v1/auth/password/change",
        bearer: "own",
        headers: ELSEWHERE,
        body: { current_password: PASSWORD, new_password: "chosen by somebody else" },
      },
      { send: "DELETE /api/v1/auth/sessions/ses_0", bearer: "own", headers: ELSEWHERE },
      PROFILE,
    ],
    then: { answers: ["403 origin_not_allowed", "403 origin_not_allowed", "200"], ...UNTOUCHED },
  },
  {
    id: "C43-1",
    title: "a thousand refreshes of one session behind one address, beyond its limit",
    server: { settings: ["limits.refresh_per_session_per_minute=120"] },
    given: [ADA, { open: 3 }],
    when: [
      { send: "POST /api/v1/auth/refresh", cookie: "own", times: 1000 },
      { wait: "10m" },
      { refresh: "every tab" },
      PROFILE,
    ],
    then: { answers: ["200 or 429 rate_limited", "200", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C43-2",
    title: "the client itself is told to wait, waits, and goes on",
    server: { settings: ["limits.refresh_per_session_per_minute=1"] },
    given: [ADA, REFRESH, { wait: "30s" }],
    when: [REFRESH, REFRESH, { wait: "10m" }, PROFILE],
    then: { answers: ["429 rate_limited", "429 rate_limited", "200"], ...ALIVE },
  },
  {
    id: "C43-3",
    title: "another session's limit is its own: nobody else waits",
    server: { settings: ["limits.refresh_per_session_per_minute=5"] },
    given: [ADA, { signIn: "ada", on: "phone" }],
    when: [
      { send: "POST /api/v1/auth/refresh", cookie: "of phone", times: 200 },
      REFRESH,
      { wait: "5m" },
      { refresh: "one tab", on: "phone" },
    ],
    then: { answers: ["200 or 429 rate_limited", "200", "200"], ...ALIVE, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C43-4",
    title: "somebody guesses the password until they are told to wait: the session goes on",
    server: { settings: ["limits.sign_in_per_account_per_minute=10"] },
    given: [ADA],
    when: [
      {
        send: "POST /api/v1/auth/login",
        body: { email: "ada@example.com", password: "a guess of somebody's" },
        times: 100,
      },
      REFRESH,
      PROFILE,
    ],
    then: { answers: ["401 invalid_credentials or 429 rate_limited", "200", "200"], ...ALIVE },
  },
  {
    id: "C43-5",
    title: "forty tabs that all refresh at once",
    given: [ADA, { open: 39 }],
    when: [{ refresh: "every tab" }, { refresh: "every tab" }, { ...PROFILE, times: 200 }],
    then: { answers: ["200", "200", "200"], ...ALIVE },
  },
];
