/** What ends a session: the time that was asked for, somebody who deletes or disables a user, the person. */

import { PASSWORD, type Scenario, type Step, type Then } from "../vocabulary.js";
import { ADA, ALIVE, LATER, PROFILE, REFRESH, WAITING } from "./common.js";

const SHORT: Step = { signIn: "ada", remember: false };
const KEEP: Step = { cookie: "kept" };
const BY_CLOCK = { by: "clock", told: true } as const;
const BY_ADMIN = { by: "admin", told: true } as const;
const OVER = {
  client: "signed out: remembered_lifetime",
  row: "ended: remembered_lifetime",
  receipt: BY_CLOCK,
} satisfies Partial<Then>;
const DELETED = {
  client: "signed out: user_deleted",
  row: "ended: user_deleted",
  receipt: BY_ADMIN,
} satisfies Partial<Then>;
const DISABLED = {
  client: "signed out: user_disabled",
  row: "ended: user_disabled",
  receipt: BY_ADMIN,
} satisfies Partial<Then>;
const LEFT = {
  client: "signed out: signed_out",
  row: "ended: signed_out",
  receipt: { by: "user", told: false },
} satisfies Partial<Then>;

export const ends: readonly Scenario[] = [
  {
    id: "C09-1",
    title: "twenty days less half a minute, away all the time: signed in",
    given: [ADA],
    when: [{ awayFor: "1727970s" }, PROFILE],
    then: { answers: ["200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C09-2",
    title: "twenty days and a minute and a half: the time is over, with its receipt",
    given: [ADA],
    when: [{ awayFor: "1728090s" }, { wait: "5s" }],
    then: { answers: [], ...OVER, cookie: "gone" },
  },
  {
    id: "C09-3",
    title: "within the minute of grace nobody is signed out",
    given: [ADA],
    when: [{ awayFor: "1728020s" }],
    then: { answers: [], ...ALIVE },
  },
  {
    id: "C09-4",
    title: "busy for all of the twenty days, and it is not a minute longer",
    given: [ADA, { every: "1h", during: "474h", do: [PROFILE] }],
    when: [PROFILE, { wait: "7h" }],
    then: { answers: ["200"], ...OVER },
  },
  {
    id: "C09-5",
    title: 'without "remember me" it is a day',
    given: [SHORT],
    when: [{ every: "1h", during: "23h", do: [PROFILE] }, { wait: "90m" }],
    then: {
      answers: ["200"],
      client: "signed out: short_lifetime",
      row: "ended: short_lifetime",
      receipt: BY_CLOCK,
    },
  },
  {
    id: "C09-6",
    title: 'without "remember me" it goes with the browser, which can say why',
    given: [SHORT],
    when: [{ reopen: true }, { wait: "10s" }],
    then: { answers: [], client: "signed out: short_lifetime", row: "alive", receipt: null, cookie: "gone" },
  },
  {
    id: "C12-1",
    title: "the user is deleted by an administrator, by name and for a reason",
    given: [ADA, { open: 1 }, LATER],
    when: [{ operator: "user delete ada" }, PROFILE],
    then: { answers: ["401 access_token_revoked"], ...DELETED, cookie: "gone" },
  },
  {
    id: "C12-2",
    title: "the user's row cannot be found, which proves nothing; and it is back",
    given: [ADA, { sql: "CREATE TABLE kept AS SELECT * FROM user" }],
    when: [
      { sql: "DELETE FROM user" },
      REFRESH,
      { sql: "INSERT INTO user SELECT * FROM kept" },
      { wait: "2m" },
      PROFILE,
    ],
    then: { answers: ["503 session_unverifiable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C12-3",
    title: "the session's row cannot be found, as on a replica that lags; and it is back",
    given: [ADA, { sql: "CREATE TABLE kept AS SELECT * FROM session" }],
    when: [
      { sql: "DELETE FROM session" },
      REFRESH,
      { wait: "1h" },
      { sql: "INSERT INTO session SELECT * FROM kept" },
      { wait: "2m" },
      PROFILE,
    ],
    then: { answers: ["503 session_unverifiable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C12-4",
    title: "the session's row stays away for hours: still nobody is signed out",
    given: [ADA, { sql: "DELETE FROM session" }],
    when: [REFRESH, { wait: "3h" }],
    then: { answers: ["503 session_unverifiable"], ...WAITING, row: "none", cookie: "kept" },
  },
  {
    id: "C12-5",
    title: "another user is deleted",
    given: [ADA, { signIn: "bob", on: "phone" }, LATER],
    when: [{ operator: "user delete bob" }, { call: "/api/v1/auth/profile", on: "phone" }, PROFILE, REFRESH],
    then: {
      answers: ["401 access_token_revoked", "200", "200"],
      ...ALIVE,
      others: { phone: { ...DELETED } },
    },
  },
  {
    id: "C17-1",
    title: "an administrator disables the user: every device is told, with its own receipt",
    given: [ADA, { signIn: "ada", on: "phone" }, { signIn: "ada", on: "tablet" }, LATER],
    when: [
      { operator: "user disable ada" },
      PROFILE,
      { call: "/api/v1/auth/profile", on: "phone" },
      { refresh: "one tab", on: "tablet" },
    ],
    then: {
      answers: ["401 access_token_revoked", "401 access_token_revoked", "signed_out"],
      ...DISABLED,
      others: { phone: { ...DISABLED }, tablet: { ...DISABLED } },
    },
  },
  {
    id: "C17-2",
    title: "disabled while the page is closed: it opens with the reason",
    given: [ADA],
    when: [{ operator: "user disable ada" }, { reload: true }, { wait: "10s" }],
    then: { answers: [], ...DISABLED, cookie: "gone" },
  },
  {
    id: "C17-3",
    title: "enabled again: what has ended stays ended, and a new sign-in is served",
    given: [ADA, { operator: "user disable ada" }, { operator: "user enable ada" }],
    when: [REFRESH, { signIn: "ada", on: "phone" }],
    then: { answers: ["signed_out", "200"], ...DISABLED, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C17-4",
    title: "whoever is disabled cannot sign in, and nobody else notices",
    given: [ADA, { signIn: "bob", on: "phone" }, { operator: "user disable bob" }],
    when: [{ signIn: "bob", on: "tablet" }, PROFILE, REFRESH],
    then: {
      answers: ["403 permission_denied", "200", "200"],
      ...ALIVE,
      others: { phone: { row: "ended: user_disabled" } },
    },
  },
  {
    id: "C18-1",
    title: "signed out in one of eight tabs: all of them are",
    given: [ADA, { open: 7 }],
    when: [{ signOut: "this" }],
    then: { answers: ["200"], ...LEFT, cookie: "gone" },
  },
  {
    id: "C18-2",
    title: "signed out without a network: at once here, and at the server when it is back",
    given: [ADA, { open: 1 }, { network: "offline" }],
    when: [{ signOut: "this" }, { wait: "1h" }, { network: "fine" }, { wait: "2m" }],
    then: { answers: ["not delivered yet"], ...LEFT, cookie: "gone" },
  },
  {
    id: "C18-3",
    title: "signed out everywhere: each device, and nobody else's",
    given: [ADA, { signIn: "ada", on: "phone" }, { signIn: "bob", on: "tablet" }],
    when: [
      { signOut: "everywhere" },
      { refresh: "one tab", on: "phone" },
      { refresh: "one tab", on: "tablet" },
    ],
    then: {
      answers: ["200", "signed_out", "200"],
      client: "signed out: signed_out",
      row: "ended: signed_out_everywhere",
      receipt: { by: "user", told: false },
      others: {
        phone: {
          client: "signed out: signed_out_everywhere",
          row: "ended: signed_out_everywhere",
          receipt: { by: "user", told: true },
        },
        tablet: { ...ALIVE },
      },
    },
  },
  {
    id: "C18-4",
    title: "the other devices are signed out, and this one is not",
    given: [ADA, { signIn: "ada", on: "phone" }],
    when: [{ signOut: "others" }, { refresh: "one tab", on: "phone" }, REFRESH],
    then: {
      answers: ["200", "signed_out", "200"],
      ...ALIVE,
      others: {
        phone: {
          client: "signed out: signed_out",
          row: "ended: signed_out",
          receipt: { by: "user", told: true },
        },
      },
    },
  },
  {
    id: "C18-5",
    title: "a late copy of the cookie cannot bring back what was signed out",
    given: [ADA, KEEP, { signOut: "this" }],
    when: [{ send: "POST /api/v1/auth/refresh", cookie: "the kept one", times: 20 }],
    then: { answers: ["401 session_revoked"], ...LEFT },
  },
  {
    id: "C24-1",
    title: "an expired refresh token from outside: the end, with its receipt, is told again and again",
    given: [ADA, KEEP, { awayFor: "1731600s" }, { wait: "10s" }],
    when: [{ send: "POST /api/v1/auth/refresh", cookie: "the kept one", times: 20, show: "reason" }],
    then: { answers: ['401 session_expired reason="remembered_lifetime"'], ...OVER },
  },
  {
    id: "C24-2",
    title: "after twenty-two days the browser has dropped the cookie and can still say why",
    given: [ADA],
    when: [{ awayFor: "22d" }, { wait: "10s" }],
    then: {
      answers: [],
      client: "signed out: remembered_lifetime",
      row: "expired",
      receipt: null,
      cookie: "gone",
    },
  },
  {
    id: "C24-3",
    title: "an expired token while the database is away: its time is over by itself",
    given: [
      ADA,
      KEEP,
      { awayFor: "1731600s" },
      { wait: "10s" },
      { sql: "ALTER TABLE session RENAME TO hidden" },
    ],
    when: [
      { send: "POST /api/v1/auth/refresh", cookie: "the kept one" },
      { sql: "ALTER TABLE hidden RENAME TO session" },
    ],
    then: { answers: ["401 session_expired"], ...OVER },
  },
  {
    id: "C24-4",
    title: "a device whose clock is weeks ahead does not end what has not ended",
    given: [ADA, { clockAhead: "20d" }],
    when: [{ wait: "1h" }, PROFILE, { reload: true }],
    then: { answers: ["200"], ...ALIVE },
  },
  {
    id: "C25-1",
    title: "a refresh for a user who was deleted on purpose",
    given: [ADA, KEEP, { operator: "user delete ada" }],
    when: [{ send: "POST /api/v1/auth/refresh", cookie: "the kept one", show: "reason" }, REFRESH],
    then: { answers: ['401 session_revoked reason="user_deleted"', "signed_out"], ...DELETED },
  },
  {
    id: "C25-2",
    title: "a refresh for a user whose row is missing without a trace",
    given: [ADA, { sql: "DELETE FROM user" }],
    when: [REFRESH, { wait: "2h" }],
    then: { answers: ["503 session_unverifiable"], ...WAITING, cookie: "kept" },
  },
  {
    id: "C25-3",
    title: "a refresh for a user whose row cannot be read",
    given: [ADA, { sql: "UPDATE user SET role = 'no such role'" }],
    when: [REFRESH, { sql: "UPDATE user SET role = 'user'" }, { wait: "2m" }, PROFILE],
    then: { answers: ["503 storage_unavailable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C25-4",
    title: "deleted, and somebody else registers with the same address",
    given: [ADA, { operator: "user delete ada" }, { operator: "user create ada --name Other" }],
    when: [REFRESH],
    then: { answers: ["signed_out"], ...DELETED },
  },
  {
    id: "C36-1",
    title: "fifty more devices, without a policy: all of them are signed in",
    given: [ADA],
    when: [
      {
        send: "POST /api/v1/auth/login",
        body: { email: "ada@example.com", password: PASSWORD, remember_me: true },
        times: 50,
      },
      { call: "/api/v1/auth/sessions", show: "sessions.length" },
      REFRESH,
    ],
    then: { answers: ["200", "200 sessions.length=51", "200"], ...ALIVE },
  },
  {
    id: "C36-2",
    title: "two devices at once, on a database that is a file",
    given: [ADA, { signIn: "ada", on: "phone" }],
    when: [
      {
        every: "30m",
        during: "12h",
        do: [
          { ...PROFILE, times: 2 },
          { call: "/api/v1/auth/profile", times: 2, on: "phone" },
        ],
      },
      REFRESH,
      { refresh: "one tab", on: "phone" },
    ],
    then: { answers: ["200", "200", "200"], ...ALIVE, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C36-3",
    title: "a second sign-in on the same device replaces the first one",
    given: [ADA, KEEP, { wait: "5m" }],
    when: [ADA, { send: "POST /api/v1/auth/refresh", cookie: "the kept one", show: "reason" }],
    then: {
      answers: ["200", '401 session_revoked reason="replaced_by_sign_in"'],
      client: "live",
      row: "ended: replaced_by_sign_in",
      receipt: { by: "user", told: false },
    },
  },
  {
    id: "C36-4",
    title: "a sign-in that is sent twice within a moment ends neither of them",
    given: [ADA, KEEP],
    when: [ADA, { send: "POST /api/v1/auth/refresh", cookie: "the kept one" }, REFRESH],
    then: { answers: ["200", "200", "200"], ...ALIVE },
  },
  {
    id: "C36-5",
    title: "another person on the same device is no second sign-in",
    given: [ADA, { wait: "5m" }],
    when: [{ signIn: "bob" }, REFRESH],
    then: { answers: ["200", "200"], ...ALIVE, shows: "bob" },
  },
  {
    id: "C36-6",
    title: "one device of two is ended by an administrator",
    given: [ADA, { signIn: "ada", on: "phone" }, KEEP],
    when: [{ operator: "session end @phone" }, { refresh: "one tab", on: "phone" }, REFRESH, PROFILE],
    then: {
      answers: ["signed_out", "200", "200"],
      ...ALIVE,
      others: {
        phone: { client: "signed out: admin_revoked", row: "ended: admin_revoked", receipt: BY_ADMIN },
      },
    },
  },
];
