/** A profile of a real Chromium, with the client as an app has it: the harness page of `e2e/support`. */

import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from "@playwright/test";
import { withHarness } from "../../e2e/support/tab.js";
import type { Credentials } from "../../web/client/src/types.js";
import {
  answerOf,
  answerOfHttp,
  type Cookie,
  type Network,
  type PageAct,
  type Shown,
  type Surface,
  saysSignedOut,
  Wire,
} from "./surface.js";

/** Other sites, which are pages of ours under names of theirs. */
const PAYMENT = "https://pay.example";
const MAIL = "https://mail.example";
const APP = "https://app.example";

/** Debian's, as `cargo xtask test` installs it. A page of another site may ask for an address on this machine. */
const LAUNCH = {
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"],
};

/** What those other sites show, whatever is asked for. */
const ELSEWHERE = {
  contentType: "text/html; charset=utf-8",
  body: "<!doctype html><title>Elsewhere</title><p>Another site.",
};

/** One browser, whose profiles share nothing. */
export class Chromium {
  private constructor(private readonly browser: Browser) {}

  static async start(): Promise<Chromium> {
    return new Chromium(await chromium.launch(LAUNCH));
  }

  async profile(api: string): Promise<Surface> {
    const context = await this.browser.newContext({ ignoreHTTPSErrors: true });
    const profile = new Profile(context, api);
    await profile.open(1);
    return profile;
  }

  stop(): Promise<void> {
    return this.browser.close();
  }
}

class Profile implements Surface {
  readonly wire = new Wire();
  readonly #harness: string;
  #pages: Page[] = [];
  /** How often pages that are gone said that somebody was signed out. */
  readonly #past: number[] = [];
  #isReady = false;

  constructor(
    private readonly context: BrowserContext,
    private readonly api: string,
  ) {
    this.#harness = `${api}/harness.html`;
  }

