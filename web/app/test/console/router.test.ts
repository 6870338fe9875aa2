import { expect, test } from "vitest";
import { linkTo, type PageName, placeOf } from "../../src/console/router.js";

const at = (path: string, base = "") => placeOf(new URL(path, "https://id.example.com"), base);

test.each([
  ["/admin", "overview", ""],
  ["/admin/", "overview", ""],
  ["/admin/users", "users", ""],
  ["/admin/users/", "users", ""],
  ["/admin/users/usr_1", "user", "usr_1"],
  ["/admin/sessions/ses_1", "session", "ses_1"],
  ["/admin/accounts/a%20b", "account", "a b"],
  ["/admin/api-keys", "apiKeys", ""],
  ["/admin/audit-log", "audit", ""],
  ["/admin/users/usr_1/x", null, ""],
  ["/admin/nowhere", null, ""],
  ["/admin/users/%ff", null, ""],
])("%s is the page %s", (path, page, id) => {
  expect(at(path)).toMatchObject({ page, id });
});

test("filters are read from the address", () => {
  expect(at("/admin/users?q=Ada+L&role=admin").query).toEqual({ q: "Ada L", role: "admin" });
});

test.each(["", "/id", "/admin"])("below %s every link leads to its page", (base) => {
  const pages: [PageName, string][] = [
    ["overview", ""],
    ["users", ""],
    ["user", "usr_1"],
    ["session", "a/b?c#d"],
    ["signingKeys", ""],
    ["settings", ""],
  ];
  for (const [page, id] of pages) expect(at(linkTo(base, page, id), base)).toMatchObject({ page, id });
  expect(at(linkTo(base, "users", "", { q: "a&b", role: "" }), base).query).toEqual({ q: "a&b" });
});
