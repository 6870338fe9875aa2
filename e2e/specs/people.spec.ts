/** Signing out, and people one after the other in one browser: nobody is ever shown or sent as somebody else. */

import {
  eventsOf,
  LIVE,
  REFRESH,
  refresh,
  signIn,
  stateOf,
  toldOf,
  untilState,
  whoAmI,
} from "../support/tab.js";
import { expect, test } from "../support/test.js";

test("two people in one browser: the other tab is told of the change and never mixes them", {
  tag: "@firefox",
}, async ({ tab, person, server }) => {
  const [one, two] = await Promise.all([tab(), tab()]);
  await signIn(one, person);
  await untilState(two, LIVE);
  const other = await server.person();
  // Calls all the while, each held against the person that the tab shows when it answers.
  await two.evaluate(() => {
    const mixed: string[] = [];
    const seen = new Set<string>();
    Object.assign(window, { mixed, seen, stopped: false });
    const loop = async () => {
      while (!(window as unknown as { stopped: boolean }).stopped) {
        const before = window.client.getState();
        const answer = await window.client.fetch("/api/v1/auth/profile");
        const { email } = (await answer.json()) as { email: string };
        const after = window.client.getState();
        seen.add(email);
        const shown = [before, after].map((state) => (state.status === "signedIn" ? state.user.email : ""));
        if (!shown.includes(email)) mixed.push(`${email} while ${shown.join(" then ")} was shown`);
      }
    };
    void loop();
  });
  await signIn(one, other);
  await untilState(two, { ...LIVE, user: { email: other.email } as never });
  await expect
    .poll(() => two.evaluate(() => [...(window as never as { seen: Set<string> }).seen]))
    .toContain(other.email);
  const mixed = await two.evaluate(() => {
    Object.assign(window, { stopped: true });
    return (window as unknown as { mixed: string[] }).mixed;
  });
  expect(mixed).toEqual([]);
  expect(await eventsOf(two)).toContain("USER_CHANGED");
  for (const page of [one, two]) expect(await whoAmI(page)).toBe(other.email);
});

test("sign out, then another person: nothing of the first is left", { tag: "@firefox" }, async ({
  tab,
  person,
  server,
  context,
}) => {
  const [one, two] = await Promise.all([tab(), tab()]);
  await signIn(one, person);
  await untilState(two, LIVE);
  await one.evaluate(() => window.client.signOut());
  await untilState(two, { status: "signedOut", reason: "signed_out" });
  expect(await context.cookies()).toEqual([]);
  const other = await server.person();
  await signIn(two, other);
  await untilState(one, { ...LIVE, user: { email: other.email } as never });
  expect(await whoAmI(one)).toBe(other.email);
  await one.reload();
  await untilState(one, { ...LIVE, user: { email: other.email } as never });
});

test("sign-out offline sticks over a reload, and is delivered when the network is back", async ({
  tab,
  person,
  context,
  server,
}) => {
  const page = await tab();
  await signIn(page, person);
  await context.setOffline(true);
  const { data } = await page.evaluate(() => {
    const under = window.client.signOut();
    return Promise.race([under, new Promise<never>((_, late) => setTimeout(late, 10_000))]);
  });
  expect(data).toEqual({ delivered: false });
  expect(await stateOf(page)).toMatchObject({ status: "signedOut", reason: "signed_out" });
  // The harness page comes from the test and not from the network, so it loads offline, as an installed app does.
  await page.reload();
  expect(await stateOf(page)).toMatchObject({ status: "signedOut", reason: "signed_out" });
  expect(await context.cookies()).toHaveLength(1);
  const ends = async () => (await server.stats()).ends.signed_out ?? 0;
  const before = await ends();
  await context.setOffline(false);
  await expect.poll(ends).toBe(before + 1);
  await expect.poll(async () => (await context.cookies()).length).toBe(0);
  await page.reload();
  await untilState(page, { status: "signedOut" });
  expect((await toldOf(page)).some(({ event }) => event === "SIGNED_IN")).toBe(false);
});

test("sign-out offline, reload, and sign-in of somebody else: the wish does not end the new session", async ({
  tab,
  person,
  context,
  server,
}) => {
  const page = await tab();
  await signIn(page, person);
  await context.setOffline(true);
  await page.evaluate(() => window.client.signOut());
  await page.reload();
  const other = await server.person();
  await context.setOffline(false);
  await signIn(page, other);
  expect(await refresh(page)).toBeUndefined();
  await untilState(page, { ...LIVE, user: { email: other.email } as never });
  expect(await context.cookies()).toHaveLength(1);
});

test("E01 E03: an end whose answer comes late deletes no cookie of the sign-in since", async ({
  tab,
  person,
  server,
  context,
}) => {
  const [one, two] = await Promise.all([tab(), tab()]);
  const session = await signIn(one, person);
  await untilState(two, LIVE);
  await server.endSessions({ session });
  // The refusal of the ended session, with its deleting cookie, is held back until after the next sign-in.
  await server.fault({ kind: "delay", ms: 1500, path_prefix: "/api/v1/auth/refresh" });
  const late = one.evaluate(async () => {
    const answer = await fetch("/api/v1/auth/refresh", { method: "POST" });
    return answer.status;
  });
  await expect.poll(() => server.standingFaults()).toBe(0);
  // Another app of this host has a cookie, too.
  await context.addCookies([{ name: "another_app", value: "here", url: server.api }]);
  await signIn(two, person);
  expect(await late).toBe(401);
  const names = (await context.cookies()).map(({ name }) => name);
  expect(names).toHaveLength(2);
  expect(names).toContain("another_app");
  await two.reload();
  await untilState(two, LIVE);
});

