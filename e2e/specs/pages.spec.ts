/** Every page, as everybody meets it: accessible, narrow, light and dark, and under the policy without a complaint. */

import type { Page } from "@playwright/test";
import { complaintsOf, looksRight } from "../support/looks.js";
import type { Person, Server } from "../support/server.js";
import { refresh, setAccount, signIn } from "../support/tab.js";
import { expect, test } from "../support/test.js";

interface Scene {
  readonly path: string;
  readonly signedIn: boolean;
  /** What is there when the page is ready. */
  readonly shows: string;
  /** What the person does before we look. */
  readonly act?: (page: Page, server: Server, person: Person) => Promise<void>;
}

/** The account page of an account that is as wished, once it says so. */
const accountThatIs = (wish: Parameters<typeof setAccount>[1], says: string): Scene => ({
  path: "/account",
  signedIn: true,
  shows: "Account and plan",
  act: async (page) => {
    await setAccount(page.context().pages()[1] as Page, wish);
    await page.reload();
    await expect(page.getByText(says).first()).toBeVisible();
    await expect(page.getByRole("list").first()).toBeVisible();
  },
});

const SCENES: Record<string, Scene> = {
  "sign-in": { path: "/sign-in", signedIn: false, shows: "Sign in" },
  "sign-in, refused": {
    path: "/sign-in",
    signedIn: false,
    shows: "Sign in",
    act: async (page) => {
      await page.getByRole("button", { name: "Sign in" }).click();
      await expect(page.locator("[data-part=error-summary]")).toBeFocused();
    },
  },
  "sign-in, already signed in": { path: "/sign-in", signedIn: true, shows: "You are signed in" },
  "sign-up": { path: "/sign-up", signedIn: false, shows: "Create an account" },
  account: { path: "/account", signedIn: true, shows: "Your devices" },
  "account, with a plan": accountThatIs({ plan: "pro" }, "unlimited projects"),
  "account, with a plan that is not active": accountThatIs({ plan: "inactive" }, "(not active)"),
  "account, suspended": accountThatIs({ status: "suspended" }, "Your account is suspended."),
  "account, cancelled": accountThatIs({ status: "cancelled" }, "Your account is cancelled."),
  "account, cookie evicted": {
    path: "/account",
    signedIn: true,
    shows: "Your account",
    act: async (page) => {
      await page.context().clearCookies();
      await page.context().pages()[1]?.close();
      await page.reload();
      await expect(page.getByText("its data was cleared").first()).toBeVisible();
    },
  },
  "account, ended while it was open": {
    path: "/account",
    signedIn: true,
    shows: "Your account",
    act: async (page, server, person) => {
      await server.endSessions({ user: person.email });
      await refresh(page.context().pages()[1] as Page);
      await expect(page.getByRole("dialog").or(page.getByRole("alertdialog"))).toBeVisible();
    },
  },
  playground: { path: "/", signedIn: false, shows: "" },
  "playground, signed in": { path: "/", signedIn: true, shows: "" },
  "playground, suspended": {
    path: "/",
    signedIn: true,
    shows: "",
    act: async (page) => {
      await page.getByRole("button", { name: "Suspend it" }).click();
      await expect(page.getByText("Your account is suspended.").first()).toBeVisible();
    },
  },
  "API reference": { path: "/api/docs", signedIn: false, shows: "The API" },
  "API reference, codes": { path: "/api/docs/codes", signedIn: false, shows: "" },
};

for (const [name, scene] of Object.entries(SCENES)) {
  test(`${name}: axe finds nothing in light or dark, 320 px need no sideways scroll, the policy has no complaint`, async ({
    page,
    tab,
    person,
    server,
  }) => {
    const complaints = await complaintsOf(page);
    if (scene.signedIn) await signIn(await tab(), person);
    await page.goto(server.api + scene.path);
    await page.getByRole("heading", { name: scene.shows }).first().waitFor();
    if (scene.signedIn) await expect(page.getByText(person.name).first()).toBeVisible();
    await scene.act?.(page, server, person);
    await looksRight(page, name);
    expect(complaints).toEqual([]);
  });
}

test("the policy itself would complain: an inline script is not run, and is reported", async ({
  page,
  server,
}) => {
  const complaints = await complaintsOf(page);
  await page.goto(`${server.api}/sign-in`);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
  });
  await expect.poll(() => complaints.join()).toContain("script-src");
  expect(await page.evaluate(() => "ran" in window)).toBe(false);
});

test("assets are cached for ever and pages never", async ({ page, server }) => {
  const caching = new Map<string, string>();
  page.on("response", (response) => {
    caching.set(new URL(response.url()).pathname, response.headers()["cache-control"] ?? "");
  });
  await page.goto(`${server.api}/sign-in`);
  const assets = [...caching].filter(([path]) => path.startsWith("/assets/"));
  expect(assets.length).toBeGreaterThan(1);
  for (const [path, value] of assets) expect(value, path).toContain("immutable");
  expect(caching.get("/sign-in")).toMatch(/no-store|no-cache/);
});
