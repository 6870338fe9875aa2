// @vitest-environment jsdom

// Every page before answers as the contract has them.

import { expect, test } from "vitest";
import { button, dialog, field, open, press, seen, text, type, until } from "./console.js";
import { type Answer, problem } from "./server.js";

const NOW = 1_795_000_000_000;
const ID = "0199c0a41c3b7d0ea1f0b2c3d4e5f607";
const SES = `ses_${ID}`;
const USR = `usr_${ID}`;
const GONE = `usr_${"9".repeat(32)}`;
const ACC = `acc_${ID}`;
const END = {
  reason: "admin_revoked",
  actor: `admin:${USR}`,
  actor_email: "root@example.com",
  at: NOW,
  note: "lost laptop",
  receipt: "R-7K3M-Q9TD",
};
const SESSION = {
  id: SES,
  user: USR,
  email: "ada@example.com",
  remembered: true,
  created_at: NOW - 86_400_000,
  expires_at: NOW + 19 * 86_400_000,
  last_used_at: NOW,
  refresh_count: 1234,
  address: "203.0.113.9",
  browser: "Chrome 120 on Windows",
  end: END,
  unexplained: null,
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
  evidence: { answer: { status: 403, path: "/api/reports", ago_ms: 12 }, tokens_from_tabs: 3 },
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
        unexplained_claimed: 0,
        hours: [
          {
            at: NOW,
            refresh: { rotated: 98, repeated: 1, storage_unavailable: 1 },
            sign_ins: { ok: 5, failed: 2, throttled: 0 },
            ends: { signed_out: 3 },
            unexplained: 0,
            unexplained_claimed: 0,
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
        unexplained_claimed: 5,
        hours: [],
      },
    },
    shows: ["and 5 claimed, not verified", "See which, and why", "–", "No session has ended."],
  },
  sessions: {
    path: "/admin/sessions?state=ended",
    answers: { "GET /api/v1/admin/sessions": { sessions: [SESSION], next: SES } },
    shows: ["Chrome 120 on Windows", "Ended by an administrator", "203.0.113.9", "ada@example.com"],
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
        spans: [],
        timeline: [
          {
            at: NOW,
            what: "session_ended",
            sentence: `Session ended: An administrator ended it, admin:${USR}.`,
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
      "Session ended: An administrator ended it, admin:usr_0199c0a4…f607.",
      "Session of ada@example.com",
      "administrator root@example.com",
      "The server wrote it down",
      "1,234",
    ],
  },
  "a session that a front end has ended by itself": {
    path: `/admin/sessions/${SES}`,
    answers: {
      [`GET /api/v1/admin/sessions/${SES}`]: {
        ...SESSION,
        end: null,
        expires_at: Date.now() + 86_400_000,
        unexplained: "verified",
      },
      [`GET /api/v1/admin/sessions/${SES}/timeline`]: {
        session: SES,
        verdict: { cause: "unexplained", sentence: "The server has ended nothing.", scenario: "A" },
        receipt: {
          what: { verdict: "said above", user: USR },
          why: {},
          when: { signed_in: NOW, time_left_then: 90_000 },
          how: { refreshes: 90_000, access_left: 1_884_000, clock_behind: 432_000 },
        },
        spans: ["time_left_then", "access_left", "clock_behind"],
        timeline: [],
      },
    },
    shows: [
      "scenario A",
      "End session",
      "Live",
      "Unexplained",
      "usr_0199c0a4…f607",
      "Time left then1 minute, 30 seconds",
      "Refreshes90000Access left31 minutes, 24 secondsClock behind7 minutes, 12 seconds",
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
          {
            kid: "k1",
            created_at: NOW,
            activates_at: NOW,
            retires_at: null,
            state: "signs",
            may_retire: false,
          },
          {
            kid: "k0",
            created_at: NOW,
            activates_at: NOW,
            retires_at: NOW,
            state: "retired",
            may_retire: false,
          },
        ],
      },
    },
    shows: ["k1", "Signs", "Retired", "Rotate"],
  },
  "client reports": {
    path: "/admin/client-reports",
    answers: {
      "GET /api/v1/admin/client-reports": { reports: [REPORT], next: 7, people: {} },
      "GET /api/v1/admin/client-reports/stats": {
        since: NOW,
        total: 1,
        by_type: [{ name: "TOKEN_EXPIRED", count: 1 }],
        by_reason: [{ name: null, count: 1 }],
        by_idle: [{ name: "2-10 minutes", count: 1 }],
        by_browser: [{ name: "Firefox 140 on Linux", count: 1 }],
        by_release: [{ name: "2026.11", count: 1 }],
      },
    },
    shows: [
      "One sign-out was reported.",
      "Token expired",
      "Not said",
      "1 minute, 30 seconds",
      "claimed, not verified",
      "/orders",
      "/api/reports",
      "Ago12 ms",
      "Tokens from tabs",
      "2-10 minutes",
    ],
  },
  "the overview, answered by a node of an older version": {
    path: "/admin",
    answers: {
      "GET /api/v1/admin/overview": {
        ...{ now: NOW, sessions_active: 0, sessions_remembered: 0, unexplained_ends: 2, hours: [] },
      },
    },
    shows: ["See which, and why"],
  },
  "the audit log, answered by a node of an older version": {
    path: "/admin/audit-log",
    answers: { "GET /api/v1/admin/events": { events: [EVENT], before: null } },
    shows: [USR],
  },
  "sessions, answered by a node of an older version": {
    path: "/admin/sessions",
    answers: {
      "GET /api/v1/admin/sessions": { sessions: [{ ...SESSION, email: undefined }], next: null },
    },
    shows: ["Chrome 120 on Windows", USR],
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
          { ...EVENT, id: "evt_3", user: GONE, actor: "admin:joe" },
        ],
        before: null,
        people: { [USR]: "ada@example.com" },
      },
    },
    shows: [
      "Session ended",
      "admin_revoked",
      "R-7K3M-Q9TD",
      "Refresh count3",
      "active → suspended",
      "does not pay",
      "administrator ada@example.com",
      "administrator joe",
      "deleted user usr_99999999…9999",
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
  const LAST = { events: of(2, 50), before: null, people: {} };
  const { requests } = open("/admin/audit-log?kind=act", {
    "GET /api/v1/admin/events": ({ url }) =>
      url.includes("before=") ? LAST : { ...LAST, events: of(50, 0), before: "evt_49" },
  });
  await seen("cause-49");
  await press("Show more");
  await seen("cause-51");
  expect(text()).toContain("cause-0");
  expect(requests.at(-1)?.url).toBe("/api/v1/admin/events?kind=act&limit=50&before=evt_49");
  await until(() => expect(text()).not.toContain("Show more"));
});

