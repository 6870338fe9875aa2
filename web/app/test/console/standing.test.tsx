// @vitest-environment jsdom

import { expect, test } from "vitest";
import { button, field, ME, open, press, seen, text, type, until } from "./console.js";
import { problem } from "./server.js";

const OVER = problem(401, "access_token_missing", "authentication");
const LIST = { "GET /api/v1/admin/users": { users: [], next: null } };

test("who is not signed in gets the form, and then the page they came for", async () => {
  let isIn = false;
  const { requests } = open("/admin/users?q=ada", {
    ...LIST,
    "GET /api/v1/admin/session": () => (isIn ? ME : OVER),
    "POST /api/v1/admin/session": () => {
      isIn = true;
      return ME;
    },
  });
  await seen("tenure admin create");
  await type("email", " root@example.com ");
  await type("password", " spaces count ");
  await press("Sign in");
  await seen("Nobody fits these filters.");
  const sent = requests.find(({ init }) => init.method === "POST");
  expect(JSON.parse(String(sent?.init.body))).toEqual({
    email: "root@example.com",
    password: " spaces count ",
  });
  expect(requests.at(-1)?.url).toBe("/api/v1/admin/users?q=ada&limit=50");
});

test.each([
  [402, "plan_required", "authorization"],
  [403, "permission_denied", "authorization"],
  [500, "internal_error", "transport"],
  [503, "storage_unavailable", "transport"],
])(
  "a %i signs nobody out: the sentence is shown with code and request, and can be tried again",
  async (status, code, of) => {
    let works = false;
    const { requests } = open("/admin/users", {
      "GET /api/v1/admin/users": () => (works ? { users: [], next: null } : problem(status, code, of)),
    });
    await seen(`The server says ${code}.`);
    await seen(`Code ${code} · Request req_1`);
    expect(text()).toContain("root@example.com");
    expect(requests.filter(({ url }) => url.endsWith("/session"))).toHaveLength(1);
    works = true;
    await press("Try again");
    await seen("Nobody fits these filters.");
  },
);

test("a 401 of something else is a doubt: while the session stands, nobody is signed out", async () => {
  const { requests } = open("/admin/users", { "GET /api/v1/admin/users": OVER });
  await until(() => expect(requests.filter(({ url }) => url.endsWith("/session"))).toHaveLength(2));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(document.querySelector("dialog")).toBeNull();
  expect(text()).toContain("root@example.com");
});

test("neither is anybody when the session cannot be asked for", async () => {
  let isUp = false;
  open("/admin/users", {
    ...LIST,
    "GET /api/v1/admin/session": () => (isUp ? ME : problem(503, "storage_unavailable", "transport")),
  });
  await seen("The server says storage_unavailable.");
  expect(document.querySelector("[name=password]")).toBeNull();
  isUp = true;
  await press("Try again");
  await seen("Nobody fits these filters.");
});

test("when it is over, the form comes above the page, and what was typed there is still there", async () => {
  let isIn = true;
  open("/admin/users", {
    "GET /api/v1/admin/users": () => (isIn ? { users: [], next: null } : OVER),
    "GET /api/v1/admin/session": () => (isIn ? ME : OVER),
    "POST /api/v1/admin/session": () => {
      isIn = true;
      return { ...ME, created_at: ME.created_at + 1 };
    },
  });
  await seen("Nobody fits these filters.");
  await press("Create a user");
  await type("name", "Grace");
  await type("email", "grace@example.com");
  await type("reason", "new colleague");
  isIn = false;
  const form = (await field("reason")).form;
  form?.requestSubmit();
  // Nothing is made up here: the route that creates is not among the answers, so a 404 comes, which is no doubt.
  await seen("The server says not_found.");
  expect(document.querySelectorAll("dialog[open]")).toHaveLength(1);
  await press("Cancel");
  await type("q", "grace");
  await press("Apply");
  await seen("Your time in the console is over");
  await type("password", "right");
  await press("Sign in");
  await until(() => expect(document.querySelector("dialog")).toBeNull());
  await seen("Nobody fits these filters.");
  expect((await field("q")).value).toBe("grace");
  expect(location.search).toBe("?q=grace");
});

test("what somebody may not do is not offered", async () => {
  open("/admin/users", { ...LIST, "GET /api/v1/admin/session": { ...ME, permissions: ["admin.read"] } });
  await seen("Nobody fits these filters.");
  expect(text()).not.toContain("Create a user");
});

test("signing out asks the server first: while it does not answer, nobody is shown as signed out", async () => {
  let isUp = false;
  open("/admin/users", {
    ...LIST,
    "DELETE /api/v1/admin/session": () => (isUp ? 204 : problem(503, "storage_unavailable", "transport")),
  });
  await press("Sign out");
  await seen("The server says storage_unavailable.");
  expect(text()).toContain("root@example.com");
  isUp = true;
  (await button("Sign out")).click();
  await seen("tenure admin create");
  expect(text()).not.toContain("root@example.com");
});
