/** Twenty days in a real browser, on a server whose clock the test moves. */

import { Server } from "../support/server.js";
import { call, LIVE, refresh, signIn, stateOf, toldOf, untilState, withHarness } from "../support/tab.js";
import { expect, test } from "../support/test.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test("a remembered sign-in is there after 19 days and 23 hours, and past 20 days ends once, with its reason on the page", async ({
  context,
}) => {
  const server = await Server.start({ clock: "virtual" });
  try {
    await withHarness(context, server.api);
    const person = await server.person();
    const page = await context.newPage();
    await page.goto(`${server.api}/harness.html`);
    await signIn(page, person);

    for (const days of [1, 6, 12]) {
      await server.advance(days * DAY);
      await page.reload();
      await untilState(page, LIVE);
    }
    await server.advance(DAY - HOUR - 60_000);
    expect(await refresh(page)).toBeUndefined();
    await page.reload();
    await untilState(page, LIVE);
    expect(await call(page)).toBe(200);

    // Beyond the end and its minute of grace.
    await server.advance(HOUR + 3 * 60_000);
    expect(await refresh(page)).toBe("signed_out");
    expect(await stateOf(page)).toMatchObject({ status: "signedOut", reason: "remembered_lifetime" });
    const outs = (await toldOf(page)).filter(({ event }) => event === "SIGNED_OUT");
    expect(outs).toHaveLength(1);
    await expect.poll(async () => (await context.cookies()).length).toBe(0);
    expect((await server.stats()).ends).toEqual({ remembered_lifetime: 1 });
  } finally {
    await server.stop();
  }
});

test("K10: past the end the page says why, asks no more, and a sign-in starts the next 20 days", async ({
  context,
  page,
}) => {
  const server = await Server.start({ clock: "virtual" });
  try {
    const person = await server.person();
    await page.goto(`${server.api}/sign-in`);
    const enter = async () => {
      await page.getByLabel("E-mail").fill(person.email);
      await page.getByLabel("Password", { exact: true }).fill(person.password);
      await page.getByLabel("Remember me for 20 days").check();
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL("**/account");
      await expect(page.getByText(person.email).first()).toBeVisible();
    };
    await enter();
    await server.advance(20 * DAY + 2 * 60_000);
    await page.reload();
    await expect(page.getByText("The time you asked to stay signed in is over.").first()).toBeVisible();
    let asked = 0;
    page.on("request", (request) => {
      if (request.url().endsWith("/auth/refresh")) asked += 1;
    });
    for (let i = 0; i < 5; i++) await page.evaluate(() => window.dispatchEvent(new Event("online")));
    expect(asked).toBe(0);
    await page.getByRole("link", { name: "Sign in" }).click();
    await enter();
    expect(await context.cookies()).toHaveLength(1);
  } finally {
    await server.stop();
  }
});
