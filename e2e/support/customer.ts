/** Somebody who works with the desk in several tabs of one browser, and what they do there at any step. */

import { type Browser, type BrowserContext, expect, type Page } from "@playwright/test";
import { type Desk, PASSWORD } from "./desk.js";
import { setClock, withClock } from "./mystery.js";

export const addressOf = (name: string): string => `${name.toLowerCase()}@example.com`;

export class Customer {
  /** Where this browser was asked to sign in, since somebody had. */
  readonly signInsSeen: string[] = [];
  readonly tabs: Page[] = [];
  #tickets = 0;

  private constructor(
    readonly name: string,
    readonly context: BrowserContext,
    private readonly desk: Desk,
  ) {}

  get email(): string {
    return addressOf(this.name);
  }

  /** Opens the desk with a browser of their own. */
  static async visit(browser: Browser, desk: Desk, name: string): Promise<Customer> {
    const customer = new Customer(name, await browser.newContext(), desk);
    const { context, signInsSeen } = customer;
    await withClock(context, desk.aheadMs);
    await context.exposeBinding("signInSeen", ({ page }) => signInsSeen.push(page.url()));
    await context.addInitScript(() => {
      const look = () => document.querySelector("input[type=password]") && window.signInSeen();
      new MutationObserver(look).observe(document, { childList: true, subtree: true });
    });
    await customer.open();
    return customer;
  }

  /** Does so, signs in, and opens further tabs. */
  static async signIn(
    browser: Browser,
    desk: Desk,
    name: string,
    { tabs }: { tabs: number },
  ): Promise<Customer> {
    const customer = await Customer.visit(browser, desk, name);
    await customer.signsIn();
    while (customer.tabs.length < tabs) await customer.isIn(await customer.open());
    return customer;
  }

  async signsIn(password = PASSWORD): Promise<void> {
    const { first } = this;
    await first.locator("input[type=email]").fill(this.email);
    await first.locator("input[type=password]").fill(password);
    await first.getByRole("button", { name: "Sign in" }).click();
    await this.isIn(first);
    this.signInsSeen.length = 0;
  }

  /** Becomes one of the desk's people, with what its pages offer for that. */
  async joins(): Promise<void> {
    await this.asksToJoin(PASSWORD);
    await this.isIn(this.first);
  }

  async asksToJoin(password: string): Promise<void> {
    const { first } = this;
    await first.getByRole("button", { name: "New here?" }).click();
    const form = first.getByRole("form", { name: "Sign up" });
    await form.getByLabel("Your name").fill(this.name);
    await form.getByLabel("Your email").fill(this.email);
    await form.getByLabel("A password").fill(password);
    await form.getByRole("button", { name: "Sign up" }).click();
  }

  /** Has forgotten the password, and chooses another one by the link that is sent. */
  async forgets(next: string): Promise<void> {
    const { first } = this;
    await first.getByRole("button", { name: "Forgot password?" }).click();
    const form = first.getByRole("form", { name: "Forgot password" });
    await form.getByLabel("Your email").fill(this.email);
    await form.getByRole("button", { name: "Send a link" }).click();
    await expect(first.getByText("a link is on its way")).toBeVisible();
    await first.goto(this.desk.mailedLink(this.email));
    await first.getByRole("textbox", { name: "New password" }).fill(next);
    await first.getByRole("button", { name: "Set password" }).click();
    await first.getByRole("link", { name: "Sign in" }).click();
    await this.isOut(first);
  }

  async signsOut(): Promise<void> {
    await this.first.getByRole("button", { name: "Sign out" }).click();
    await this.isOut(this.first);
  }

  /** Closes the browser. */
  leaves(): Promise<void> {
    return this.context.close();
  }

  get first(): Page {
    const [page] = this.tabs;
    if (!page) throw new Error(`${this.name} has no tab open`);
    return page;
  }

  async open(): Promise<Page> {
    const page = await this.context.newPage();
    this.tabs.push(page);
    await page.goto(this.desk.url);
    return page;
  }

  /** The pages show them, and have got what they asked for. */
  async isIn(...pages: readonly (Page | undefined)[]): Promise<void> {
    for (const page of pages) {
      if (!page) throw new Error(`${this.name} has no such tab`);
      await expect(page.getByText(`Signed in as ${this.name}`)).toBeVisible();
      await expect(page.getByRole("list", { name: "Tickets" })).toBeAttached();
    }
  }

  async isOut(page: Page): Promise<void> {
    await expect(page.locator("input[type=password]")).toBeVisible();
  }

  /** Writes a ticket, which the server keeps for them. */
  async works(page: Page): Promise<void> {
    this.#tickets += 1;
    const text = `${this.name} ${this.#tickets}`;
    await page.getByLabel("New ticket").fill(text);
    await page.getByRole("button", { name: "Add" }).click();
    await expect(page.getByRole("main").getByRole("status")).toHaveText(`Added “${text}”.`);
  }

  /** Makes a call that is refused or not answered, and is told so. */
  async asksForTeam(says: RegExp): Promise<void> {
    await this.first.getByRole("button", { name: "Team" }).click();
    await expect(this.first.getByRole("main").getByRole("status")).toHaveText(says);
  }

  /** All tabs at once. */
  async reload(): Promise<void> {
    await Promise.all(this.tabs.map((page) => page.reload()));
  }

  /** Their device's clock goes as Tenure's does. */
  async waits(): Promise<void> {
    await Promise.all(this.tabs.map((page) => setClock(page, this.desk.aheadMs)));
  }

  keeps(key: string, value: string): Promise<void> {
    return this.first.evaluate(([key, value]) => localStorage.setItem(key, value), [key, value] as const);
  }

  kept(key: string): Promise<string | null> {
    return this.first.evaluate((key) => localStorage.getItem(key), key);
  }

  /** Has the server refuse the access token that is kept, as it does when it has expired. */
  async expire(): Promise<void> {
    await this.first.evaluate(() => {
      if (localStorage.getItem("access_token")) localStorage.setItem("access_token", "expired");
    });
  }
}

declare global {
  interface Window {
    signInSeen(): void;
  }
}
