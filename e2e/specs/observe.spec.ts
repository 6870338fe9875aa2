/**
 * An app that keeps its sign-ins by itself, in front of a real Django with simplejwt, and observed. Causes of sign-outs are
 * planted one by one; each is named by one reproduction. The same app without them gives no alarm.
 */

import { type BrowserContext, test as base, chromium, expect, type Page } from "@playwright/test";
import { Django } from "../support/django.js";
import { setClock, tenure, withClock } from "../support/mystery.js";
import { Recorder } from "../support/recorder.js";
import { Server } from "../support/server.js";
import { until } from "../support/until.js";

const HOUR = 3_600_000;
const ADA = "ada@example.com";

interface Explained {
  readonly verdict: string;
  readonly what: { readonly verdict: string };
  readonly why: { readonly suspect: string; readonly fix: string };
  readonly timeline: readonly { readonly what: string; readonly words: string }[];
}

interface Case {
  readonly sign_outs: readonly { readonly verdict: string; readonly suspect: string }[];
  readonly refreshes: { readonly served: number; readonly refused: number; readonly unanswered: number };
  readonly explained: readonly Explained[];
}

const explain = (server: Server, profile: string, ...more: string[]): Case =>
  JSON.parse(tenure(server, "--json", "explain", profile, ...more));

const observing = (...apps: Django[]) => [`observe.origins=[${apps.map(({ origin }) => `"${origin}"`)}]`];

/** What is reported, and what must not be in it. */
interface Overheard {
  readonly recorder: Recorder;
  readonly secrets: Set<string>;
}

async function overhear(context: BrowserContext, server: Server, ...apps: Django[]): Promise<Overheard> {
  const recorder = await Recorder.before(server.api);
  for (const app of apps) await app.withApp(context, recorder.address);
  // Somebody blocks what counts the clicks.
  await context.route("https://counter.example/**", (route) => route.abort("blockedbyclient"));
  const heard: Overheard = { recorder, secrets: new Set([ADA, "correct horse"]) };
  context.on("response", async (response) => {
    // Gone, if the page has left meanwhile.
    if (response.url().includes("/api/token/")) keepSecret(heard, await response.text().catch(() => ""));
  });
  return heard;
}

function keepSecret({ secrets }: Overheard, text: string): void {
  for (const token of text.match(/eyJ[\w.-]+/g) ?? [])
    for (const part of token.split(".").slice(1)) secrets.add(part);
}

function checkNothingLeaked({ recorder, secrets }: Overheard): void {
  expect(secrets.size).toBeGreaterThan(3);
  const said = recorder.heard.join("\n");
  expect(said).toContain('"kind":"sign_out"');
  for (const secret of secrets) expect(said).not.toContain(secret);
  expect(said).not.toMatch(/eyJ|"cookie"|authorization/i);
}

const test = base.extend<{ heard: Overheard }, { django: Django; server: Server }>({
  django: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs from this pattern.
    async ({}, use) => {
      const django = await Django.start();
      await use(django);
      await django.stop();
    },
    { scope: "worker" },
  ],
  server: [
    async ({ django }, use) => {
      const server = await Server.start({ settings: observing(django) });
      await use(server);
      await server.stop();
    },
    { scope: "worker" },
  ],
  heard: async ({ context, django, server }, use) => {
    const heard = await overhear(context, server, django);
    await use(heard);
    heard.recorder.stop();
  },
});

/** Opens the dashboard with a bug, signed in. */
async function dashboard(
  context: BrowserContext,
  { origin }: Django,
  bug: string,
): Promise<{ page: Page; profile: string; tokens: string }> {
  const page = await context.newPage();
  await page.goto(`${origin}/app/login`);
  const { profile, tokens } = await page.evaluate(async (name) => {
    const { signIn, store, profile } = window.observed;
    await signIn(name);
    return { profile, tokens: `${store.access} ${store.refresh}` };
  }, ADA);
  expect(profile).toMatch(/^obs_[0-9a-f]{32}$/);
  // Some go away before they are there.
  await page.goto(`${origin}/app/dashboard?bug=${bug}`).catch(() => {});
  return { page, profile, tokens };
}

