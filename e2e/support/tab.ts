/** A tab with the harness page, and what tests ask of it. */

import { readFileSync } from "node:fs";
import { type BrowserContext, expect, type Page } from "@playwright/test";
import type { AuthEvent, AuthState, Inspection, SignedInState, SignedOutState } from "@tenure/client";
import type { Told } from "./in-page.js";
import type { Person } from "./server.js";
import { until } from "./until.js";

const HTML = `<!doctype html><html lang="en"><title>Harness</title>
<form><label>Notes <textarea name="notes"></textarea></label></form>
<script type="module" src="/harness.js"></script></html>`;

/** Gives the page clocks that are fine enough to measure with. */
const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** The refresh endpoint, for `page.route`. */
export const REFRESH = "**/api/v1/auth/refresh";

/** Has the harness served at the server's origin. */
export async function withHarness(context: BrowserContext, api: string): Promise<void> {
  const script = readFileSync(process.env.E2E_HARNESS ?? "", "utf8");
  await context.route(`${api}/harness.html`, (route) =>
    route.fulfill({ contentType: "text/html; charset=utf-8", headers: ISOLATED, body: HTML }),
  );
  await context.route(`${api}/harness.js`, (route) =>
    route.fulfill({ contentType: "text/javascript; charset=utf-8", body: script }),
  );
}

/** Signs in by the SDK of the page. */
export async function signIn(page: Page, person: Person, rememberMe = true): Promise<string> {
  const credentials = { email: person.email, password: person.password, rememberMe };
  const { id, code } = await page.evaluate(async (credentials) => {
    const { data, error } = await window.client.signIn.password(credentials);
    return { id: data?.session.id, code: error?.code };
  }, credentials);
  expect(code, "sign-in").toBeUndefined();
  return id ?? "";
}

export const stateOf = (page: Page): Promise<AuthState> => page.evaluate(() => window.client.getState());

/** While a page is loaded it has no client yet. */
const stateSoon = (page: Page) => page.evaluate(() => window.client?.getState()).catch(() => undefined);

export const inspect = (page: Page): Promise<Inspection> => page.evaluate(() => window.client.inspect());
export const toldOf = (page: Page): Promise<Told[]> => page.evaluate(() => window.told);
export const eventsOf = async (page: Page): Promise<AuthEvent[]> =>
  (await toldOf(page)).map(({ event }) => event);

type Wanted = Partial<SignedInState> | Partial<SignedOutState>;

/** Waits for a state that holds what is wanted. */
export async function untilState(page: Page, wanted: Wanted, timeout = 10_000): Promise<void> {
  await until(async () => expect(await stateSoon(page)).toMatchObject(wanted), timeout);
}

export const LIVE = { status: "signedIn", freshness: "live" } as const;

/** A call to the API by the SDK; the status, or the code of the error it failed with. */
export function call(page: Page, path = "/api/v1/auth/profile"): Promise<number | string> {
  return page.evaluate(async (path) => {
    try {
      return (await window.client.fetch(path)).status;
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  }, path);
}

/** Whom the server takes the caller for. */
export function whoAmI(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const answer = await window.client.fetch("/api/v1/auth/profile");
    return ((await answer.json()) as { email: string }).email;
  });
}

/** Makes the account of whoever is signed in what it should be, by a server in development. */
export async function setAccount(page: Page, wish: { status: string } | { plan: string }): Promise<void> {
  const status = await page.evaluate(async (wish) => {
    const headers = { "Content-Type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(wish) };
    return (await window.client.fetch("/api/v1/dev/account", init)).status;
  }, wish);
  expect(status, "a change of the account").toBe(204);
}

/** Asks for another token, as the app may at any time. The code of what went wrong, or undefined. */
export function refresh(page: Page): Promise<string | undefined> {
  return page.evaluate(async () => (await window.client.refresh()).error?.code);
}

/** Nobody who was signed in was signed out, not even for a moment. */
export async function expectNeverOut(...pages: Page[]): Promise<void> {
  for (const page of pages) {
    const reasons = (await toldOf(page)).map(({ state }) =>
      state.status === "signedOut" ? state.reason : "",
    );
    expect(reasons.filter((reason) => reason && reason !== "never_signed_in")).toEqual([]);
  }
}