test("E01: a refusal that overtakes a renewal leaves the cookie alone", async ({
  tab,
  person,
  server,
  context,
}) => {
  const [one, two] = await Promise.all([tab(), tab()]);
  await signIn(one, person);
  await untilState(two, LIVE);
  await server.fault({ kind: "delay", ms: 700, path_prefix: "/api/v1/auth/refresh" });
  const slow = one.evaluate(async () => (await fetch("/api/v1/auth/refresh", { method: "POST" })).status);
  const stale = two.evaluate(async () => {
    const headers = { "Tenure-Sent-At": "1000" };
    return (await fetch("/api/v1/auth/refresh", { method: "POST", headers })).status;
  });
  expect(await Promise.all([slow, stale])).toEqual([200, 409]);
  expect(await context.cookies()).toHaveLength(1);
  expect(await refresh(two)).toBeUndefined();
});

// The second is another port of our own host: the same site, whose pages do send our cookie.
for (const origin of ["http://foreign.localhost", "http://127.0.0.1:8199"]) {
  test(`E07: a page of ${origin} can neither refresh nor sign out`, async ({
    tab,
    person,
    context,
    server,
  }) => {
    const page = await tab();
    await signIn(page, person);
    await context.route(`${origin}/`, (route) =>
      route.fulfill({ contentType: "text/html", body: "<title>Elsewhere</title>" }),
    );
    const foreign = await context.newPage();
    await foreign.goto(`${origin}/`);
    const before = await server.stats();
    await foreign.evaluate(async (api) => {
      const send = (path: string, method: string) =>
        fetch(api + path, {
          method,
          credentials: "include",
          mode: method === "POST" ? "no-cors" : "cors",
        }).catch(() => {});
      await send("/api/v1/auth/refresh", "POST");
      await send("/api/v1/auth/refresh", "DELETE");
      await send("/api/v1/auth/logout", "POST");
    }, server.api);
    const { ends, refreshes } = await server.stats();
    expect(ends).toEqual(before.ends);
    expect(refreshes.rotated).toBe(before.refreshes.rotated);
    expect(await context.cookies()).toHaveLength(1);
    expect(await refresh(page)).toBeUndefined();
    expect(await stateOf(page)).toMatchObject(LIVE);
  });
}

test("K07: localStorage and IndexedDB deleted, cookie there: signed in", { tag: "@firefox" }, async ({
  tab,
  person,
}) => {
  const page = await tab();
  await signIn(page, person);
  await page.evaluate(async () => {
    localStorage.clear();
    sessionStorage.clear();
    for (const { name = "" } of (await indexedDB.databases?.()) ?? []) indexedDB.deleteDatabase(name);
  });
  await page.reload();
  await untilState(page, { ...LIVE, user: { email: person.email } as never });
  // What it remembers is written down again.
  expect(await page.evaluate(() => localStorage.getItem("tenure:session"))).not.toBeNull();
});

test("K08: a page whose scripts lost everything they had comes back from the cookie alone", async ({
  tab,
  person,
  context,
}) => {
  const page = await tab();
  await signIn(page, person);
  await page.evaluate(() => localStorage.clear());
  await page.close();
  expect(context.pages()).toEqual([]);
  await untilState(await tab(), { ...LIVE, user: { email: person.email } as never });
});

test("K01: the cookie was evicted, and the person is told so", async ({ tab, person, context, server }) => {
  const page = await tab();
  await signIn(page, person);
  await context.clearCookies();
  await page.reload();
  await untilState(page, { status: "signedOut", reason: "cookie_missing" });
  await signIn(page, person);
  await context.clearCookies();
  await page.goto(`${server.api}/sign-in`);
  await expect(page.locator("[data-tenure=logout-reason-banner]")).toContainText("its data was cleared");
});

test("K06: on the same site a reload needs no frame and no third party's cookie", async ({
  tab,
  person,
  context,
}) => {
  const frames: string[] = [];
  context.on("page", (page) => page.on("frameattached", (frame) => frames.push(frame.url())));
  const page = await tab();
  await signIn(page, person);
  await page.reload();
  await untilState(page, LIVE);
  expect(frames).toEqual([]);
});

test("L02: what was typed into a form outlives the session's end", { tag: "@firefox" }, async ({
  tab,
  person,
  server,
}) => {
  const page = await tab();
  await signIn(page, person);
  const notes = page.getByLabel("Notes");
  await notes.fill("not saved yet");
  const before = page.url();
  await server.endSessions({ user: person.email });
  await refresh(page);
  await untilState(page, { status: "signedOut", reason: "admin_revoked" });
  await expect(notes).toHaveValue("not saved yet");
  expect(page.url()).toBe(before);
});

test("a request that overlaps a sign-out answers, and brings nobody back", async ({
  tab,
  person,
  context,
}) => {
  const page = await tab();
  await signIn(page, person);
  await page.route(REFRESH, async (route) => {
    if (route.request().method() === "POST") await new Promise((wake) => setTimeout(wake, 500));
    await route.continue();
  });
  await page.evaluate(async () => {
    const late = window.client.refresh();
    await window.client.signOut();
    await late;
  });
  expect(await stateOf(page)).toMatchObject({ status: "signedOut", reason: "signed_out" });
  await expect.poll(async () => (await context.cookies()).length).toBe(0);
});
