/** `test` with a server for each worker, a person who is nobody else's, and tabs. */

import { test as base, type Page } from "@playwright/test";
import { type Person, Server } from "./server.js";
import { withHarness } from "./tab.js";

interface Fixtures {
  /** Somebody whom no other test signs in as. */
  person: Person;
  /** Opens another tab of this test's browser, with the harness page unless another is named. */
  tab: (path?: string) => Promise<Page>;
}

interface WorkerFixtures {
  server: Server;
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs from this pattern.
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: "worker" },
  ],
  person: async ({ server }, use) => {
    await server.clearFaults();
    await use(await server.person());
  },
  tab: async ({ server, context }, use) => {
    await withHarness(context, server.api);
    let opened: Promise<unknown> = Promise.resolve();
    await use(async (path = "/harness.html") => {
      // One after the other: Firefox loses its way among windows that are opened at once. They load side by side.
      const opening = opened.then(() => context.newPage());
      opened = opening;
      const page = await opening;
      await page.goto(server.api + path);
      return page;
    });
  },
});

export { expect } from "@playwright/test";