const press = (name: string) => (page: Page) => page.getByRole("button", { name }).click();

/** A call whose access token is refused. */
const callWithDeadToken = (page: Page) =>
  page.evaluate(() => {
    window.observed.spoil();
    return window.observed.call("me/");
  });

interface Planted {
  readonly bug: string;
  readonly title: string;
  readonly suspect: string;
  readonly words: RegExp;
  readonly fix: string;
  /** Of the device, ahead of everybody else's. */
  readonly clockMs?: number;
  readonly act: (page: Page, context: BrowserContext) => Promise<unknown>;
}

const PLANTED: readonly Planted[] = [
  {
    bug: "race",
    title: "a tab that holds on to its refresh token",
    suspect: "tab_race",
    words:
      /another tab had traded the same refresh token .* 401 \(token_blacklisted\) of \/api\/token\/refresh\//,
    fix: "Web Lock",
    act: async (page, context) => {
      const other = await context.newPage();
      await other.goto(page.url());
      expect(await callWithDeadToken(other)).toBe(200);
      await callWithDeadToken(page);
    },
  },
  {
    bug: "parallel",
    title: "requests that refresh each for itself",
    suspect: "parallel_refresh",
    words: /refreshed twice with one token: the first was served.* 401 \(token_blacklisted\)/,
    fix: "keep the promise of the running refresh",
    act: (page) =>
      page.evaluate(() => {
        window.observed.spoil();
        void window.observed.call("me/");
        void window.observed.call("me/?again");
      }),
  },
  {
    bug: "",
    title: "a lost answer to a refresh that rotates",
    suspect: "lost_answer",
    words: /answer to a refresh was lost \(no answer came\).* 401 \(token_blacklisted\)/,
    fix: "BLACKLIST_AFTER_ROTATION",
    act: async (page, context) => {
      await context.route(
        "**/api/token/refresh/",
        async (route) => {
          await route.fetch();
          await route.abort("connectionreset");
        },
        { times: 1 },
      );
      expect(await callWithDeadToken(page)).toBe(0);
      await callWithDeadToken(page);
    },
  },
  {
    bug: "forbidden",
    title: "a handler of 403",
    suspect: "forbidden_handler",
    words: /signed the person out \d+ ms after a request that failed: 403.* of \/api\/users\/\./,
    fix: "the handler of 403",
    act: press("Users"),
  },
  {
    bug: "redirect",
    title: "a handler of 403 that leaves the tokens where they are",
    suspect: "forbidden_handler",
    words: /403.* of \/api\/users\/\./,
    fix: "the handler of 403",
    act: press("Users"),
  },
  {
    bug: "payment",
    title: "a handler of 402",
    suspect: "payment_handler",
    words: /402 of \/api\/answer\/\*\//,
    fix: "the handler of 402",
    act: press("Pay"),
  },
  {
    bug: "outage",
    title: "a handler of 5xx, for calls by fetch",
    suspect: "outage_handler",
    words: /503 of \/api\/answer\/\*\//,
    fix: "the handler of server errors",
    act: (page) => page.evaluate(() => void window.observed.callByFetch("answer/503/")),
  },
  {
    bug: "network",
    title: "a handler of network errors",
    suspect: "network_handler",
    words: /no answer of \/api\/unreachable\//,
    fix: "the handler of network errors",
    act: press("Unreachable"),
  },
  {
    bug: "unauthorized",
    title: "a handler of 401 that does not refresh",
    suspect: "unauthorized_handler",
    words: /401 \(token_not_valid\) of \/api\/me\//,
    fix: "has to refresh and try again",
    act: (page) =>
      page.evaluate(() => {
        window.observed.spoil();
        void window.observed.call("me/");
      }),
  },
  {
    bug: "clock",
    title: "a device whose clock is wrong",
    suspect: "device_clock",
    words: /clock is .* ahead of the back end's, and the page took a valid access token for expired/,
    fix: "do not compare `exp` with `Date.now()`",
    clockMs: 2 * HOUR,
    act: async () => {},
  },
  {
    bug: "startup",
    title: "startup code that clears storage",
    suspect: "startup",
    words: /Code that runs as the page starts did it/,
    fix: "code that runs as the page starts",
    act: async () => {},
  },
];

