/** The real sign-in page, from the first visit to the cookie. */

import type { BrowserContext, Cookie, Page } from "@playwright/test";
import { type Person, Server } from "../support/server.js";
import { expect, test } from "../support/test.js";
import { tlsProxy } from "../support/tls.js";

const DAY = 86_400;

async function fill(page: Page, person: Person, remember: boolean): Promise<void> {
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  if (remember) await page.getByLabel("Remember me for 20 days").check();
}

async function onlyCookie(context: BrowserContext): Promise<Cookie> {
  const cookies = await context.cookies();
  expect(cookies).toHaveLength(1);
  return cookies[0] as Cookie;
}

/** The account page knows who is signed in. */
async function expectSignedIn(page: Page, person: Person): Promise<void> {
  await page.waitForURL("**/account");
  await expect(page.getByText(person.email).first()).toBeVisible();
}

test("K03: sign-in with remember-me, and the cookie as the browser sees it", { tag: "@firefox" }, async ({
  page,
  person,
  server,
  context,
}) => {
  await page.goto(`${server.api}/sign-in`);
  await fill(page, person, true);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expectSignedIn(page, person);

  const { name, path, domain, httpOnly, sameSite, expires, value } = await onlyCookie(context);
  expect(name).toMatch(/^tenure_[0-9a-f]{8}$/);
  expect(value).toMatch(/^tnr1_/);
  expect({ path, domain, httpOnly, sameSite }).toEqual({
    path: "/api/v1/auth/refresh",
    domain: "127.0.0.1",
    httpOnly: true,
    sameSite: "Lax",
  });
  // The session's 20 days and one more, so that the server ends it and not the browser.
  const days = (expires - Date.now() / 1000) / DAY;
  expect(days).toBeGreaterThan(20.9);
  expect(days).toBeLessThan(21.01);
  expect(await page.evaluate(() => document.cookie)).toBe("");
});

test("without remember-me the cookie goes one day after the session's 24 hours, or with the browser", async ({
  page,
  person,
  server,
  context,
}) => {
  await page.goto(`${server.api}/sign-in`);
  await fill(page, person, false);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expectSignedIn(page, person);
  const { expires } = await onlyCookie(context);
  expect(expires < 0 || expires - Date.now() / 1000 <= 2 * DAY).toBe(true);
});

test("a wrong password is said at the form, and the right one then works", { tag: "@firefox" }, async ({
  page,
  person,
  server,
  context,
}) => {
  await page.goto(`${server.api}/sign-in`);
  await fill(page, { ...person, password: "not the one at all" }, true);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator("[data-part=error-summary]")).toBeFocused();
  expect(await context.cookies()).toEqual([]);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expectSignedIn(page, person);
});

test("the whole sign-in by keyboard", { tag: "@firefox" }, async ({ page, person, server, context }) => {
  await page.goto(`${server.api}/sign-in`);
  const focused = () =>
    page.evaluate(() => {
      const { activeElement: at } = document;
      return at?.getAttribute("name") ?? at?.getAttribute("data-part") ?? at?.className ?? "";
    });
  const order: string[] = [];
  const next = async () => {
    await page.keyboard.press("Tab");
    order.push(await focused());
  };
  await next();
  await next();
  await page.keyboard.type(person.email);
  await next();
  await page.keyboard.type(person.password);
  await next();
  await next();
  await page.keyboard.press("Space");
  await next();
  expect(order).toEqual(["skip", "email", "password", "reveal", "remember_me", "button"]);
  const ring = await page.evaluate(() => {
    const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement ?? document.body);
    return outlineStyle !== "none" || boxShadow !== "none";
  });
  expect(ring, "the focus can be seen").toBe(true);
  await page.keyboard.press("Enter");
  await expectSignedIn(page, person);
  expect((await onlyCookie(context)).expires).toBeGreaterThan(Date.now() / 1000 + 20 * DAY);
});

test("return_to is followed within the site and nowhere else", async ({ page, person, server }) => {
  await page.goto(`${server.api}/sign-in?return_to=${encodeURIComponent("https://elsewhere.example/")}`);
  await fill(page, person, true);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expectSignedIn(page, person);
  await page.goto(`${server.api}/sign-in?return_to=${encodeURIComponent("/account?from=here")}`);
  await page.getByRole("link", { name: "Continue" }).click();
  await page.waitForURL("**/account?from=here");
});

test("sign-up signs in", async ({ page, server, context }) => {
  await page.goto(`${server.api}/sign-up`);
  await page.getByLabel("Name").fill("Somebody New");
  await page.getByLabel("E-mail").fill(`new-${Date.now()}@example.com`);
  await page.getByLabel("Password", { exact: true }).fill("a long way to the sea");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.waitForURL("**/account");
  await onlyCookie(context);
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("the form signs in, and the session is remembered", { tag: "@firefox" }, async ({
    page,
    person,
    server,
    context,
  }) => {
    await page.goto(`${server.api}/sign-in`);
    await fill(page, { ...person, password: "not the one at all" }, true);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.locator("[data-part=error-summary]")).not.toBeEmpty();
    await expect(page.getByLabel("E-mail")).toHaveValue(person.email);
    await expect(page.getByLabel("Remember me for 20 days")).toBeChecked();
    await page.getByLabel("Password", { exact: true }).fill(person.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/account");
    expect((await onlyCookie(context)).expires).toBeGreaterThan(Date.now() / 1000 + 20 * DAY);
  });
});

test.describe("over https", () => {
  test.use({ ignoreHTTPSErrors: true });

  test("the cookie is Secure, and its name says that no other site may set it", async ({ page, context }) => {
    const proxy = await tlsProxy();
    const server = await Server.start({ settings: [`server.public_url=${proxy.origin}`] });
    try {
      proxy.forwardTo(server.api);
      const person = await server.person();
      await page.goto(`${proxy.origin}/sign-in`);
      await fill(page, person, true);
      await page.getByRole("button", { name: "Sign in" }).click();
      await expectSignedIn(page, person);
      const cookie = await onlyCookie(context);
      expect(cookie.name).toMatch(/^__Secure-tenure_[0-9a-f]{8}$/);
      expect(cookie).toMatchObject({
        secure: true,
        httpOnly: true,
        sameSite: "Lax",
        path: "/api/v1/auth/refresh",
      });
      await page.reload();
      await expectSignedIn(page, person);
    } finally {
      await server.stop();
      proxy.close();
    }
  });
});
