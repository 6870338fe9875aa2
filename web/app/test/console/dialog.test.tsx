// @vitest-environment jsdom

import { expect, test } from "vitest";
import { button, dialog, field, open, press, seen, type, until } from "./console.js";
import { problem } from "./server.js";

const ID = `usr_${"2".repeat(32)}`;
const ADA = {
  id: ID,
  email: "ada@example.com",
  name: "Ada",
  role: "user",
  account_id: null,
  disabled_at: null,
  created_at: 1_795_000_000_000,
  has_password: true,
};
const PAGE = {
  [`GET /api/v1/admin/users/${ID}`]: ADA,
  "GET /api/v1/admin/sessions": { sessions: [], next: null },
  "GET /api/v1/admin/events": { events: [], before: null, people: {} },
  "GET /api/v1/admin/acts": { acts: [], people: {} },
};
const FRESH = problem(403, "fresh_password_required", "authorization");

test("the focus goes in, Escape closes it, and the focus comes back", async () => {
  open(`/admin/users/${ID}`, PAGE);
  const opener = await button("Disable");
  opener.focus();
  opener.click();
  const shown = await dialog();
  await until(() => expect(document.activeElement?.textContent).toBe("Disable Ada"));
  expect(shown.contains(document.activeElement)).toBe(true);
  dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  await until(() => expect(document.querySelector("dialog")).toBeNull());
  expect(document.activeElement).toBe(opener);
});

test("an act is sent with its reason, and what the page shows is read again", async () => {
  const { requests } = open(`/admin/users/${ID}`, {
    ...PAGE,
    [`POST /api/v1/admin/users/${ID}/disable`]: { ended_sessions: 2 },
  });
  await press("Disable");
  await type("reason", "  asked by phone ");
  await press("Disable", await dialog());
  await seen("Ada is disabled. 2 sessions have ended.");
  // The button may be gone with what it did; what was done has the focus.
  await until(() =>
    expect(document.activeElement?.textContent).toBe("Ada is disabled. 2 sessions have ended."),
  );
  const sent = requests.find(({ init }) => init.method === "POST");
  expect(JSON.parse(String(sent?.init.body))).toEqual({ reason: "asked by phone" });
  const reads = () => requests.filter(({ url }) => url.endsWith(`/users/${ID}`)).length;
  await until(() => expect(reads()).toBe(2));
});

test("what the server finds wrong is said at the field, and what was typed stays", async () => {
  open(`/admin/users/${ID}`, {
    ...PAGE,
    [`POST /api/v1/admin/users/${ID}/disable`]: problem(422, "validation_failed", "request", {
      errors: [{ field: "reason", code: "not_a_reason", message: "a reason has no control characters" }],
    }),
  });
  await press("Disable");
  await type("reason", "because");
  await press("Disable", await dialog());
  await seen("A reason has no control characters");
  const reason = await field("reason");
  expect(reason.value).toBe("because");
  expect(reason.getAttribute("aria-invalid")).toBe("true");
  const described = (reason.getAttribute("aria-describedby") ?? "").split(" ");
  expect(described.map((id) => document.getElementById(id)?.textContent)).toContain(
    "A reason has no control characters",
  );
});

test("a network that fails keeps what was typed, and the second try is the same act", async () => {
  let isUp = false;
  const { requests } = open(`/admin/users/${ID}`, {
    ...PAGE,
    [`POST /api/v1/admin/users/${ID}/sign-out`]: () => {
      if (!isUp) throw new TypeError("Failed to fetch");
      return { ended_sessions: 0 };
    },
  });
  await press("Sign out everywhere");
  await type("reason", "lost phone");
  await press("Sign out everywhere", await dialog());
  await seen("The server cannot be reached. What you entered is still here.");
  expect((await field("reason")).value).toBe("lost phone");
  isUp = true;
  await press("Sign out everywhere", await dialog());
  await seen("Ada is signed out everywhere.");
  const bodies = requests.filter(({ init }) => init.method === "POST").map(({ init }) => init.body);
  expect(bodies).toEqual(['{"reason":"lost phone"}', '{"reason":"lost phone"}']);
});

test("asked for the password, the act waits for it and is done then, without being typed again", async () => {
  let confirmed = false;
  const { requests } = open(`/admin/users/${ID}`, {
    ...PAGE,
    [`DELETE /api/v1/admin/users/${ID}`]: () => (confirmed ? { ended_sessions: 1 } : FRESH),
    "GET /api/v1/admin/users": { users: [], next: null },
    "POST /api/v1/admin/session/confirm": ({ init }) => {
      confirmed = String(init.body) === '{"password":" right "}';
      return confirmed ? {} : problem(401, "invalid_credentials", "request");
    },
  });
  await press("Delete");
  await type("reason", "asked to be forgotten");
  await press("Delete for ever", await dialog());
  await seen("Confirm that it is you");
  await until(() => expect(document.activeElement?.textContent).toBe("Confirm that it is you"));
  await type("password", "wrong");
  await press("Go on", await dialog());
  await seen("That is not your password.");
  // Spaces belong to a password.
  await type("password", " right ");
  await press("Go on", await dialog());
  await seen("Ada is deleted. One session has ended.");
  const deletions = requests.filter(({ init }) => init.method === "DELETE").map(({ url }) => url);
  expect(deletions).toEqual(Array(2).fill(`/api/v1/admin/users/${ID}?reason=asked+to+be+forgotten`));
  expect(location.pathname).toBe("/admin/users");
});

test("the link for a new password is shown once, to be copied", async () => {
  const link = "https://id.example.com/reset-password#token=t0ken";
  open(`/admin/users/${ID}`, {
    ...PAGE,
    [`POST /api/v1/admin/users/${ID}/password-reset`]: { link, expires_at: 1_795_086_400_000 },
  });
  await press("Reset the password");
  await type("reason", "forgotten");
  await press("Make a link", await dialog());
  await seen("The link for a new password");
  expect(document.querySelector<HTMLInputElement>("input[readonly]")?.value).toBe(link);
  await press("Close", await dialog());
  await until(() => expect(document.querySelector("dialog")).toBeNull());
  expect(document.body.innerHTML).not.toContain("t0ken");
});
