/** Many tabs of one browser: they share one session, and what one learns all know. */

import type { Request } from "@playwright/test";
import { quantile } from "../support/numbers.js";
import {
  call,
  eventsOf,
  expectNeverOut,
  LIVE,
  refresh,
  signIn,
  stateOf,
  toldOf,
  untilState,
  whoAmI,
} from "../support/tab.js";
import { expect, test } from "../support/test.js";

test("a reload keeps the session, and costs no sign-in", { tag: "@firefox" }, async ({ tab, person }) => {
  const page = await tab();
  const session = await signIn(page, person);
  await page.reload();
  await untilState(page, LIVE);
  expect(await stateOf(page)).toMatchObject({ user: { email: person.email }, session: { id: session } });
  expect(await call(page)).toBe(200);
});

test("ten tabs opened at once are all signed in with two refreshes at most", async ({
  tab,
  person,
  server,
}) => {
  const first = await tab();
  await signIn(first, person);
  // Alone, so that nobody can hand a token over.
  await first.close();
  const before = await server.refreshes();
  const tabs = await Promise.all(Array.from({ length: 10 }, () => tab()));
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  expect((await server.refreshes()) - before).toBeLessThanOrEqual(2);
  for (const page of tabs) expect(await call(page)).toBe(200);
  await expectNeverOut(...tabs);
});

test("A04 A14: a new tab takes its token from a tab that has one, without asking the server", async ({
  tab,
  person,
  server,
}) => {
  await signIn(await tab(), person);
  const before = await server.refreshes();
  for (let another = 0; another < 5; another++) await untilState(await tab(), LIVE);
  // A tab that is answered too late, as on a busy machine, may ask the server.
  expect((await server.refreshes()) - before).toBeLessThanOrEqual(1);
});

test("one tab signs out and nine follow", { tag: "@firefox" }, async ({ tab, person, context }) => {
  const tabs = await Promise.all(Array.from({ length: 10 }, () => tab()));
  const [first, ...others] = tabs as [(typeof tabs)[0], ...typeof tabs];
  await signIn(first, person);
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  const began = await first.evaluate(() => {
    const now = performance.timeOrigin + performance.now();
    void window.client.signOut();
    return now;
  });
  const took: number[] = [];
  for (const page of others) {
    await untilState(page, { status: "signedOut", reason: "signed_out" });
    const out = (await toldOf(page)).find(({ event }) => event === "SIGNED_OUT");
    took.push((out?.at ?? Number.POSITIVE_INFINITY) - began);
  }
  // How fast it is, measure.spec.ts holds over twenty rounds; the machine may hold up one.
  expect(quantile(took, 0.5)).toBeLessThan(5000);
  await expect.poll(async () => (await context.cookies()).length).toBe(0);
});

test("an end that the server decides reaches every tab with its reason", { tag: "@firefox" }, async ({
  tab,
  person,
  server,
}) => {
  const tabs = await Promise.all([tab(), tab(), tab()]);
  await signIn(tabs[0], person);
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  await server.endSessions({ user: person.email });
  // The next refresh finds it out, and the other tabs hear of it.
  expect(await refresh(tabs[1])).toBe("signed_out");
  for (const page of tabs) await untilState(page, { status: "signedOut", reason: "admin_revoked" });
  expect(await eventsOf(tabs[2])).toContain("SIGNED_OUT");
});

// The lock is waited for, and after four seconds it is done without.
for (const ms of [1500, 5500]) {
  test(`a sign-in in one tab while another refreshes wins, with the answer ${ms} ms late`, async ({
    tab,
    person,
    server,
  }) => {
    const [one, two] = await Promise.all([tab(), tab()]);
    await signIn(one, person);
    await untilState(two, LIVE);
    const other = await server.person();
    // The refresh of the first person is answered only after the second has signed in.
    await server.fault({ kind: "delay", ms, path_prefix: "/api/v1/auth/refresh" });
    const isRefresh = (request: Request) => request.url().endsWith("/auth/refresh");
    const late = Promise.race([
      one.waitForEvent("requestfinished", isRefresh),
      one.waitForEvent("requestfailed", isRefresh),
    ]);
    await one.evaluate(() => void window.client.refresh());
    await expect.poll(() => server.standingFaults()).toBe(0);
    const session = await signIn(two, other);
    await late;
    for (const page of [one, two]) {
      await untilState(page, { ...LIVE, session: { id: session } as never });
      await expect.poll(() => whoAmI(page)).toBe(other.email);
    }
    await expectNeverOut(one, two);
  });
}

test("A08 D08: refreshes asked for from all sides at once are one, and the next still works", {
  tag: "@firefox",
}, async ({ tab, person }) => {
  const tabs = await Promise.all([tab(), tab(), tab()]);
  await signIn(tabs[0], person);
  await Promise.all(tabs.map((page) => untilState(page, LIVE)));
  for (let round = 0; round < 3; round++) {
    const codes = await Promise.all(
      tabs.map((page) =>
        page.evaluate(async () => {
          const all = await Promise.all([1, 2, 3].map(() => window.client.refresh()));
          return all.map(({ error }) => error?.code);
        }),
      ),
    );
    expect(codes.flat().filter(Boolean)).toEqual([]);
  }
  expect(await refresh(tabs[0])).toBeUndefined();
  await expectNeverOut(...tabs);
});