test("of what nothing is known there is no heading", async () => {
  const { path, answers } = PAGES["a session that a front end has ended by itself"] ?? {
    path: "",
    answers: {},
  };
  open(path, answers);
  await seen("1 minute, 30 seconds");
  const headings = [...document.querySelectorAll(".receipt > div > dt")].map((dt) => dt.textContent);
  expect(headings).toEqual(["What", "When", "How"]);
});

test("the look-up box leads from a receipt to its session, and says so where there is none", async () => {
  const found = { events: [EVENT], before: null, people: {} };
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

test("what was found by one filter never stands below another that was refused", async () => {
  const { requests } = open("/admin/sessions?state=all", {
    "GET /api/v1/admin/sessions": ({ url }) => {
      if (!url.includes("user=")) return { sessions: [SESSION], next: null };
      if (url.includes("user=bob")) throw new TypeError("Failed to fetch");
      return problem(422, "validation_failed", "request");
    },
  });
  for (const [user, says] of [
    ["nobody", "Please check what you entered."],
    ["bob", "The server cannot be reached."],
  ] as const) {
    await seen("203.0.113.9");
    await type("user", user);
    await press("Apply");
    await seen(says);
    expect(text()).not.toContain("203.0.113.9");
    history.back();
  }
  await seen("203.0.113.9");
  expect(requests.filter(({ url }) => url.includes("user=")).length).toBe(2);
});

test("what is read again stays while it cannot be", async () => {
  let isUp = true;
  const { path, answers } = PAGES["the overview of a quiet day"] ?? { path: "", answers: {} };
  const [overview = {}] = Object.values(answers);
  const down = problem(503, "storage_unavailable", "transport");
  open(path, { "GET /api/v1/admin/overview": () => (isUp ? overview : down) });
  await seen("1,284");
  isUp = false;
  await press("Read again");
  await seen("The server says storage_unavailable.");
  expect(text()).toContain("1,284");
});

test("from the number of what is unexplained it is one step to which, and one more to why", async () => {
  const { answers } = PAGES["the overview of a bad one"] ?? { answers: {} };
  const said = { kind: "unexplained_end", actor: null, cause: "TOKEN_EXPIRED" };
  const { requests } = open("/admin", {
    ...answers,
    "GET /api/v1/admin/client-reports/stats": {
      ...{ since: NOW, total: 0, by_type: [], by_reason: [], by_idle: [], by_browser: [], by_release: [] },
    },
    "GET /api/v1/admin/events": {
      events: [
        { ...EVENT, ...said, detail: { verified: true, reason: "app_timer", idle_ms: 90_000 } },
        { ...EVENT, ...said, id: "evt_2", user: null, detail: { verified: false } },
      ],
      before: null,
      people: { [USR]: "ada@example.com" },
    },
  });
  await press("See which, and why");
  await seen("claimed, not verified");
  const rows = [...document.querySelectorAll('[data-name="Report"]')].map((cell) => cell.textContent);
  expect(rows).toEqual(["Verified", "Claimed"]);
  for (const known of ["ada@example.com", "app_timer", "1 minute, 30 seconds"])
    expect(text()).toContain(known);
  const asked = requests.find(({ url }) => url.includes("/admin/events"))?.url;
  expect(asked).toMatch(/events\?kind=unexplained_end&since=\d+&limit=50$/);
  await press("ses_0199c0a4…f607");
  expect(location.pathname).toBe(`/admin/sessions/${SES}`);
});

test("a key that may be in wrong hands is followed by one that signs at once, and only what can be retired is offered", async () => {
  const key = { created_at: NOW, activates_at: NOW, retires_at: null };
  let keys = [{ ...key, kid: "k0", state: "signs", may_retire: false }];
  const { requests } = open("/admin/signing-keys", {
    "GET /api/v1/admin/signing-keys": () => ({ keys }),
    "POST /api/v1/admin/signing-keys/rotate": () => {
      keys = [
        { ...key, kid: "k1", state: "signs", may_retire: false },
        { ...key, kid: "k0", state: "verifies", may_retire: true },
      ];
      return keys[0] ?? {};
    },
  });
  await seen("k0");
  expect(text()).not.toContain("Retire k0");
  expect(document.querySelector('[aria-label^="Retire"]')).toBeNull();
  await press("Rotate");
  await field("now").then((box) => box.click());
  await type("reason", "leaked");
  await press("Rotate", await dialog());
  await button("Retire k0");
  expect(document.querySelectorAll('[aria-label^="Retire"]')).toHaveLength(1);
  const sent = requests.find(({ init }) => init.method === "POST");
  expect(JSON.parse(String(sent?.init.body))).toEqual({ now: true, reason: "leaked" });
});

test("a moment can be held against a log: to the second with its zone, and as the log writes it", async () => {
  const { path, answers } = PAGES["the audit log"] ?? { path: "", answers: {} };
  open(path, answers);
  await seen("Session ended");
  const time = document.querySelector("td time");
  expect(time?.textContent).toMatch(/:\d\d:\d\d.+\S+$/);
  expect(time?.getAttribute("title")).toContain(new Date(NOW).toISOString());
});

test("each session has a title of its own", async () => {
  const { path, answers } = PAGES["a session that has ended"] ?? { path: "", answers: {} };
  open(path, answers);
  await seen("Session of ada@example.com");
  await until(() =>
    expect(document.title).toBe("Session of ada@example.com, ses_0199c0a4…f607 · Console · Tenure"),
  );
});
