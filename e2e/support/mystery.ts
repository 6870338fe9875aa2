/** The front end with planted bugs, served at the server's origin, and `tenure explain` as a process of its own. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type BrowserContext, expect, type Page } from "@playwright/test";
import { type Person, productBinary, type Server } from "./server.js";
import { until } from "./until.js";

const HTML = `<!doctype html><html lang="en"><title>Mystery</title><body>
<script type="module" src="/mystery/app.js"></script></body></html>`;

export async function withMystery(context: BrowserContext, server: Server): Promise<void> {
  const script = readFileSync(process.env.E2E_MYSTERY ?? "", "utf8");
  await context.route(`${server.api}/mystery/**`, (route) => {
    const isScript = route.request().url().endsWith(".js");
    const [type, body] = isScript ? ["text/javascript", script] : ["text/html", HTML];
    return route.fulfill({ contentType: `${type}; charset=utf-8`, body });
  });
}

/** Moves the clock of the device, for this tab and from its next page on; the first before any page. */
export async function setClock(page: Page, ms: number): Promise<void> {
  await page.evaluate((ms) => sessionStorage.setItem("planted:shift", String(ms)), ms);
}

export async function withClock(context: BrowserContext, fromMs = 0): Promise<void> {
  await context.addInitScript((from) => {
    const Real = Date;
    const now = () => Real.now() + Number(sessionStorage.getItem("planted:shift") ?? from);
    window.Date = class extends Real {
      constructor(...given: [] | [number]) {
        super(...((given.length ? given : [now()]) as [number]));
      }
      static override now() {
        return now();
      }
    } as DateConstructor;
  }, fromMs);
}

/** Opens the dashboard with a bug, signed in. */
export async function dashboard(
  context: BrowserContext,
  server: Server,
  bug: string,
  person?: Person,
): Promise<{ page: Page; session: string }> {
  const page = await context.newPage();
  await page.goto(`${server.api}/mystery/dashboard`);
  const session = await page.evaluate(async (person) => {
    const { client, store } = window.mystery;
    if (person) await client.signIn.password({ ...person, rememberMe: true });
    const state = await client.ready();
    if (state.status !== "signedIn") return "";
    store.user = state.user.name;
    return state.session.id;
  }, person);
  expect(session).toMatch(/^ses_/);
  await page.goto(`${server.api}/mystery/dashboard?bug=${bug}`);
  return { page, session };
}

export interface Explained {
  readonly verdict: string;
  readonly scenario: string | null;
  readonly what: { readonly verdict: string };
  readonly why: Readonly<Record<string, string>>;
  readonly when: Readonly<Record<string, number>>;
  readonly where: Readonly<Record<string, string>>;
  readonly how: Readonly<Record<string, unknown>>;
  readonly timeline: readonly { readonly what: string; readonly words: string }[];
}

export const tenure = (server: Server, ...args: string[]): string =>
  execFileSync(productBinary(), ["--data", server.data, ...args], { encoding: "utf8" });

/** What the product says of a session, or of the session of a receipt. */
export function explain(server: Server, asked: string): Explained {
  const { explained } = JSON.parse(tenure(server, "--json", "explain", asked)) as { explained: Explained[] };
  expect(explained).toHaveLength(1);
  return explained[0] as Explained;
}

/** Waits until a report of the session has arrived, which is some time after the page was left. */
export async function explainReported(server: Server, session: string): Promise<Explained> {
  await until(async () => expect(explain(server, session).how.reports).toBeGreaterThan(0), 15_000);
  return explain(server, session);
}
