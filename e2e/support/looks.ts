/** How a page looks to everybody who meets it: accessible, narrow, light and dark, and under the policy without a complaint. */

import { fileURLToPath } from "node:url";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect } from "./test.js";

/** Axe finds nothing in light or dark, and 320 px need no sideways scroll. Leaves the page as wide as it was. */
export async function looksRight(page: Page, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.screenshot({ path: picture(name, colorScheme), fullPage: true });
    const { violations } = await axe(page);
    expect(violations.map(({ id, nodes }) => [id, ...nodes.map(({ target }) => target)])).toEqual([]);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  const { scroll, width } = await page.evaluate(() => {
    const { scrollWidth: scroll, clientWidth: width } = document.documentElement;
    return { scroll, width };
  });
  expect(scroll, "width at 320 px").toBeLessThanOrEqual(width);
  await page.screenshot({ path: picture(name, "320"), fullPage: true });
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (before) await page.setViewportSize(before);
}

/** In a folder of their own, which a later run of other tests leaves alone. */
const picture = (name: string, look: string) =>
  fileURLToPath(new URL(`../report/pages/${name.replaceAll(/\W+/g, "-")}-${look}.png`, import.meta.url));

/** The cast: axe and the runner each have their own copy of the same types. */
const axe = (page: Page) => new AxeBuilder({ page: page as never }).analyze();

/** What the browser has to complain about: broken policy, errors, files that are missing. */
export async function complaintsOf(page: Page): Promise<string[]> {
  const complaints: string[] = [];
  page.on("console", (message) => {
    // A refresh without a cookie is answered 401, as is a console that nobody is signed in to, and browsers say so.
    const isAnswer = /\/api\/v1\/(auth|admin)\//.test(message.location().url);
    if (message.type() === "error" && !isAnswer) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", async (request) => {
    // One that was answered is not missed by anybody: its body was not wanted.
    const wasAnswered = await request.response().catch(() => null);
    if (!wasAnswered) complaints.push(`${request.url()} ${request.failure()?.errorText}`);
  });
  await page.exposeFunction("complain", (what: string) => complaints.push(what));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      void (window as unknown as { complain(what: string): void }).complain(
        `${violatedDirective} ${blockedURI}`,
      );
    });
  });
  return complaints;
}
