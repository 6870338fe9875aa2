// @vitest-environment jsdom

// Every page before answers as the contract has them.

import { expect, test } from "vitest";
import { button, field, open, press, seen, text, type, until } from "./console.js";
import type { Answer } from "./server.js";

const NOW = 1_795_000_000_000;
const ID = "0199c0a41c3b7d0ea1f0b2c3d4e5f607";
const SES = `ses_${ID}`;
const USR = `usr_${ID}`;
const ACC = `acc_${ID}`;
const END = {
  reason: "admin_revoked",
  actor: `admin:${USR}`,
  at: NOW,
  note: "lost laptop",
  receipt: "R-7K3M-Q9TD",
};
const SESSION = {
  id: SES,
  user: USR,
  remembered: true,
  created_at: NOW - 86_400_000,
  expires_at: NOW + 19 * 86_400_000,
  last_used_at: NOW,
  refresh_count: 1234,
  address: "203.0.113.9",
  browser: "Chrome 120 on Windows",
  end: END,
};
const EVENT = {
  id: `evt_${ID}`,
  at: NOW,
  kind: "session_ended",
  user: USR,
  session: SES,
  subject: "R-7K3M-Q9TD",
  actor: `admin:${USR}`,
  address: null,
  browser: null,
  cause: "admin_revoked",
  count: 1,
  detail: null,
  seq: 12,
};
const REPORT = {
  number: 7,
  received_at: NOW,
  address: "203.0.113.9",
  user_agent: null,
  browser: "Firefox 140 on Linux",
  verified_session: null,
  verified_user: null,
  type: "TOKEN_EXPIRED",
  type_said: null,
  claimed_at: null,
  claimed_session: SES,
  reason: null,
  receipt: null,
  message: null,
  location: "/orders",
  idle_ms: 90_000,
  has_token: null,
  has_refresh_token: null,
  is_authenticated: null,
  release: "2026.11",
  client: null,
};

const PAGES: Record<string, { path: string; answers: Record<string, Answer>; shows: string[] }> = {
  "the overview of a quiet day": {
    path: "/admin",
    answers: {
      "GET /api/v1/admin/overview": {
        now: NOW,
        sessions_active: 1284,
        sessions_remembered: 1017,
        unexplained_ends: 0,
        hours: [
          {
            at: NOW,
            refresh: { rotated: 98, repeated: 1, storage_unavailable: 1 },
            sign_ins: { ok: 5, failed: 2, throttled: 0 },
            ends: { signed_out: 3 },
            unexplained: 0,
          },
        ],
      },
    },
    shows: [
      "1,284",
      "1,017 of them remembered",
      "Every end has a cause",
      "99%",
      "2 failed, 0 throttled",
      "Signed out",
    ],
  },
  "the overview of a bad one": {
    path: "/admin",
    answers: {
      "GET /api/v1/admin/overview": {
        now: NOW,
        sessions_active: 0,
        sessions_remembered: 0,
        unexplained_ends: 2,
        hours: [],
      },
    },
    shows: ["See what browsers reported", "–", "No session has ended."],
  },
  sessions: {
    path: "/admin/sessions?state=ended",
    answers: { "GET /api/v1/admin/sessions": { sessions: [SESSION], next: SES } },
    shows: ["Chrome 120 on Windows", "Ended by an administrator", "203.0.113.9", "usr_0199c0a4…f607"],
  },
  "a session that has ended": {
    path: `/admin/sessions/${SES}`,
    answers: {
      [`GET /api/v1/admin/sessions/${SES}`]: SESSION,
      [`GET /api/v1/admin/sessions/${SES}/timeline`]: {
        session: SES,
        verdict: { cause: "ended", sentence: "The session was revoked: an act of root.", scenario: null },
        receipt: {
          what: "The session was revoked.",
          why: { reason: "admin_revoked" },
          when: { at: NOW },
          where: null,
          how: "By an administrator.",
        },
        timeline: [
          {
            at: NOW,
            what: "session_ended",
            sentence: "Session ended: An administrator ended it.",
            by: "server",
            detail: null,
          },
        ],
      },
    },
    shows: [
      "The session was revoked: an act of root.",
      "lost laptop",
      "R-7K3M-Q9TD",
      "Session ended: An administrator ended it.",
      "The server wrote it down",
      "1,234",
    ],
  },
  "a session that a front end has ended by itself": {
    path: `/admin/sessions/${SES}`,
    answers: {
      [`GET /api/v1/admin/sessions/${SES}`]: { ...SESSION, end: null, expires_at: Date.now() + 86_400_000 },
      [`GET /api/v1/admin/sessions/${SES}/timeline`]: {
        session: SES,
        verdict: { cause: "unexplained", sentence: "The server has ended nothing.", scenario: "A" },
        receipt: { what: { verdict: "said above", user: USR }, when: { time_left_then: 90_000 } },
        timeline: [],
      },
    },
    shows: [
      "scenario A",
      "End session",
      "Live",
      "usr_0199c0a4…f607",
      "1 minute, 30 seconds",
      "Nothing is known of it.",
    ],
  },
  "API keys": {
    path: "/admin/api-keys",
    answers: {
      "GET /api/v1/admin/api-keys": {
        api_keys: [
          {
            id: `key_${ID}`,
            account: ACC,
            name: "Nightly export",
            scopes: ["export"],
            created_at: NOW,
            expires_at: null,
            retires_at: null,
            revoked_at: null,
            last_used_at: null,
          },
        ],
        next: `key_${ID}`,
      },
    },
    shows: ["Nightly export", "Opens", "Never", "Revoke"],
  },
  "signing keys": {
    path: "/admin/signing-keys",
    answers: {
      "GET /api/v1/admin/signing-keys": {
        keys: [
          { kid: "k1", created_at: NOW, activates_at: NOW, retires_at: null, state: "signs" },
          { kid: "k0", created_at: NOW, activates_at: NOW, retires_at: NOW, state: "retired" },
        ],
      },
    },
    shows: ["k1", "Signs", "Retired", "Rotate"],
  },
  "client reports": {
    path: "/admin/client-reports",
    answers: {
      "GET /api/v1/admin/client-reports": { reports: [REPORT], next: 7 },
      "GET /api/v1/admin/client-reports/stats": {
        since: NOW,
        total: 1,
        by_type: [{ name: "TOKEN_EXPIRED", count: 1 }],
        by_reason: [{ name: null, count: 1 }],
        by_idle: [{ name: "active", count: 1 }],
        by_browser: [{ name: "Firefox 140 on Linux", count: 1 }],
        by_release: [{ name: "2026.11", count: 1 }],
      },
    },
    shows: [
      "One sign-out was reported.",
      "Token expired",
      "Not said",
      "1 minute, 30 seconds",
      "by its own account",
    ],
  },
  "the audit log": {
    path: "/admin/audit-log?kind=session_ended",
    answers: {
      "GET /api/v1/admin/events": {
        events: [
          { ...EVENT, detail: { refresh_count: 3, remembered: true } },
          {
            ...EVENT,
            id: "evt_2",
            kind: "act",
            cause: "status",
            detail: { was: "active", became: "suspended", reason: "does not pay" },
          },
        ],
        before: null,
      },
    },
    shows: [
      "Session ended",
      "admin_revoked",
      "R-7K3M-Q9TD",
      "Refresh count3",
      "active → suspended",
      "does not pay",
      "Export CSV",
    ],
  },
  settings: {
    path: "/admin/settings",
    answers: {
      "GET /api/v1/admin/settings": {
        settings: [
          { key: "session.remembered_lifetime", value: "20d", origin: "default", secret: false },
          { key: "stripe.webhook_secret", value: "set", origin: "environment", secret: true },
        ],
      },
    },
    shows: ["session.remembered_lifetime", "20d", "Default", "Environment"],
  },
  "an address that leads nowhere": { path: "/admin/x/y", answers: {}, shows: ["There is no such page"] },
};

