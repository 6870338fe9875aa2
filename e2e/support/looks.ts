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
    const { violations } = await axe(page, colorScheme);
    expect(violations.map(({ id, nodes }) => [id, ...nodes.map(({ target }) => target)])).toEqual([]);
    expect(await page.evaluate(paleHints), `hints in fields, ${colorScheme}`).toEqual([]);
  }
  await fits(page);
  await page.setViewportSize({ width: 320, height: 640 });
  await fits(page);
  await page.screenshot({ path: picture(name, "320"), fullPage: true });
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (before) await page.setViewportSize(before);
}

/** Nothing of the page is beside it. */
async function fits(page: Page): Promise<void> {
  const { scroll, width } = await page.evaluate(() => {
    const { scrollWidth: scroll, clientWidth: width } = document.documentElement;
    return { scroll, width };
  });
  expect(scroll, `what is as wide as ${width} px`).toBeLessThanOrEqual(width);
}

/** In a folder of their own, which a later run of other tests leaves alone. */
const picture = (name: string, look: string) =>
  fileURLToPath(new URL(`../report/pages/${name.replaceAll(/\W+/g, "-")}-${look}.png`, import.meta.url));

/** The size of targets is of WCAG 2.2, and axe leaves it out unless it is asked. */
const RULES = { rules: { "target-size": { enabled: true } } };

/** In the dark colours alone are otherwise. */
function axe(page: Page, colorScheme: "light" | "dark") {
  // The cast: axe and the runner each have their own copy of the same types.
  const builder = new AxeBuilder({ page: page as never });
  return (colorScheme === "light" ? builder.options(RULES) : builder.withRules(["color-contrast"])).analyze();
}

/** What fields hint at by less than 4.5 to 1 (WCAG 1.4.3), which axe does not look at. */
function paleHints(): string[] {
  /** Whatever a colour is written as: what comes of it on a ground. */
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (...colours: string[]): number => {
    if (!paint) throw new Error("There is nothing to paint on.");
    for (const colour of colours) {
      paint.fillStyle = colour;
      paint.fillRect(0, 0, 1, 1);
    }
    const [red = 0, green = 0, blue = 0] = [...paint.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const grounds = (element: Element | null): string[] =>
    element ? [...grounds(element.parentElement), getComputedStyle(element).backgroundColor] : ["Canvas"];
  const fields = [...document.querySelectorAll<HTMLInputElement>("[placeholder]")];
  return fields.flatMap((field) => {
    const ground = grounds(field);
    const pair = [light(...ground), light(...ground, getComputedStyle(field, "::placeholder").color)];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    return ratio < 4.5 ? [`${field.placeholder}: ${ratio.toFixed(2)}`] : [];
  });
}

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
    // Whoever leaves a page gives up what it has asked for.
    if (request.failure()?.errorText === "net::ERR_ABORTED") return;
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
