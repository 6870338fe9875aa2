/** The administrators' console: every page as it looks, and what administrators do with it, on the real server. */

import type { Page } from "@playwright/test";
import { complaintsOf, looksRight } from "../support/looks.js";
import { type Person, Server } from "../support/server.js";
import { signIn, stateOf, untilState } from "../support/tab.js";
import { expect, test } from "../support/test.js";

const PAGES: Record<string, string> = {
  Overview: "/admin",
  Users: "/admin/users",
  Sessions: "/admin/sessions?state=all",
  Accounts: "/admin/accounts",
  Plans: "/admin/plans",
  "API keys": "/admin/api-keys",
  "Signing keys": "/admin/signing-keys",
  "Client reports": "/admin/client-reports",
  "Audit log": "/admin/audit-log",
  Settings: "/admin/settings",
};

async function enter(page: Page, server: Server, path = "/admin"): Promise<Person> {
  const root = await server.person("superuser");
  await page.goto(server.api + path);
  await signInAs(page, root);
  await expect(page.getByRole("navigation", { name: "Console" })).toBeVisible();
  return root;
}

async function signInAs(page: Page, { email, password }: Person): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByRole("textbox", { name: "Password" }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Everything was read, and nothing of it was refused. */
async function settled(page: Page, heading: string): Promise<void> {
  await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
  expect(await page.locator("[data-part=failure]").allTextContents()).toEqual([]);
}

/** Opens the act's dialog, says why, and does it. */
async function act(page: Page, opener: string, confirm: string, reason = "asked by phone"): Promise<void> {
  await page.getByRole("main").getByRole("button", { name: opener, exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name: confirm, exact: true }).click();
}

const addressOf = (server: Server, of: Person) => `${server.api}/admin/users/${of.id}`;

test("the sign-in looks right, refuses a stranger and tells how the first account is made", async ({
  page,
  server,
  person,
}) => {
  const complaints = await complaintsOf(page);
  await page.goto(`${server.api}/admin/users`);
  await page.getByText("There is no account to sign in with yet").click();
  await expect(page.getByText("tenure admin create")).toBeVisible();
  await signInAs(page, { ...person, password: "something else entirely" });
  await expect(page.getByRole("alert")).toContainText("E-mail or password is wrong.");
  await expect(page.getByLabel("E-mail")).toHaveValue(person.email);
  await looksRight(page, "console sign-in, refused");
  // Somebody without a right is told so, and signed in nowhere.
  await signInAs(page, person);
  await expect(page.getByRole("alert")).toContainText("permission_denied");
  expect(complaints).toEqual([]);
});

for (const [heading, path] of Object.entries(PAGES)) {
  test(`${heading}: axe finds nothing in light or dark, 320 px need no sideways scroll, the policy has no complaint`, async ({
    page,
    tab,
    server,
    person,
  }) => {
    const complaints = await complaintsOf(page);
    await signIn(await tab(), person);
    await enter(page, server, path);
    await settled(page, heading);
    await looksRight(page, `console ${heading}`);
    // A page is an address: read again, it is the same page, and nobody has to sign in again.
    await page.reload();
    await settled(page, heading);
    expect(complaints).toEqual([]);
  });
}

test("the server takes every filter that a page offers", async ({ page, server }) => {
  await enter(page, server);
  const lists = {
    "audit-log": "events",
    "client-reports": "client-reports",
    users: "users",
    sessions: "sessions",
  };
  for (const [path, list] of Object.entries(lists)) {
    await page.goto(`${server.api}/admin/${path}`);
    await expect(page.getByRole("form", { name: "Filters" })).toBeVisible();
    // These two are the page's own.
    const choices = page.locator("form.filters select:not([name=hours], [name=verdict])");
    const offered = await choices.evaluateAll((selects) =>
      selects.flatMap((select) => {
        const { name, options } = select as HTMLSelectElement;
        return [...options].map(({ value }) => [name, value] as const).filter(([, value]) => value);
      }),
    );
    expect(offered).not.toEqual([]);
    for (const [name, value] of offered) {
      const answer = await page.request.get(`${server.api}/api/v1/admin/${list}?${name}=${value}&limit=1`);
      expect(answer.status(), `${list}?${name}=${value}`).toBe(200);
    }
  }
});

test("a sign-out that nothing explains is two steps away from its number, and marked at the person's page", async ({
  page,
  tab,
  server,
  person,
}) => {
  const theirs = await tab();
  const session = await signIn(theirs, person);
  const claim = { type: "TOKEN_EXPIRED", session, idleMinutes: 25, location: "/dashboard" };
  expect((await page.request.post(`${server.api}/api/v1/auth/logout-event`, { data: claim })).status()).toBe(
    202,
  );
  await enter(page, server, "/admin/client-reports?verdict=unexplained");
  // It is written down a moment after it was reported.
  const row = page.getByRole("row").filter({ has: page.locator(`[title=${session}]`) });
  await expect(async () => {
    await page.reload();
    await settled(page, "Client reports");
    await expect(row).toContainText("Claimed", { timeout: 1000 });
  }).toPass();
  await looksRight(page, "console unexplained");
  await page.goto(addressOf(server, person));
  const sessions = page.getByRole("table", { name: "Sessions" });
  await expect(sessions).toContainText("LiveUnexplained, claimed");
  await page.goto(`${server.api}/admin/client-reports?verdict=unexplained`);
  await row.getByRole("link").first().click();
  await settled(page, `Session of ${person.email}`);
  await expect(page.getByRole("region", { name: "Verdict" })).toContainText("unexplained");
  await page.goto(`${server.api}/admin/sessions`);
  await settled(page, "Sessions");
  await expect(page.getByRole("row").filter({ hasText: person.email })).toContainText("Unexplained");
  await looksRight(page, "console sessions, marked");
});

test("a key that somebody else may have is dealt with: another signs at once, and it is retired", async ({
  page,
  tab,
  server,
  person,
}) => {
  const theirs = await tab();
  await signIn(theirs, person);
  await enter(page, server, "/admin/signing-keys");
  await settled(page, "Signing keys");
  // Without it no key would sign, so that is not offered.
  const retire = page.getByRole("button", { name: /^Retire/ });
  await expect(page.getByRole("row").filter({ hasText: "Signs" }).getByRole("button")).toHaveCount(0);
  const offered = await retire.count();
  await page.getByRole("button", { name: "Rotate" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Sign with it at once").check();
  await looksRight(page, "console rotate");
  await dialog.getByLabel("Reason").fill("leaked");
  await dialog.getByRole("button", { name: "Rotate", exact: true }).click();
  await expect(page.getByText("There is a new key.")).toBeVisible();
  await expect(retire).toHaveCount(offered + 1);
  await retire.first().click();
  await dialog.getByLabel("Reason").fill("leaked");
  await dialog.getByRole("button", { name: "Retire", exact: true }).click();
  await expect(page.getByText("is retired.")).toBeVisible();
  await expect(retire).toHaveCount(offered);
  await theirs.reload();
  await untilState(theirs, { status: "signedIn" });
});

test("people are found by their address, and nobody's sessions stand below another's filter", async ({
  page,
  tab,
  server,
  person,
}) => {
  await signIn(await tab(), person);
  await enter(page, server, "/admin/sessions");
  const field = page.getByLabel("User", { exact: true });
  const apply = page.getByRole("button", { name: "Apply" });
  const table = page.getByRole("table", { name: "Sessions" });
  await field.fill(person.email.toUpperCase());
  await apply.click();
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(table).toContainText("Live");
  await page.context().setOffline(true);
  await field.fill("nobody@example.com");
  await apply.click();
  await expect(page.getByRole("alert")).toContainText("The server cannot be reached.");
  await expect(table).toHaveCount(0);
  await page.context().setOffline(false);
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("alert")).toContainText("nobody has this address");
  await expect(table).toHaveCount(0);
  await page.goto(`${server.api}/admin/audit-log?user=${encodeURIComponent(person.email)}`);
  await settled(page, "Audit log");
  await expect(page.getByRole("table", { name: "Events" })).toContainText("Signed in");
});

test("a user and their session look right, and lead to each other", async ({ page, tab, server, person }) => {
  const complaints = await complaintsOf(page);
  const session = await signIn(await tab(), person);
  await enter(page, server, `/admin/users/${person.id}`);
  await settled(page, person.name);
  // What was done to somebody is in the story of their session, by whoever did it.
  await page.getByRole("button", { name: "Change role or account" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Role", { exact: true }).selectOption("developer");
  await dialog.getByLabel("Reason").fill("joins the team");
  await dialog.getByRole("button", { name: "Change", exact: true }).click();
  await expect(page.getByText(`${person.name} is changed.`)).toBeVisible();
  await looksRight(page, "console user");
  await page.getByRole("table", { name: "Sessions" }).getByRole("link").first().click();
  await settled(page, `Session of ${person.email}`);
  expect(await page.title()).toMatch(/^Session of .+, ses_.+ · Console · Tenure$/);
  expect(new URL(page.url()).pathname).toBe(`/admin/sessions/${session}`);
  await expect(
    page.getByRole("region", { name: "What happened" }).getByRole("listitem").first(),
  ).toBeVisible();
  await looksRight(page, "console session");
  await expect(page.getByRole("link", { name: person.email })).toBeVisible();
  await page.goBack();
  await settled(page, person.name);
  await page.goForward();
  await settled(page, "Session");
  expect(complaints).toEqual([]);
});

test("an account looks right, is given a plan, and its members are not signed out by it", async ({
  page,
  tab,
  server,
  person,
}) => {
  const member = await tab();
  await signIn(member, person);
  await enter(page, server, "/admin/plans");
  const slug = `plan-${person.id.slice(-8)}`;
  await page.getByRole("button", { name: "Create a plan" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Short name").fill(slug);
  await dialog.getByLabel("Name", { exact: true }).fill(`Plan of ${person.name}`);
  await dialog.getByLabel("Limits").fill("seats: many");
  await dialog.getByLabel("Reason").fill("a new offer");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog.getByText("“seats: many” is no limit of its own").first()).toBeVisible();
  await dialog.getByLabel("Limits").fill("seats = 5\nprojects = unlimited");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText(`The plan Plan of ${person.name} is saved.`)).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: slug })).toContainText("unlimited projects, 5 seats");

  await page.goto(addressOf(server, person));
  await page.getByRole("link", { name: /^acc_/ }).first().click();
  await page.getByRole("button", { name: "Change status or plan" }).click();
  await dialog.getByLabel("Plan", { exact: true }).selectOption(slug);
  await dialog.getByLabel("Status").selectOption("suspended");
  await looksRight(page, "console account, dialog");
  await dialog.getByLabel("Reason").fill("does not pay");
  await dialog.getByRole("button", { name: "Change", exact: true }).click();
  await expect(page.getByText("is changed.")).toBeVisible();
  await expect(page.getByText("Suspended").first()).toBeVisible();
  await expect(page.getByRole("table", { name: "Acts" })).toContainText("does not pay");
  expect(await stateOf(member)).toMatchObject({ status: "signedIn" });
});

test("a user is created, disabled with a reason, enabled and deleted", async ({
  page,
  server,
  person: { id },
}) => {
  await enter(page, server, "/admin/users");
  const email = `made-${id.slice(-8)}@example.com`;
  await page.getByRole("button", { name: "Create a user" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail").fill(email);
  await dialog.getByLabel("Name").fill("Made Here");
  await dialog.getByLabel("Reason").fill("new colleague");
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Made Here");
  // What was done has the focus, wherever the button was that did it.
  await expect(page.getByText(`${email} is there.`)).toBeFocused();

  await act(page, "Disable", "Disable", "left the company");
  await expect(page.getByText("Made Here is disabled.")).toBeVisible();
  await expect(page.getByRole("table", { name: "Acts" })).toContainText("left the company");
  await act(page, "Enable", "Enable");
  await expect(page.getByText("Made Here can sign in again.")).toBeVisible();
  await act(page, "Delete", "Delete for ever");
  await expect(page.getByText("Made Here is deleted.")).toBeVisible();
  await page.getByRole("searchbox", { name: "Receipt, session" }).fill(email);
  await page.keyboard.press("Enter");
  await expect(page.getByText("Nobody fits these filters.")).toBeVisible();
});

test("a session is ended with a reason, the person is told, and the receipt leads back to it", async ({
  page,
  tab,
  server,
  person,
}) => {
  const theirs = await tab();
  const session = await signIn(theirs, person);
  await enter(page, server, `/admin/sessions/${session}`);
  await settled(page, "Session");
  await act(page, "End session", "End session", "lost laptop");
  await expect(page.getByText("The session has ended.")).toBeVisible();
  // Told at once: the tab asks nobody.
  await untilState(theirs, { status: "signedOut", reason: "admin_revoked" });
  const receipt =
    (await page
      .getByText(/^R-\w{4}-\w{4}$/)
      .first()
      .textContent()) ?? "";
  await page.goto(`${server.api}/admin`);
  await page
    .getByRole("searchbox", { name: "Receipt, session" })
    .fill(receipt.toLowerCase().replaceAll("-", ""));
  await page.keyboard.press("Enter");
  await settled(page, "Session");
  expect(new URL(page.url()).pathname).toBe(`/admin/sessions/${session}`);
  await expect(page.getByText("lost laptop").first()).toBeVisible();
});

test("a link for a new password works once, ends all sessions, and leaves the address bar at once", async ({
  page,
  tab,
  server,
  person,
}) => {
  const theirs = await tab();
  await signIn(theirs, person);
  await enter(page, server, `/admin/users/${person.id}`);
  await act(page, "Reset the password", "Make a link", "forgotten");
  const link = await page.getByRole("textbox", { name: "The link" }).inputValue();

  const reset = await page.context().newPage();
  const complaints = await complaintsOf(reset);
  await reset.goto(link);
  expect(new URL(reset.url()).hash).toBe("");
  await reset.getByLabel("New password", { exact: true }).fill("short");
  await reset.getByRole("button", { name: "Set password" }).click();
  await expect(reset.getByText("Use at least 8 characters.").first()).toBeVisible();
  await looksRight(reset, "reset-password, refused");
  await reset.getByLabel("New password", { exact: true }).fill("quite another way to the sea");
  await reset.getByRole("button", { name: "Set password" }).click();
  await expect(reset.getByText("Your password is set.")).toBeVisible();
  await looksRight(reset, "reset-password, done");
  await untilState(theirs, { status: "signedOut", reason: "password_reset" });

  await reset.goto("about:blank");
  await reset.goto(link);
  await reset.getByLabel("New password", { exact: true }).fill("yet another way to the sea");
  await reset.getByRole("button", { name: "Set password" }).click();
  await expect(reset.getByText("This link is not good any more")).toBeVisible();
  expect(complaints).toEqual([]);
  await reset.goto(`${server.api}/sign-in`);
  await signInAs(reset, { ...person, password: "quite another way to the sea" });
  await expect(reset.getByText(person.name).first()).toBeVisible();
});

test("a link without its token says so, and offers no form", async ({ page, server }) => {
  const complaints = await complaintsOf(page);
  await page.goto(`${server.api}/reset-password`);
  await expect(page.getByText("This address is not the whole link.")).toBeVisible();
  await expect(page.locator("form")).toBeHidden();
  await looksRight(page, "reset-password, no token");
  expect(complaints).toEqual([]);
});

test("what ends somebody's sessions needs a fresh password, and is then done without being typed again", async ({
  page,
}) => {
  const server = await Server.start({ clock: "virtual" });
  try {
    const person = await server.person();
    const root = await enter(page, server, `/admin/users/${person.id}`);
    await server.advance(11 * 60_000);
    await act(page, "Sign out everywhere", "Sign out everywhere");
    const dialog = page.getByRole("dialog");
    const password = dialog.getByRole("textbox", { name: "Your password" });
    await password.fill("something else entirely");
    await dialog.getByRole("button", { name: "Go on" }).click();
    await expect(dialog.getByText("That is not your password.")).toBeVisible();
    await looksRight(page, "console password");
    await password.fill(root.password);
    await dialog.getByRole("button", { name: "Go on" }).click();
    await expect(page.getByText(`${person.name} is signed out everywhere.`)).toBeVisible();
    await expect(page.getByRole("table", { name: "Acts" })).toContainText("asked by phone");
  } finally {
    await server.stop();
  }
});

test("when its time is over, the form comes above the page, which is as it was afterwards", async ({
  page,
  server,
  person,
}) => {
  const root = await enter(page, server, "/admin/users");
  await page.getByLabel("Name or e-mail").fill(person.email);
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Apply" }).click();
  const dialog = page.getByRole("dialog", { name: "Your time in the console is over" });
  await expect(dialog).toBeVisible();
  await looksRight(page, "console, its time over");
  await dialog.getByRole("textbox", { name: "Password" }).fill(root.password);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByLabel("Name or e-mail")).toHaveValue(person.email);
  await expect(page.getByRole("table", { name: "Users" })).toContainText(person.name);
});

test("without a network or a store nobody is signed out, and what was typed is sent by the second try", async ({
  page,
  server,
  person,
}) => {
  await enter(page, server, `/admin/users/${person.id}`);
  await settled(page, person.name);
  await page.context().setOffline(true);
  await act(page, "Sign out everywhere", "Sign out everywhere", "on the train");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("alert")).toContainText("The server cannot be reached.");
  await page.context().setOffline(false);
  await server.fault({ kind: "status", status: 503, path_prefix: "/api/v1/admin/", count: 1 });
  await dialog.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(dialog.getByRole("alert")).toBeVisible();
  await expect(dialog.getByLabel("Reason")).toHaveValue("on the train");
  await dialog.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(page.getByText("is signed out everywhere.")).toBeVisible();
  await expect(page.getByRole("table", { name: "Acts" })).toContainText("on the train");
});

test("the keyboard alone is enough: skip link, menu, dialog and back", async ({ page, server, person }) => {
  await enter(page, server, `/admin/users/${person.id}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(person.name);
  const opener = page.getByRole("button", { name: "Disable" });
  await opener.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: `Disable ${person.name}` })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Reason")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(opener).toBeFocused();

  await page.setViewportSize({ width: 320, height: 640 });
  const menu = page.getByRole("button", { name: "Menu" });
  await expect(page.getByRole("navigation", { name: "Console" })).toBeHidden();
  await menu.focus();
  await page.keyboard.press("Enter");
  await expect(menu).toHaveAttribute("aria-expanded", "true");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Overview" })).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Users" })).toBeFocused();
  await expect(page.getByRole("navigation", { name: "Console" })).toBeHidden();
});

test("signing out of the console ends no session of the person as a user", async ({ page, tab, server }) => {
  const root = await enter(page, server);
  const own = await tab();
  await signIn(own, root);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await own.reload();
  await untilState(own, { status: "signedIn" });
});