  async open(tabs: number): Promise<void> {
    if (!this.#isReady) {
      await withHarness(this.context, this.api);
      for (const site of [PAYMENT, MAIL, APP])
        await this.context.route(`${site}/**`, (route) => route.fulfill(ELSEWHERE));
      await withHarness(this.context, APP);
      this.#isReady = true;
    }
    for (let count = 0; count < tabs; count += 1) {
      const page = await this.context.newPage();
      await page.goto(this.#harness);
      this.#pages.push(page);
    }
  }

  async reload(): Promise<void> {
    await this.#leave();
    await Promise.all(this.#pages.map((page) => page.reload()));
  }

  /** A context without Max-Age on its cookies: those go, and so do the windows. */
  async reopen(): Promise<void> {
    const kept = (await this.context.cookies()).filter(({ expires }) => expires !== -1);
    await this.away(async () => {
      await this.context.clearCookies();
      await this.context.addCookies(kept);
    });
  }

  async away(meanwhile: () => Promise<void>): Promise<void> {
    await this.#leave();
    for (const page of this.#pages.splice(0)) await page.close();
    await meanwhile();
    await this.open(1);
  }

  async signIn(credentials: Credentials) {
    const { error, session } = await this.#page.evaluate(async (credentials) => {
      const { data, error } = await window.client.signIn.password(credentials);
      return { error: error && { code: error.code, status: error.status }, session: data?.session.id };
    }, credentials);
    return { answer: answerOf({ error }), session };
  }

  async signOut(scope: "this" | "others" | "everywhere"): Promise<string> {
    const { error, delivered } = await this.#page.evaluate(async (scope) => {
      const { data, error } = await window.client.signOut({ scope });
      return { error: error && { code: error.code, status: error.status }, delivered: data?.delivered };
    }, scope);
    return delivered === false ? "not delivered yet" : answerOf({ error });
  }

  async changePassword(current: string, next: string): Promise<string> {
    const error = await this.#page.evaluate(
      async (change) => {
        const { error } = await window.client.changePassword(change);
        return error && { code: error.code, status: error.status };
      },
      { current, next },
    );
    return answerOf({ error });
  }

  async call(path: string, times: number, show: string | undefined): Promise<readonly string[]> {
    // Each page sends all of its own before it has an answer to any.
    const many = (page: Page, count: number) =>
      page.evaluate(
        async ([path, count]) => {
          const one = async () => {
            try {
              const answer = await window.client.fetch(path);
              return { status: answer.status, body: await answer.text() };
            } catch (error) {
              return { status: 0, body: (error as { code?: string }).code ?? String(error) };
            }
          };
          return Promise.all(Array.from({ length: count }, one));
        },
        [path, count] as const,
      );
    const share = times / this.#pages.length;
    const answers = await Promise.all(
      this.#pages.map((page, at) =>
        many(page, at < times % this.#pages.length ? Math.ceil(share) : Math.floor(share)),
      ),
    );
    return answers.flat().map(({ status, body }) => (status === 0 ? body : answerOfHttp(status, body, show)));
  }

  async refresh(every: boolean): Promise<readonly string[]> {
    const pages = every ? this.#pages : [this.#page];
    const errors = await Promise.all(
      pages.map((page) =>
        page.evaluate(async () => {
          const { error } = await window.client.refresh();
          return error && { code: error.code, status: error.status };
        }),
      ),
    );
    return errors.map((error) => answerOf({ error }));
  }

  async bearer(): Promise<string | undefined> {
    return this.#page.evaluate(async () => (await window.client.getAccessToken()).data ?? undefined);
  }

  async cookies(): Promise<readonly Cookie[]> {
    return (await this.context.cookies()).filter(({ name }) => /^(__Secure-)?tenure_/.test(name));
  }

  async setCookie(name: string, value: string | undefined): Promise<void> {
    const [before] = (await this.context.cookies()).filter((cookie) => cookie.name === name);
    if (value === undefined) await this.context.clearCookies({ name });
    else if (before) await this.context.addCookies([{ ...before, value }]);
    else throw new Error(`there is no cookie ${name}`);
  }

  async setForeignCookie(): Promise<void> {
    throw new Error("not in a real browser");
  }

  async network(kind: Network): Promise<void> {
    if (kind !== "fine" && kind !== "offline")
      throw new Error(`a real browser has no network that is ${kind}`);
    await this.context.setOffline(kind === "offline");
  }

  async clockAhead(): Promise<void> {
    throw new Error("not in a real browser");
  }

  async page(act: PageAct): Promise<readonly string[]> {
    switch (act) {
      case "loses its storage":
        await this.#page.evaluate(() => {
          localStorage.clear();
          sessionStorage.clear();
        });
        return [];
      case "loses all site data":
        await this.#protocol((cdp) =>
          cdp.send("Storage.clearDataForOrigin", { origin: this.api, storageTypes: "all" }),
        );
        return [];
      case "loses its cache":
        await this.#protocol((cdp) => cdp.send("Network.clearBrowserCache"));
        return [];
      case "is denied storage":
        await this.context.addInitScript(denyStorage);
        await this.reload();
        return [];
      case "has nonsense in its storage":
        await this.#page.evaluate(() => {
          for (const name of Object.keys(localStorage)) localStorage.setItem(name, '{"id": nonsense');
        });
        return [];
      case "throws when it starts":
        await this.context.addInitScript(throwAtStart);
        await this.reload();
        return [];
      case "returns from a payment page":
        await this.#page.goto(PAYMENT);
        await this.#page.evaluate((to) => {
          Object.assign(document.createElement("a"), { href: to }).click();
        }, this.#harness);
        await this.#page.waitForURL(this.#harness);
        return [];
      case "is posted to by a payment page":
        await this.#page.goto(PAYMENT);
        await this.#page.evaluate(postForm, this.#harness);
        await this.#page.waitForURL(this.#harness);
        return [];
      case "is opened by a link in a mail":
        return this.#fromMail();
      case "is framed by another site":
        return [await this.#framed()];
      case "is served from another origin":
        return [await this.#fromApp()];
    }
  }

  async formPosted(path: string): Promise<string> {
    const other = await this.context.newPage();
    await other.goto(PAYMENT);
    const [answer] = await Promise.all([
      other.waitForResponse(this.api + path),
      other.evaluate(postForm, this.api + path),
    ]);
    const body = await answer.text();
    await other.close();
    return answerOfHttp(answer.status(), body);
  }

  async shown(): Promise<readonly Shown[]> {
    const closed = this.#past.map((signedOut) => ({ state: undefined, signedOut }));
    return [...(await Promise.all(this.#pages.map(shownBy))), ...closed];
  }

  close(): Promise<void> {
    return this.context.close();
  }

  async #leave(): Promise<void> {
    for (const page of this.#pages) this.#past.push((await shownBy(page)).signedOut);
  }

  get #page(): Page {
    const [page] = this.#pages;
    if (!page) throw new Error("no tab is open");
    return page;
  }

  async #protocol(work: (cdp: CDPSession) => Promise<unknown>): Promise<void> {
    const session = await this.context.newCDPSession(this.#page);
    await work(session);
    await session.detach();
  }

  async #fromMail(): Promise<readonly string[]> {
    const mail = await this.context.newPage();
    await mail.goto(MAIL);
    const opened = this.context.waitForEvent("page");
    await mail.evaluate((to) => {
      Object.assign(document.createElement("a"), { href: to, target: "_blank", rel: "noreferrer" }).click();
    }, this.#harness);
    const page = await opened;
    await page.waitForLoadState();
    this.#pages.push(page);
    await mail.close();
    return [];
  }

  /** What our page shows in a frame of another site's page. */
  async #framed(): Promise<string> {
    const other = await this.context.newPage();
    await other.goto(PAYMENT);
    await other.evaluate((to) => {
      document.body.append(Object.assign(document.createElement("iframe"), { src: to }));
    }, this.#harness);
    const frame = await other.waitForSelector("iframe").then((element) => element.contentFrame());
    await frame?.waitForFunction(() => window.client && window.client.getState().status !== "unknown");
    const state = await frame?.evaluate(() => window.client.getState());
    await other.close();
    return state?.status === "signedOut" ? `signed out: ${state.reason}` : `${state?.status}`;
  }

  /** What the client is told in a page of another origin. */
  async #fromApp(): Promise<string> {
    const other = await this.context.newPage();
    await other.goto(`${APP}/harness.html`);
    const error = await other.evaluate(async (baseUrl) => {
      const client = window.createClient({ baseUrl });
      const { error } = await client.refresh();
      client.dispose();
      return error && { code: error.code, status: error.status };
    }, this.api);
    await other.close();
    return answerOf({ error });
  }
}

/** While a page is loaded it has no client yet. */
async function shownBy(page: Page): Promise<Shown> {
  const [told, state] = await page
    .evaluate(() => [window.told ?? [], window.client?.getState()] as const)
    .catch(() => [[], undefined] as const);
  const signedOut = told.filter(({ event, state }) => saysSignedOut(event, state)).length;
  return { state: state ?? { status: "unknown" }, signedOut };
}

/** What a page does that has a browser send a form somewhere. */
function postForm(to: string): void {
  const form = Object.assign(document.createElement("form"), { action: to, method: "post" });
  document.body.append(form);
  form.submit();
}

function denyStorage(): void {
  for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
    Object.defineProperty(window, name, {
      get: () => {
        throw new DOMException("Access is denied.", "SecurityError");
      },
    });
  }
}

/** An app whose own scripts fail while it starts, and whose listener fails at everything it is told. */
function throwAtStart(): void {
  const fail = () => {
    throw new Error("the app's state could not be restored");
  };
  addEventListener("DOMContentLoaded", fail);
  addEventListener("load", () => {
    setTimeout(() => window.client.onAuthStateChange(fail));
    fail();
  });
}