test.each(Object.entries(PAGES))("%s", async (_, { path, answers, shows }) => {
  const { requests } = open(path, answers);
  for (const sentence of shows) await seen(sentence);
  expect(document.querySelector("[data-part=failure]")).toBeNull();
  expect(document.title).toMatch(/^.+ · Console · Tenure$/);
  expect(requests.every(({ url }) => url.startsWith("/api/v1/admin/"))).toBe(true);
});

test("a list goes on where it stopped, and is at its end when a page is not full", async () => {
  const of = (count: number, from: number) =>
    Array.from({ length: count }, (_, index) => ({
      ...EVENT,
      id: `evt_${from + index}`,
      cause: `cause-${from + index}`,
    }));
  const { requests } = open("/admin/audit-log?kind=act", {
    "GET /api/v1/admin/events": ({ url }) =>
      url.includes("before=") ? { events: of(2, 50), before: null } : { events: of(50, 0), before: "evt_49" },
  });
  await seen("cause-49");
  await press("Show more");
  await seen("cause-51");
  expect(text()).toContain("cause-0");
  expect(requests.at(-1)?.url).toBe("/api/v1/admin/events?kind=act&limit=50&before=evt_49");
  await until(() => expect(text()).not.toContain("Show more"));
});

test("the look-up box leads from a receipt to its session, and says so where there is none", async () => {
  const found = { events: [EVENT], before: null };
  const { requests } = open("/admin/x", {
    "GET /api/v1/admin/events": ({ url }) =>
      url.includes("R-7K3M-Q9TD") ? found : { events: [], before: null },
    [`GET /api/v1/admin/sessions/${SES}`]: SESSION,
  });
  await seen("There is no such page");
  const box = document.querySelector<HTMLInputElement>("[name=lookup]");
  const look = (typed: string) => {
    if (box) box.value = typed;
    box?.form?.requestSubmit();
  };
  look("r-0000-0000");
  await seen("No end of a session has the receipt R-0000-0000.");
  look("r7k3m q9td".replace(" ", ""));
  await until(() => expect(location.pathname).toBe(`/admin/sessions/${SES}`));
  expect(requests[1]?.url).toBe("/api/v1/admin/events?kind=session_ended&subject=R-0000-0000&limit=1");
  expect(text()).not.toContain("No end of a session");
});

test("filters go into the address, the focus stays where it was, and going back sets them back", async () => {
  const { requests } = open("/admin/users", { "GET /api/v1/admin/users": { users: [], next: null } });
  await seen("Nobody fits these filters.");
  await type("q", " ada ");
  const apply = await button("Apply");
  apply.focus();
  apply.click();
  await until(() => expect(location.search).toBe("?q=ada"));
  await until(() => expect(requests.at(-1)?.url).toBe("/api/v1/admin/users?q=ada&limit=50"));
  expect(document.activeElement).toBe(apply);
  history.back();
  await until(() => expect(location.search).toBe(""));
  await until(async () => expect((await field("q")).value).toBe(""));
  expect(requests.at(-1)?.url).toBe("/api/v1/admin/users?limit=50");
});
