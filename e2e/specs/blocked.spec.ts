/** What blocks requests: accounts, plans and permissions. Pages say so kindly, and nobody is signed out. */

import type { Page } from "@playwright/test";
import type { EntitlementStore } from "@tenure/client/entitlements";
import {
  call,
  expectNeverOut,
  inspect,
  LIVE,
  refresh,
  setAccount,
  signIn,
  stateOf,
  untilState,
} from "../support/tab.js";
import { expect, test } from "../support/test.js";

const SUSPENDED = "Your account is suspended.";

/** How many questions about what somebody may do the page has sent. */
function countQuestions(page: Page): () => number {
  let count = 0;
  page.on("request", (request) => {
    if (request.url().includes("/auth/entitlements")) count += 1;
  });
  return () => count;
}

test("five hundred real 402 and 403 of the server cause no refresh, no sign-out and few questions", async ({
  tab,
  person,
}) => {
  const page = await tab();
  await signIn(page, person);
  const { refreshesSent } = await inspect(page);
  const questions = countQuestions(page);
  await page.evaluate(() => {
    const store = window.entitlementsOf(window.client);
    Object.assign(window, { store });
    for (const needed of ["plan:pro", "active_account"]) store.watch(needed, () => {});
  });
  const known = (needed: string) =>
    page.evaluate(
      (needed) => (window as unknown as { store: EntitlementStore }).store.of(needed).status,
      needed,
    );
  await expect.poll(() => known("plan:pro")).toBe("refused");
  const check = "/api/v1/auth/check?require=";
  const storm = (require: string) =>
    Promise.all(Array.from({ length: 250 }, () => call(page, check + require)));
  const before = Date.now();
  expect(new Set(await storm("plan:pro"))).toEqual(new Set([402]));
  expect(new Set(await storm("permission:reports.read"))).toEqual(new Set([403]));
  // The first, and then at most one in ten seconds.
  expect(questions()).toBeLessThanOrEqual(2 + (Date.now() - before) / 10_000);
  expect((await inspect(page)).refreshesSent).toBe(refreshesSent);
  expect(await stateOf(page)).toMatchObject(LIVE);
  expect(await known("active_account")).toBe("allowed");
  await expectNeverOut(page);
  expect(await refresh(page)).toBeUndefined();
});

test("a suspended account: its page says so and everything else on it works, in every tab", {
  tag: "@firefox",
}, async ({ tab, person, server }) => {
  const one = await tab();
  await signIn(one, person);
  const page = await tab("/account");
  const notice = page.locator("[data-tenure=blocked-notice]");
  await expect(page.getByText("Active", { exact: true })).toBeVisible();
  await expect(notice).toHaveAttribute("data-open", "false");
  await setAccount(one, { status: "suspended" });
  // The page finds out when it is looked at again.
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await expect(notice.getByRole("status")).toContainText(SUSPENDED, { timeout: 30_000 });
  await expect(page.getByText("Suspended", { exact: true })).toBeVisible();

  const name = page.getByRole("textbox", { name: "Name" });
  await name.fill("Still Here");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("You are Still Here from now on.")).toBeVisible();
  await page.getByRole("textbox", { name: "Current password" }).fill(person.password);
  await page.getByRole("textbox", { name: "New password" }).fill("another way to the sea");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByText("Your password is changed.")).toBeVisible();
  await expect(page.getByText("This browser", { exact: true })).toBeVisible();
  await untilState(one, { ...LIVE, user: { name: "Still Here" } as never });

  await setAccount(one, { status: "active" });
  await notice.getByRole("button", { name: "Check again" }).click();
  await expect(notice).toHaveAttribute("data-open", "false");
  await expectNeverOut(one);
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await untilState(one, { status: "signedOut", reason: "signed_out" });
  expect((await server.stats()).panics).toBe(0);
});

test("the profile cannot be read: what is shown says so, and the session goes on", async ({
  tab,
  person,
}) => {
  const one = await tab();
  await signIn(one, person);
  const page = await one.context().newPage();
  await page.route("**/api/v1/auth/entitlements*", (route) => route.abort());
  await page.goto(new URL("/account", one.url()).href);
  await expect(page.getByText("Your account cannot be shown just now.")).toBeVisible();
  await expect(page.getByText("This browser", { exact: true })).toBeVisible();
  await page.unroute("**/api/v1/auth/entitlements*");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("Active", { exact: true })).toBeVisible();
  await expectNeverOut(one);
});

test("the playground: suspend, ask five hundred times, activate, and change the plan; nobody is signed out", {
  tag: "@firefox",
}, async ({ tab, person }) => {
  // A change of the account is asked about by one tab, by one refresh, and at most once in ten seconds.
  test.setTimeout(120_000);
  const other = await tab();
  await signIn(other, person);
  const page = await tab("/");
  let asked = 0;
  const untilAsked = async () => {
    asked += 1;
    await expect.poll(async () => (await inspect(other)).refreshesSent, { timeout: 30_000 }).toBe(asked);
  };
  const press = (name: string) => page.getByRole("button", { name, exact: true }).click();
  const notice = page.locator("[data-tenure=blocked-notice]");
  const shown = page.getByText("This is only for accounts with the plan Pro.");
  const report = page.locator(".trial");

  await expect(notice).toContainText("This comes with another plan.");
  await press("Pro: Your account has the plan Pro");
  await expect(shown).toBeVisible();
  await expect(notice).toHaveAttribute("data-open", "false");
  await untilAsked();
  for (const [button, told, counted] of [
    ["Suspend it", SUSPENDED, "500 × 403 account_suspended"],
    ["Cancel it", "Your account is cancelled.", "500 × 403 account_cancelled"],
  ] as const) {
    await press(button);
    await expect(notice).toContainText(told);
    await expect(shown).toBeHidden();
    await untilAsked();
    await press("Ask 500 times");
    await expect(report).toContainText(`Answers: ${counted}. Refreshes: 0. Sign-outs: 0.`, {
      timeout: 20_000,
    });
    await expect(report).toContainText("You are still signed in, and it is the same session.");
  }
  await press("Activate it");
  await expect(shown).toBeVisible();
  await press("Inactive plan: Your account has the plan Inactive plan");
  await expect(notice).toContainText("Your plan is not active.");
  await untilAsked();
  await press("Ask 500 times");
  await expect(report).toContainText("Refreshes: 0. Sign-outs: 0.", { timeout: 20_000 });
  for (const [button, did] of [
    ["No plan: Your account has the plan No plan", "Your account has no plan."],
    ["Payment due", "A payment for your account is due."],
  ] as const) {
    await press(button);
    // One thing is tried at a time: what is pressed meanwhile is not heard.
    await expect(report).toContainText(did);
    await expect(report).toContainText("Done.");
  }
  await press("Pro: Your account has the plan Pro");
  await expect(shown).toBeVisible();
  expect(await stateOf(other)).toMatchObject(LIVE);
  await expectNeverOut(other);
});