/** What is said of the one sign-out of a browser, once all that was seen before it has arrived. */
async function explainedAs(server: Server, profile: string, suspect: string): Promise<Explained> {
  const expected = { verdict: "mistake", why: { suspect } };
  await until(
    async () => expect(explain(server, profile)).toMatchObject({ sign_outs: [{}], explained: [expected] }),
    10_000,
  );
  return explain(server, profile).explained[0] as Explained;
}

for (const { bug, title, suspect, words, fix, clockMs, act } of PLANTED)
  test(`${title} is named by one reproduction`, async ({ context, django, server, heard }) => {
    if (clockMs) await withClock(context, clockMs);
    const { page, profile, tokens } = await dashboard(context, django, bug);
    keepSecret(heard, tokens);
    // The page goes away under it.
    await act(page, context).catch(() => {});
    await page.waitForURL("**/app/login");
    const explained = await explainedAs(server, profile, suspect);
    expect(explained.what.verdict).toMatch(words);
    expect(explained.why.fix).toContain(fix);
    expect(explained.timeline.map(({ what }) => what)).toContain("sign_in");
    checkNothingLeaked(heard);
  });

test("a timer of 25 minutes is named by one reproduction", async ({ context, django }) => {
  const server = await Server.start({ clock: "virtual", settings: observing(django) });
  try {
    await django.withApp(context, server.api);
    await withClock(context);
    const { page, profile } = await dashboard(context, django, "idle");
    await press("Me")(page);
    await expect(page.locator("#answer")).toHaveText("Answered 200");
    await until(async () => expect(explain(server, profile).sign_outs).toHaveLength(0), 10_000);
    await server.advance(25.5 * 60_000);
    await setClock(page, 25.5 * 60_000);
    await page.waitForURL("**/app/login");
    const explained = await explainedAs(server, profile, "idle_timer");
    expect(explained.what.verdict).toContain("nobody had touched the page for 25 minutes");
  } finally {
    await server.stop();
  }
});

test("the app without mistakes gives no alarm, and behaves as it does unobserved", async ({ context }) => {
  test.slow();
  const [django, brief] = await Promise.all([Django.start(), Django.start({ REFRESH_SECONDS: "4" })]);
  const server = await Server.start({ settings: observing(django, brief) });
  const heard = await overhear(context, server, django, brief);
  try {
    const { page, profile } = await dashboard(context, django, "");
    const other = await context.newPage();
    await other.goto(page.url());

    // Tabs that refresh at once, calls of both kinds, and a reload.
    for (const tab of [page, other])
      expect(await Promise.all([callWithDeadToken(tab), callWithDeadToken(tab)])).toEqual([200, 200]);
    await Promise.all([page, other].map((tab) => tab.evaluate(() => window.observed.callByFetch("me/"))));
    await other.reload();
    // Everything that fails is shown, and ends nothing.
    for (const [name, status] of [
      ["Users", 403],
      ["Pay", 402],
      ["Broken", 503],
      ["Unreachable", 0],
    ] as const) {
      await press(name)(page);
      await expect(page.locator("#answer")).toHaveText(`Answered ${status}`);
    }
    // A refresh that gets nowhere, and one that does.
    await context.route("**/api/token/refresh/", (route) => route.abort("internetdisconnected"), {
      times: 1,
    });
    expect(await callWithDeadToken(page)).toBe(0);
    expect(await callWithDeadToken(page)).toBe(200);
    // What a page makes of failures that nobody handles is what it would be.
    const rejected = await page.evaluate(
      () =>
        new Promise<string>((resolve) => {
          addEventListener("unhandledrejection", ({ reason }) => resolve(reason.name), { once: true });
          void fetch("/api/unreachable/");
        }),
    );
    expect(rejected).toBe("TypeError");

    const blocked = page.waitForEvent("requestfailed", (request) =>
      request.url().includes("counter.example"),
    );
    await press("Sign out")(page);
    await blocked;
    for (const tab of [page, other]) await tab.waitForURL("**/app/login");
    const byHand = {
      sign_outs: [{ verdict: "signed_out_by_the_person", suspect: "person" }],
      refreshes: { refused: 0, unanswered: 1 },
    };
    await until(async () => expect(explain(server, profile)).toMatchObject(byHand), 10_000);

    const { page: late, profile: lateProfile } = await dashboard(context, brief, "");
    const isOver = () => {
      const [, payload = ""] = window.observed.store.refresh.split(".");
      return (JSON.parse(atob(payload)) as { exp: number }).exp * 1000 < Date.now();
    };
    await late.waitForFunction(isOver);
    await callWithDeadToken(late).catch(() => {});
    await late.waitForURL("**/app/login");
    const over = { sign_outs: [{ verdict: "ended_by_the_back_end", suspect: "refresh_expired" }] };
    await until(async () => expect(explain(server, lateProfile)).toMatchObject(over), 10_000);

    const { observed } = JSON.parse(tenure(server, "--json", "logouts", "stats")) as {
      observed: { by_cause: unknown };
    };
    expect(observed.by_cause).toEqual([
      { cause: "person", count: 1 },
      { cause: "refresh_expired", count: 1 },
    ]);
    checkNothingLeaked(heard);
  } finally {
    heard.recorder.stop();
    await Promise.all([server.stop(), django.stop(), brief.stop()]);
  }
});

