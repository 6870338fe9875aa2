/**
 * What signs people out until a step mends it, by that step's number. It is done to a visitor at the step before, who is
 * then signed out, and to everybody afterwards, who are not.
 */

import type { Page, Route } from "@playwright/test";
import type { Customer } from "./customer.js";
import type { Desk } from "./desk.js";

type Mishap = (people: readonly Customer[], desk: Desk, step: number) => Promise<unknown>;

const OLD_REFRESH = "**/api/token/refresh/";

export const MISHAPS: Readonly<Record<number, Mishap>> = {
  /** 403, and no network, neither of which says anything of who is signed in. */
  2: each(async (one) => {
    await asks(one.first);
    await one.context.setOffline(true);
    await asks(one.first);
    await one.context.setOffline(false);
  }),

  /** An access token that has expired, with several calls waiting for another, in all tabs at once. */
  3: each(async (one) => {
    await one.expire();
    await Promise.all(one.tabs.map(oneByOne));
    await one.reload();
  }),

  /** An account that is suspended for a while. */
  async 4(people, desk, step) {
    const emails = people.map(({ email }) => email);
    await desk.manage(step, "account", "suspended", ...emails);
    await Promise.all(people.map(({ first }) => asks(first)));
    await desk.manage(step, "account", "active", ...emails);
    await each(async (one) => {
      await one.expire();
      await one.first.reload();
    })(people, desk, step);
  },

  /** The answer to a refresh is lost on the way. */
  5: each(async (one, desk) => {
    await one.expire();
    await one.first.route(OLD_REFRESH, lose, { times: 1 });
    const path_prefix = "/api/v1/auth/refresh";
    await desk.tenure.fault({ kind: "drop_answer", path_prefix, count: 1 });
    await one.first.reload();
  }),
};

/** What the observer of step 1 makes of each. */
export const CAUSES: Readonly<Record<number, string>> = {
  2: "forbidden_handler",
  3: "parallel_refresh",
  4: "refresh_refused",
  5: "lost_answer",
};

function each(work: (one: Customer, desk: Desk) => Promise<unknown>): Mishap {
  return (people, desk) => Promise.all(people.map((one) => work(one, desk)));
}

/** Asks for what only staff may see, and waits for what becomes of it. Whoever is out has nothing to press. */
async function asks(page: Page): Promise<void> {
  if (await page.locator("input[type=password]").count()) return;
  await page.getByRole("button", { name: "Team" }).click();
  await page.locator("main [role=status]:not(:empty), input[type=password]").first().waitFor();
}

async function lose(route: Route): Promise<void> {
  await route.fetch();
  await route.abort();
}

/** The network brings the requests of a page to the server one after the other. */
async function oneByOne(page: Page): Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  await page.route(OLD_REFRESH, (route) => {
    last = last.then(async () => route.fulfill({ response: await route.fetch() })).catch(() => {});
  });
}
