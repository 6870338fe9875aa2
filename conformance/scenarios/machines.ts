/** The server's own trouble: rows, bugs, databases, Redis, and keys. */

import type { Scenario, Step } from "../vocabulary.js";
import { ADA, ALIVE, LATER, PROFILE, REFRESH, WAITING } from "./common.js";

const KEEP: Step = { cookie: "kept" };
const KEEP_ROWS: Step = { sql: "CREATE TABLE kept AS SELECT * FROM session" };
const RESTORE_ROWS: Step = { sql: "DELETE FROM session; INSERT INTO session SELECT * FROM kept" };
const HIDE = (table: string): Step => ({ sql: `ALTER TABLE ${table} RENAME TO hidden_${table}` });
const SHOW = (table: string): Step => ({ sql: `ALTER TABLE hidden_${table} RENAME TO ${table}` });
const PRODUCTION = { TENURE_SERVER__PUBLIC_URL: "https://id.example.com" };

export const machines: readonly Scenario[] = [
  {
    id: "C16-1",
    title: "a row that cannot be read is 503, and restored from a backup the session goes on",
    given: [ADA, KEEP_ROWS, { sql: "UPDATE session SET salt = x'00' WHERE id = @laptop" }],
    when: [REFRESH, { wait: "1h" }, RESTORE_ROWS, { wait: "2m" }, PROFILE],
    then: { answers: ["503 storage_unavailable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C16-2",
    title: "nonsense in the rotation's state: waited for, for hours",
    given: [ADA, { sql: "UPDATE session SET head = -7 WHERE id = @laptop" }],
    when: [REFRESH, { wait: "3h" }],
    then: { answers: ["503 storage_unavailable"], ...WAITING, row: "unreadable", cookie: "kept" },
  },
  {
    id: "C16-3",
    title: "one row is damaged, and the sessions of everybody else are not",
    given: [ADA, { signIn: "ada", on: "phone" }, { signIn: "bob", on: "tablet" }],
    when: [
      { sql: "UPDATE session SET salt = x'00' WHERE id = @phone" },
      { refresh: "one tab", on: "phone" },
      REFRESH,
      { refresh: "one tab", on: "tablet" },
    ],
    then: {
      answers: ["503 storage_unavailable", "200", "200"],
      ...ALIVE,
      others: { phone: { client: "reconnecting", row: "unreadable" }, tablet: { ...ALIVE } },
    },
  },
  {
    id: "C16-4",
    title: "the store has lost its last rotations: the token it does not know yet is still good",
    given: [ADA, KEEP_ROWS, { wait: "30m" }, KEEP],
    when: [RESTORE_ROWS, REFRESH, PROFILE],
    then: { answers: ["200", "200"], ...ALIVE },
  },
  {
    id: "C37-1",
    title: "a refresh panics after its commit: 500 for that request, and the next one is served",
    given: [ADA, { open: 1 }, { wait: "5m" }],
    when: [
      { panics: 1 },
      REFRESH,
      // It has rotated, and nobody has heard of it.
      { run: "--dev --json session show @laptop", saying: '"generation":2' },
      { wait: "1m" },
      { refresh: "every tab" },
    ],
    then: {
      answers: ["500 internal_error", "0", "200"],
      ...ALIVE,
      row: "alive, generation 2",
      panics: 1,
      cookie: "kept",
    },
  },
  {
    id: "C37-2",
    title: "twenty refreshes in a row panic while rotations fall due",
    given: [ADA, { wait: "5m" }],
    when: [{ panics: 20 }, REFRESH, { wait: "1h" }, PROFILE],
    then: { answers: ["500 internal_error", "200"], ...ALIVE, panics: 20, cookie: "kept" },
  },
  {
    id: "C37-3",
    title: "somebody else's sign-in panics before their password is checked",
    given: [ADA, { signIn: "bob", on: "phone" }, { panics: 1 }],
    when: [{ signIn: "bob", on: "tablet" }, { signIn: "bob", on: "tablet" }, PROFILE, REFRESH],
    then: {
      answers: ["500 internal_error", "200", "200", "200"],
      ...ALIVE,
      panics: 1,
      others: { phone: { ...ALIVE }, tablet: { ...ALIVE } },
    },
  },
  {
    id: "C37-4",
    title: "the change of a password panics after it was made",
    given: [ADA, LATER, { panics: 1, after: 2 }],
    when: [{ changePassword: "quite another good one" }, PROFILE, REFRESH],
    then: { answers: ["500 internal_error", "200", "200"], ...ALIVE, panics: 1, refreshes: 2 },
  },
  {
    id: "C37-5",
    title: "a sign-in panics after its session was made: the person tries again",
    given: [ADA, { signIn: "bob", on: "phone" }, { panics: 1, after: 1 }],
    when: [
      { signIn: "bob", on: "tablet" },
      { signIn: "bob", on: "tablet" },
      { call: "/api/v1/auth/sessions", on: "phone", show: "sessions.length" },
      REFRESH,
    ],
    then: {
      answers: ["500 internal_error", "200", "200 sessions.length=3", "200"],
      ...ALIVE,
      panics: 1,
      others: { phone: { ...ALIVE }, tablet: { ...ALIVE } },
    },
  },
  {
    id: "C38-1",
    title: "the table of sessions is away during ten minutes of traffic",
    given: [ADA, { open: 1 }, PROFILE, HIDE("session")],
    when: [
      { every: "1m", during: "9m", do: [{ ...PROFILE, times: 4 }] },
      REFRESH,
      SHOW("session"),
      { wait: "2m" },
      PROFILE,
    ],
    then: { answers: ["200", "503 storage_unavailable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C38-2",
    title: "another process holds the database's lock while a rotation is due",
    server: { settings: ["server.request_timeout=4s"] },
    given: [ADA, { wait: "5m" }, { database: "held" }],
    when: [PROFILE, REFRESH, { database: "released" }, { wait: "2m" }, PROFILE],
    then: { answers: ["200", "503 storage_unavailable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C38-3",
    title: "the users are away for two hours: everybody waits, and nobody is signed out",
    given: [ADA, { signIn: "bob", on: "phone" }, HIDE("user")],
    when: [
      REFRESH,
      { refresh: "one tab", on: "phone" },
      { wait: "2h" },
      SHOW("user"),
      { wait: "2m" },
      PROFILE,
    ],
    then: {
      answers: ["503 storage_unavailable", "503 storage_unavailable", "200"],
      ...ALIVE,
      others: { phone: { ...ALIVE } },
    },
  },
  {
    id: "C38-4",
    title: "the page is loaded and somebody signs in while the database fails",
    given: [ADA, HIDE("session")],
    when: [{ reload: true }, { signIn: "ada", on: "phone" }, { wait: "5m" }, SHOW("session")],
    then: { answers: ["503 storage_unavailable"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C38-5",
    title: "the server is restarted on its data in the middle of everything, ten times",
    given: [ADA, { open: 1 }],
    when: [
      { every: "7m", during: "70m", do: [{ server: "restarted" }, { wait: "1m" }, { ...PROFILE, times: 2 }] },
    ],
    then: { answers: ["200"], ...ALIVE },
  },
  {
    id: "C39-1",
    title: "Redis is killed: refreshes, calls and sign-ins go on by this node's own limits",
    server: { redis: true },
    given: [ADA, { redis: "killed" }],
    when: [REFRESH, PROFILE, { signIn: "bob", on: "phone" }, { wait: "1h" }, REFRESH],
    then: { answers: ["200", "200", "200", "200"], ...ALIVE, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C39-2",
    title: "Redis is flushed again and again",
    server: { redis: true },
    given: [ADA],
    when: [{ every: "10m", during: "2h", do: [{ redis: "flushed" }, PROFILE, REFRESH] }],
    then: { answers: ["200"], ...ALIVE },
  },
  {
    id: "C39-3",
    title: "Redis is there and does not answer",
    server: { redis: true },
    given: [ADA, { redis: "paused" }],
    when: [REFRESH, PROFILE, { signIn: "ada", on: "phone" }],
    then: { answers: ["200", "200", "200"], ...ALIVE, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C39-4",
    title: "Redis is killed, and comes back empty",
    server: { redis: true },
    given: [ADA, { open: 1 }],
    when: [{ redis: "killed" }, REFRESH, { redis: "started again" }, { refresh: "every tab" }, PROFILE],
    then: { answers: ["200", "200", "200"], ...ALIVE },
  },
  {
    id: "C39-5",
    title: "without Redis the limits are this node's own, and still there",
    server: { redis: true, settings: ["limits.sign_in_per_account_per_minute=10"] },
    given: [ADA, { redis: "killed" }],
    when: [
      {
        send: "POST /api/v1/auth/login",
        body: { email: "ada@example.com", password: "a guess of somebody's" },
        times: 100,
      },
      REFRESH,
    ],
    then: { answers: ["401 invalid_credentials or 429 rate_limited", "200"], ...ALIVE },
  },
  {
    id: "C42-1",
    title: "the signing keys are gone while it runs, and put back",
    given: [ADA, { sql: "CREATE TABLE kept AS SELECT * FROM signing_key" }],
    when: [
      { sql: "DELETE FROM signing_key" },
      REFRESH,
      { wait: "1h" },
      { sql: "INSERT INTO signing_key SELECT * FROM kept" },
      { wait: "2m" },
      PROFILE,
    ],
    then: { answers: ["503 signing_unavailable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C42-2",
    title: "the only key is damaged, and repaired two hours later",
    given: [ADA, { sql: "CREATE TABLE kept AS SELECT * FROM signing_key" }],
    when: [
      { sql: "UPDATE signing_key SET sealed_seed = x'00'" },
      REFRESH,
      { wait: "2h" },
      { sql: "DELETE FROM signing_key; INSERT INTO signing_key SELECT * FROM kept" },
      { wait: "2m" },
      PROFILE,
    ],
    then: { answers: ["503 signing_unavailable", "200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C42-3",
    title: "a start without the master secret, with one that is none, and with another is refused",
    given: [ADA],
    when: [
      { run: "serve --listen 127.0.0.1:0 --ops-listen ''", environment: PRODUCTION, saying: "TENURE_SECRET" },
      {
        run: "serve --listen 127.0.0.1:0 --ops-listen ''",
        environment: { ...PRODUCTION, TENURE_SECRET: "changeme" },
        saying: "TENURE_SECRET",
      },
      {
        run: "serve --listen 127.0.0.1:0 --ops-listen ''",
        environment: { ...PRODUCTION, TENURE_SECRET: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" },
        saying: "master secret",
      },
      REFRESH,
    ],
    then: { answers: ["2", "2", "3", "200"], ...ALIVE },
  },
  {
    id: "C42-4",
    title: "another key is damaged, and the one that signs is not",
    given: [ADA, { keys: "rotated" }, { wait: "20m" }],
    when: [
      {
        sql: "UPDATE signing_key SET sealed_seed = x'00' WHERE created_at = (SELECT min(created_at) FROM signing_key)",
      },
      PROFILE,
      REFRESH,
      { reload: true },
    ],
    then: { answers: ["200", "200"], ...ALIVE },
  },
];
