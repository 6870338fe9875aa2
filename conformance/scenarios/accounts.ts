/** Contexts, accounts and plans: what may block a request, and never a session. */

import type { Scenario, Step, Then } from "../vocabulary.js";

const ADA: Step = { signIn: "ada" };
const SERVED = { may: "active_account" } as const;
const PLAN = { may: "plan" } as const;
const PRO: readonly Step[] = [
  { operator: "plan save pro --name Pro --stripe-price price_pro" },
  { operator: "account set ada --plan pro" },
];

/** Nothing has happened to the session. */
const ALIVE = { client: "live", row: "alive", receipt: null } satisfies Partial<Then>;
/** Nothing at all, not even a refresh. */
const UNTOUCHED = { ...ALIVE, row: "alive, generation 1", refreshes: 0 } satisfies Partial<Then>;

export const accounts: readonly Scenario[] = [
  {
    id: "C01-1",
    title: "headers that name another account are not believed",
    given: [
      ADA,
      { signIn: "bob", on: "phone" },
      { addHeaders: { "tenure-account": "acc_0", "x-account-id": "1", "x-tenant": "bob" } },
    ],
    when: [SERVED, { call: "/api/v1/auth/profile", show: "email" }],
    then: { answers: ["200", '200 email="ada@example.com"'], ...UNTOUCHED, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C01-2",
    title: "a thousand requests, each with another account's name",
    given: [ADA, { addHeaders: { "x-account-id": "acc_ffffffffffffffffffffffffffffffff" } }],
    when: [{ may: "active_account", times: 1000 }],
    then: { answers: ["200"], ...UNTOUCHED },
  },
  {
    id: "C01-3",
    title: "the person is moved to another account while signed in",
    given: [ADA, { signIn: "bob", on: "phone" }],
    when: [
      { call: "/api/v1/auth/profile", show: "account.name" },
      {
        sql: "UPDATE user SET account_id = (SELECT account_id FROM user WHERE email_key LIKE 'bob%') WHERE email_key LIKE 'ada%'",
      },
      { call: "/api/v1/auth/profile", show: "account.name" },
      { refresh: "one tab" },
    ],
    then: { answers: ['200 account.name="ada"', '200 account.name="bob"', "200"], ...ALIVE, shows: "ada" },
  },
  {
    id: "C01-4",
    title: "the account of a token changes in the middle of a storm of requests",
    given: [ADA],
    when: [
      { may: "active_account", times: 100 },
      { operator: "user set ada --no-account" },
      { may: "active_account", times: 100 },
    ],
    then: { answers: ["200", "403 account_missing"], ...UNTOUCHED },
  },
  {
    id: "C02-1",
    title: "two people take turns in one browser, and the newer sign-in is shown",
    given: [ADA],
    when: [{ signIn: "bob" }, { refresh: "one tab" }, { call: "/api/v1/auth/profile", show: "email" }],
    then: { answers: ["200", "200", '200 email="bob@example.com"'], ...ALIVE, shows: "bob" },
  },
  {
    id: "C02-2",
    title: "another person's access token is served as that person's, in either direction",
    given: [ADA, { signIn: "bob", on: "phone" }],
    when: [
      { send: "GET /api/v1/auth/profile", bearer: "of phone", show: "email" },
      { send: "GET /api/v1/auth/profile", bearer: "own", show: "email" },
    ],
    then: {
      answers: ['200 email="bob@example.com"', '200 email="ada@example.com"'],
      ...UNTOUCHED,
      others: { phone: { ...ALIVE } },
    },
  },
  {
    id: "C02-3",
    title: "one person's access token beside another's cookie confuses neither",
    given: [ADA, { signIn: "bob", on: "phone" }],
    when: [
      { send: "POST /api/v1/auth/refresh", bearer: "own", cookie: "of phone", show: "user.email", times: 50 },
      { send: "GET /api/v1/auth/profile", bearer: "own", cookie: "of phone", show: "email", times: 50 },
    ],
    then: {
      answers: ['200 user.email="bob@example.com"', '200 email="ada@example.com"'],
      ...ALIVE,
      others: { phone: { ...ALIVE } },
    },
  },
  {
    id: "C02-4",
    title: "signing out by one person's token leaves the other's cookie alone",
    given: [ADA, { signIn: "bob", on: "phone" }],
    when: [{ send: "POST /api/v1/auth/logout", bearer: "of phone", cookie: "own" }, { refresh: "one tab" }],
    then: { answers: ["204", "200"], ...ALIVE, others: { phone: { row: "ended: signed_out" } } },
  },
  {
    id: "C03-1",
    title: "the membership is taken away while signed in",
    given: [ADA],
    when: [SERVED, { operator: "user set ada --no-account" }, SERVED, { refresh: "one tab" }],
    then: { answers: ["200", "403 account_missing", "200"], ...ALIVE },
  },
  {
    id: "C03-2",
    title: "without an account for twenty days, in three tabs",
    given: [ADA, { open: 2 }, { operator: "user set ada --no-account" }],
    when: [{ every: "6h", during: "19d", do: [{ may: "active_account", times: 6 }] }],
    then: { answers: ["403 account_missing"], ...ALIVE },
  },
  {
    id: "C03-3",
    title: "no account is no reason to ask for another token",
    given: [ADA, { operator: "user set ada --no-account" }],
    when: [{ may: "active_account", times: 500 }],
    then: { answers: ["403 account_missing"], ...UNTOUCHED },
  },
  {
    id: "C03-4",
    title: "what needs no account is still served",
    given: [ADA, { operator: "user set ada --no-account" }],
    when: [
      { call: "/api/v1/auth/profile" },
      { call: "/api/v1/auth/sessions" },
      { may: "" },
      { changePassword: "quite another good one" },
    ],
    then: { answers: ["200", "200", "200", "200"], ...ALIVE },
  },
  {
    id: "C04-1",
    title: "suspended during an active tab, refreshed, and put right",
    given: [ADA],
    when: [
      { operator: "account set ada --status suspended" },
      SERVED,
      { refresh: "one tab" },
      { operator: "account set ada --status active" },
      SERVED,
    ],
    then: { answers: ["403 account_suspended", "200", "200"], ...ALIVE },
  },
  {
    id: "C04-2",
    title: "a storm of 403 in four tabs asks for no token and signs nobody out",
    given: [ADA, { open: 3 }, { operator: "account set ada --status suspended" }],
    when: [{ may: "active_account", times: 500 }],
    then: { answers: ["403 account_suspended"], ...UNTOUCHED },
  },
  {
    id: "C04-3",
    title: "suspended while the page is closed: it opens signed in",
    given: [ADA],
    when: [{ operator: "account set ada --status suspended" }, { reload: true }, SERVED],
    then: { answers: ["403 account_suspended"], ...ALIVE },
  },
  {
    id: "C04-4",
    title: "a suspended account can still sign in, and is told what is the matter",
    given: [ADA, { operator: "account set ada --status suspended" }],
    when: [
      { signIn: "ada", on: "phone" },
      { may: "active_account", on: "phone" },
    ],
    then: { answers: ["200", "403 account_suspended"], ...ALIVE, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C05-1",
    title: "cancelled during an active tab, refreshed, and activated again",
    given: [ADA],
    when: [
      { operator: "account set ada --status cancelled" },
      SERVED,
      { refresh: "one tab" },
      { operator: "account set ada --status active" },
      SERVED,
    ],
    then: { answers: ["403 account_cancelled", "200", "200"], ...ALIVE },
  },
  {
    id: "C05-2",
    title: "cancelled for nineteen days, and the session is as old as the sign-in says",
    given: [ADA, { operator: "account set ada --status cancelled" }],
    when: [{ wait: "19d" }, SERVED, { operator: "account set ada --status trial" }, SERVED],
    then: { answers: ["403 account_cancelled", "200"], ...ALIVE },
  },
  {
    id: "C05-3",
    title: "a storm on a cancelled account asks for no token",
    given: [ADA, { operator: "account set ada --status cancelled" }],
    when: [{ may: "active_account", times: 500 }],
    then: { answers: ["403 account_cancelled"], ...UNTOUCHED },
  },
  {
    id: "C05-4",
    title: "Stripe cancels the subscription",
    server: { settings: ["stripe.webhook_secret=whsec_conformance0123456789"] },
    given: [ADA, ...PRO, { operator: "account set ada --stripe-customer cus_ada" }],
    when: [PLAN, { stripe: "canceled", of: "ada", price: "price_pro" }, PLAN, { refresh: "one tab" }],
    then: { answers: ["200", "200", "403 account_cancelled", "200"], ...ALIVE },
  },
  {
    id: "C06-1",
    title: "the plan is taken away: a storm of 402, no refresh, no sign-out",
    given: [ADA, ...PRO],
    when: [PLAN, { operator: "account set ada --no-plan" }, { may: "plan", times: 500 }],
    then: { answers: ["200", "402 plan_missing"], ...UNTOUCHED },
  },
  {
    id: "C06-2",
    title: "never had a plan, in two tabs over a day",
    given: [ADA, { open: 1 }],
    when: [{ every: "1h", during: "24h", do: [{ may: "plan", times: 4 }] }, { refresh: "every tab" }],
    then: { answers: ["402 plan_missing", "200"], ...ALIVE },
  },
  {
    id: "C06-3",
    title: "another plan than the one that is asked for, and then that one",
    given: [ADA, ...PRO, { operator: "plan save team --name Team" }],
    when: [{ may: "plan:team" }, { operator: "account set ada --plan team" }, { may: "plan:team" }],
    then: { answers: ["402 plan_missing", "200"], ...UNTOUCHED },
  },
  {
    id: "C06-4",
    title: "a limit of the plan is reached",
    given: [ADA, ...PRO, { operator: `plan save pro --limits '{"seats":5}'` }],
    when: [{ may: "limit:seats=5" }, { may: "limit:seats=6", times: 100 }, { refresh: "one tab" }],
    then: { answers: ["200", "402 limit_reached", "200"], ...ALIVE },
  },
  {
    id: "C07-1",
    title: "Stripe reports a payment that failed, and later one that came",
    server: {
      settings: [
        "stripe.webhook_secret=whsec_conformance0123456789",
        "entitlement.serves_pending_payment=false",
      ],
    },
    given: [ADA, ...PRO, { operator: "account set ada --stripe-customer cus_ada" }],
    when: [
      { stripe: "past_due", of: "ada", price: "price_pro" },
      { may: "plan", times: 200 },
      { wait: "10s" },
      { stripe: "active", of: "ada", price: "price_pro" },
      PLAN,
    ],
    then: { answers: ["200", "402 plan_inactive", "200", "200"], ...ALIVE },
  },
  {
    id: "C07-2",
    title: "the plan itself is switched off for everybody who has it, and on again",
    given: [ADA, ...PRO],
    when: [
      { operator: "plan save pro --active false" },
      { may: "plan", times: 200 },
      { refresh: "one tab" },
      { operator: "plan save pro --active true" },
      PLAN,
    ],
    then: { answers: ["402 plan_inactive", "200", "200"], ...ALIVE },
  },
  {
    id: "C07-3",
    title: "an inactive plan is found when the page is loaded again",
    given: [ADA, ...PRO, { operator: "plan save pro --active false" }],
    when: [{ reload: true }, PLAN, { call: "/api/v1/auth/profile", show: "account.plan.slug" }],
    then: { answers: ["402 plan_inactive", '200 account.plan.slug="pro"'], ...ALIVE },
  },
  {
    id: "C07-4",
    title: "a storm in four tabs on an inactive plan asks for no token",
    given: [ADA, { open: 3 }, ...PRO, { operator: "plan save pro --active false" }],
    when: [{ may: "plan", times: 500 }],
    then: { answers: ["402 plan_inactive"], ...UNTOUCHED },
  },
  {
    id: "C13-1",
    title: "the account's row is gone",
    given: [ADA, { sql: "DELETE FROM account" }],
    when: [SERVED, { refresh: "one tab" }, { may: "" }],
    then: { answers: ["403 account_missing", "200", "200"], ...ALIVE },
  },
  {
    id: "C13-2",
    title: "the account's row is gone, and comes back",
    given: [ADA, { sql: "CREATE TABLE kept AS SELECT * FROM account" }, { sql: "DELETE FROM account" }],
    when: [SERVED, { reload: true }, SERVED, { sql: "INSERT INTO account SELECT * FROM kept" }, SERVED],
    then: { answers: ["403 account_missing", "403 account_missing", "200"], ...ALIVE },
  },
  {
    id: "C13-3",
    title: "the account's row cannot be read",
    given: [ADA, { sql: "UPDATE account SET status = 'no such status'" }],
    when: [
      SERVED,
      { refresh: "one tab" },
      { may: "" },
      { sql: "UPDATE account SET status = 'active'" },
      SERVED,
    ],
    then: { answers: ["503 storage_unavailable", "200", "200", "200"], ...ALIVE },
  },
  {
    id: "C13-4",
    title: "an account that never was is named by the user's row",
    given: [ADA, { sql: "UPDATE user SET account_id = x'000102030405060708090a0b0c0d0e0f'" }],
    when: [
      { may: "active_account", times: 200 },
      { signIn: "ada", on: "phone" },
    ],
    then: {
      answers: ["403 account_missing", "200"],
      ...UNTOUCHED,
      refreshes: 0,
      others: { phone: { ...ALIVE } },
    },
  },
  {
    id: "C30-1",
    title: "the profile of somebody without an account has none",
    given: [ADA, { operator: "user set ada --no-account" }],
    when: [{ call: "/api/v1/auth/profile", show: "account" }],
    then: { answers: ["200 account=null"], ...UNTOUCHED },
  },
  {
    id: "C30-2",
    title: "without an account the page is loaded, refreshed and opened twice more",
    given: [ADA, { operator: "user set ada --no-account" }],
    when: [
      { reload: true },
      { open: 2 },
      { refresh: "every tab" },
      { call: "/api/v1/auth/profile", times: 30, show: "account" },
    ],
    then: { answers: ["200", "200 account=null"], ...ALIVE, shows: "ada" },
  },
  {
    id: "C30-3",
    title: "somebody without an account signs in",
    given: [ADA, { operator: "user set ada --no-account" }],
    when: [
      { signIn: "ada", on: "phone" },
      { call: "/api/v1/auth/profile", on: "phone", show: "account" },
    ],
    then: { answers: ["200", "200 account=null"], ...ALIVE, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C31-1",
    title: "the profile of an account without a plan has none",
    given: [ADA],
    when: [{ call: "/api/v1/auth/profile", show: "account.plan" }],
    then: { answers: ["200 account.plan=null"], ...UNTOUCHED },
  },
  {
    id: "C31-2",
    title: "the plan is taken away between two looks at the profile",
    given: [ADA, ...PRO],
    when: [
      { call: "/api/v1/auth/profile", show: "account.plan.slug" },
      { operator: "account set ada --no-plan" },
      { call: "/api/v1/auth/profile", show: "account.plan" },
      { refresh: "one tab" },
    ],
    then: { answers: ['200 account.plan.slug="pro"', "200 account.plan=null", "200"], ...ALIVE },
  },
  {
    id: "C31-3",
    title: "without a plan the page is loaded again and stays open for a day",
    given: [ADA],
    when: [
      { reload: true },
      { every: "1h", during: "24h", do: [{ call: "/api/v1/auth/profile", show: "account.plan" }] },
    ],
    then: { answers: ["200 account.plan=null"], ...ALIVE },
  },
];