test("a mouse that moves bothers no other tab", async ({ context, django, server }) => {
  await withClock(context);
  await django.withApp(context, server.api);
  const { page } = await dashboard(context, django, "");
  const other = await context.newPage();
  await other.goto(page.url());
  await other.evaluate(() => {
    const keys: unknown[] = [];
    addEventListener("storage", ({ key }) => keys.push(key));
    Object.assign(window, { keys });
  });
  await page.bringToFront();
  // Within the half minute in which one note is enough, however slow the machine is.
  for (let moves = 1; moves <= 20; moves++) {
    await setClock(page, moves * 500);
    await page.mouse.move(100 + moves, 100);
  }
  // Events arrive in the order of what is written.
  await page.evaluate(() => localStorage.setItem("last", "1"));
  const keysOf = () => other.evaluate(() => (window as { keys?: unknown[] }).keys ?? []);
  await until(async () => expect(await keysOf()).toContain("last"), 10_000);
  expect((await keysOf()).filter((key) => key === "tenure:observed-activity")).toHaveLength(0);
});

test("a page that Back restores from memory is observed, and invents no sign-out", async ({
  django,
  server,
}) => {
  // The runner forbids that cache to the browsers that it starts itself.
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox"],
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
  const context = await browser.newContext();
  const heard = await overhear(context, server, django);
  try {
    const page = await context.newPage();
    await page.goto(`${django.origin}/app/login`);
    await page.evaluate(async (name) => {
      await window.observed.signIn(name);
      Object.assign(window, { isRestored: true });
    }, ADA);
    await page.goto(`${django.origin}/app/settings`);
    await press("Sign out")(page);
    await page.waitForURL("**/app/login");
    const said = (what: string) => heard.recorder.heard.join("\n").split(what).length - 1;
    await until(async () => expect(said('"kind":"sign_out"')).toBe(1), 10_000);
    // That of the sign-in page is told a while after it was opened.
    await until(async () => expect(said('"kind":"page"')).toBe(3), 10_000);

    // Where the person had signed in; it holds what was stored then for stored.
    await page.evaluate(() => history.go(-2)).catch(() => {});
    await page.waitForFunction(() => (window as { isRestored?: boolean }).isRestored);
    await page.evaluate(() => localStorage.removeItem("refresh_token"));
    await page.goto(`${django.origin}/app/settings`);
    await until(async () => expect(said('"kind":"page"')).toBe(4), 10_000);
    expect(said('"kind":"sign_out"')).toBe(1);
  } finally {
    heard.recorder.stop();
    await browser.close();
  }
});
