/** What browsers and people do to cookies and storage, and ways into a page: in a real Chromium. */

import type { Scenario, Then } from "../vocabulary.js";
import { ADA, ALIVE, PROFILE, problem, REFRESH, REFRESH_PATH, UNTOUCHED } from "./common.js";

/** The browser has lost its proof and says so; nobody has ended the session. */
const CLEARED = {
  client: "signed out: cookie_missing",
  row: "alive",
  receipt: null,
  cookie: "gone",
} satisfies Partial<Then>;
/** It has lost the memory of it as well. */
const BLANK = { ...CLEARED, client: "signed out: never_signed_in" } satisfies Partial<Then>;
const KEPT = { ...ALIVE, cookie: "kept" } satisfies Partial<Then>;

const scenarios: readonly Omit<Scenario, "in">[] = [
  {
    id: "C08-6",
    title: "a real page is told that its token has expired: one refresh for all its calls, and no error",
    given: [
      ADA,
      // A client does not throw away a token that it has only just received.
      { wait: "11s" },
      {
        fault: "status",
        at: "/api/v1/auth/profile",
        times: 5,
        ...problem(401, "access_token_expired", "authentication"),
      },
    ],
    when: [{ ...PROFILE, times: 5 }],
    then: { answers: ["200"], ...KEPT, refreshes: 1 },
  },
  {
    id: "C15-1",
    title: "the cookie is deleted while three tabs are open: each finds out and says why",
    given: [ADA, { open: 2 }],
    when: [{ cookie: "deleted" }, { refresh: "every tab" }],
    then: { answers: ["signed_out"], ...CLEARED },
  },
  {
    id: "C15-2",
    title: "the cookie is deleted and the page loaded again: it is explained, not just a sign-in page",
    given: [ADA],
    when: [{ cookie: "deleted" }, { reload: true }],
    then: { answers: [], ...CLEARED },
  },
  {
    id: "C15-3",
    title: "a browser purges what scripts have stored for a week: the cookie is the server's and stays",
    given: [ADA, { open: 1 }],
    when: [{ page: "loses its storage" }, { reload: true }, PROFILE],
    then: { answers: ["200"], ...KEPT },
  },
  {
    id: "C15-4",
    title: "deleted by mistake, and signed in again at once",
    given: [ADA, { cookie: "deleted" }, { reload: true }],
    when: [ADA, REFRESH, PROFILE],
    then: { answers: ["200", "200", "200"], ...KEPT },
  },
  {
    id: "C27-1",
    title: "localStorage is cleared while two tabs run",
    given: [ADA, { open: 1 }],
    when: [{ page: "loses its storage" }, { refresh: "every tab" }, PROFILE],
    then: { answers: ["200", "200"], ...KEPT },
  },
  {
    id: "C27-2",
    title: "localStorage is cleared before a reload",
    given: [ADA],
    when: [{ page: "loses its storage" }, { reload: true }, PROFILE],
    then: { answers: ["200"], ...KEPT, shows: "ada" },
  },
  {
    id: "C27-3",
    title: "storage is denied from one load of the page to the next",
    given: [ADA, { open: 1 }],
    when: [{ page: "is denied storage" }, { refresh: "every tab" }, PROFILE],
    then: { answers: ["200", "200"], ...KEPT },
  },
  {
    id: "C27-4",
    title: "cleared, signed out in another tab, and not forgotten by it",
    given: [ADA, { open: 1 }],
    when: [{ page: "loses its storage" }, { signOut: "this" }],
    then: {
      answers: ["200"],
      client: "signed out: signed_out",
      row: "ended: signed_out",
      receipt: { by: "user", told: false },
      cookie: "gone",
    },
  },
  {
    id: "C28-1",
    title: "everything of the site is cleared while the page runs",
    given: [ADA, { open: 1 }],
    when: [{ page: "loses all site data" }, { refresh: "every tab" }],
    then: { answers: ["signed_out"], ...CLEARED },
  },
  {
    id: "C28-2",
    title:
      "everything of the site is cleared before a reload: a sign-in page, and the session still in the device list",
    given: [ADA, { signIn: "ada", on: "phone" }],
    when: [
      { page: "loses all site data" },
      { reload: true },
      { call: "/api/v1/auth/sessions", on: "phone", show: "sessions.length" },
    ],
    then: { answers: ["200 sessions.length=2"], ...BLANK, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C28-3",
    title: "only the cache is cleared",
    given: [ADA, { open: 1 }],
    when: [{ page: "loses its cache" }, { reload: true }, REFRESH, PROFILE],
    then: { answers: ["200", "200"], ...KEPT },
  },
  {
    id: "C29-1",
    title: "what the page stored is nonsense when it starts",
    given: [ADA],
    when: [{ page: "has nonsense in its storage" }, { reload: true }, PROFILE],
    then: { answers: ["200"], ...KEPT, shows: "ada" },
  },
  {
    id: "C29-2",
    title: "the app throws while it restores its state, and at everything it is told",
    given: [ADA, { open: 1 }],
    when: [{ page: "throws when it starts" }, PROFILE, { refresh: "every tab" }],
    then: { answers: ["200", "200"], ...KEPT },
  },
  {
    id: "C29-3",
    title: "the first answers at start are a proxy's 502: not known, asked again, signed in",
    given: [ADA, { fault: "status", at: REFRESH_PATH, status: 502, times: 2 }],
    when: [{ reload: true }],
    then: { answers: [], ...KEPT },
  },
  {
    id: "C29-4",
    title: "the page cannot find out at all: it says neither that nor the other",
    given: [ADA, { fault: "html", at: REFRESH_PATH, times: "until cleared" }],
    when: [{ reload: true }],
    then: { answers: [], client: "unknown, in trouble", row: "alive", receipt: null, cookie: "kept" },
  },
  {
    id: "C32-4",
    title: "the app is served from another origin: the browser hides the answer, and nothing ends",
    given: [ADA],
    when: [{ page: "is served from another origin" }, REFRESH, PROFILE],
    then: { answers: ["unreachable", "200", "200"], ...KEPT },
  },
  {
    id: "C32-5",
    title: "the same origin once it is listed can read why: cookies are for pages of the same site",
    server: { settings: ['origins.allowed=["https://app.example"]'] },
    given: [ADA],
    when: [{ page: "is served from another origin" }, REFRESH, PROFILE],
    then: { answers: ["403 origin_not_allowed", "200", "200"], ...KEPT },
  },
  {
    id: "C33-5",
    title: "a page of another site posts forms at the server: refused, and nothing has moved",
    given: [ADA],
    when: [
      { formPosted: REFRESH_PATH },
      { formPosted: "/api/v1/auth/login" },
      { formPosted: "/sign-in" },
      PROFILE,
    ],
    then: {
      answers: [...Array<string>(3).fill("403 origin_not_allowed"), "200"],
      ...KEPT,
      ...UNTOUCHED,
    },
  },
  {
    id: "C34-3",
    title: "development on plain http: the cookie is one that such a page may have",
    given: [ADA],
    when: [{ reload: true }, PROFILE],
    then: { answers: ["200"], ...KEPT },
  },
  {
    id: "C34-4",
    title: "behind a proxy that ends TLS, with Secure and the prefix that goes with it",
    server: { https: true },
    given: [ADA],
    when: [{ reload: true }, REFRESH, PROFILE],
    then: { answers: ["200", "200"], ...KEPT, cookie: "kept, Secure" },
  },
  {
    id: "C35-1",
    title: "back from a payment page of another site",
    given: [ADA],
    when: [{ page: "returns from a payment page" }, PROFILE],
    then: { answers: ["200"], ...KEPT, shows: "ada" },
  },
  {
    id: "C35-2",
    title: "opened by a link in a mail, beside the tab that is there",
    given: [ADA],
    when: [{ page: "is opened by a link in a mail" }, { refresh: "every tab" }, PROFILE],
    then: { answers: ["200", "200"], ...KEPT },
  },
  {
    id: "C35-3",
    title: "the payment page posts back, as some do",
    given: [ADA],
    when: [{ page: "is posted to by a payment page" }, REFRESH],
    then: { answers: ["200"], ...KEPT, shows: "ada" },
  },
  {
    id: "C35-4",
    title: "framed by another site nobody is signed in, and the page itself does not notice",
    given: [ADA],
    when: [{ page: "is framed by another site" }, REFRESH, PROFILE],
    then: { answers: ["signed out: never_signed_in", "200", "200"], ...KEPT },
  },
  {
    id: "C18-6",
    title: "eight real tabs: signed out in one, and none shows an error",
    given: [ADA, { open: 7 }],
    when: [{ signOut: "this" }],
    then: {
      answers: ["200"],
      client: "signed out: signed_out",
      row: "ended: signed_out",
      receipt: { by: "user", told: false },
      cookie: "gone",
    },
  },
  {
    id: "C26-8",
    title: "a real browser goes offline when a token is wanted, and comes back",
    given: [ADA, { open: 1 }, { network: "offline" }],
    when: [REFRESH, { wait: "2s" }, { network: "fine" }],
    then: { answers: ["unreachable"], ...KEPT },
  },
  {
    id: "C30-4",
    title: "somebody without an account loads the page",
    given: [ADA, { operator: "user set ada --no-account" }],
    when: [{ reload: true }, { call: "/api/v1/auth/profile", show: "account" }],
    then: { answers: ["200 account=null"], ...KEPT, shows: "ada" },
  },
];

export const browsers: readonly Scenario[] = scenarios.map((scenario) => ({ ...scenario, in: "browser" }));
