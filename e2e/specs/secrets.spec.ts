/** No token is ever where a script of another page, a log or a history could find it. */

import type { BrowserContext, Page } from "@playwright/test";
import { call, LIVE, REFRESH, refresh, signIn, untilState } from "../support/tab.js";
import { expect, test } from "../support/test.js";

/** Collects every token that the server hands out, and every place outside the page that could hold one. */
function watch(context: BrowserContext) {
  const tokens = new Set<string>();
  const outside: string[] = [];
  const reading: Promise<unknown>[] = [];
  context.on("request", (request) => outside.push(request.url(), request.headers().referer ?? ""));
  context.on("console", (message) => outside.push(message.text()));
  context.on("response", (response) => {
    if (!/\/auth\/(login|refresh|register|password)/.test(response.url())) return;
    const read = async () => {
      const { access_token: access } = (await response.json()) as { access_token?: string };
      if (access) tokens.add(access);
      const cookie = await response.headerValue("set-cookie");
      const value = /=(tnr1_[^;]+)/.exec(cookie ?? "")?.[1];
      if (value) tokens.add(value);
    };
    reading.push(read().catch(() => {}));
  });
  return { tokens, outside, settled: () => Promise.all(reading) };
}

/** Everything that a script of this page could read. */
function everythingIn(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const found: unknown[] = [{ ...localStorage }, { ...sessionStorage }, document.cookie, window.name];
    found.push(location.href, document.referrer, history.state, document.documentElement.outerHTML);
    found.push(performance.getEntries().map(({ name }) => name));
    for (const { name = "" } of await indexedDB.databases()) {
      const open = indexedDB.open(name);
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        open.onsuccess = () => resolve(open.result);
        open.onerror = () => reject(open.error);
      });
      for (const store of database.objectStoreNames) {
        const all = database.transaction(store).objectStore(store).getAll();
        found.push(
          await new Promise((resolve) => all.addEventListener("success", () => resolve(all.result))),
        );
      }
      database.close();
    }
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      found.push(requests.map(({ url }) => url));
    }
    return JSON.stringify(found);
  });
}

/** Any half of a token is too much of it. */
const holds = (text: string, token: string) =>
  text.includes(token.slice(0, token.length / 2)) || text.includes(token.slice(token.length / 2));

test("after a busy session no token is in storage, cookies that scripts see, addresses, history or the console", async ({
  page,
  tab,
  person,
  server,
  context,
}) => {
  const { tokens, outside, settled } = watch(context);
  await page.goto(`${server.api}/sign-in`);
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await page.getByLabel("Remember me for 20 days").check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/account");
  const [one, two] = await Promise.all([tab(), tab()]);
  for (const each of [one, two]) await untilState(each, LIVE);
  for (const each of [one, two, one]) expect(await refresh(each)).toBeUndefined();
  expect(await call(one)).toBe(200);
  await one.evaluate(
    async ([old = "", next = ""]) => {
      await window.client.changePassword({ current: old, next });
      await window.client.sessions.list();
      await window.client.updateProfile({ name: "Somebody Else" });
    },
    [person.password, "another way to the sea"],
  );
  await one.route(REFRESH, (route) => route.abort());
  await refresh(one);
  await one.unroute(REFRESH);
  await untilState(one, LIVE, 20_000);
  const look = async () => (await Promise.all([page, one, two].map(everythingIn))).join();
  const during = await look();
  await two.evaluate(() => window.client.signOut());
  await untilState(one, { status: "signedOut" });
  await signIn(one, { ...person, password: "another way to the sea" });
  await settled();
  const readable = during + (await look()) + outside.join();

  // Access and refresh tokens of two sign-ins, three refreshes and a change of password at least.
  expect(tokens.size).toBeGreaterThan(8);
  expect([...tokens].filter((token) => holds(readable, token))).toEqual([]);
  expect(readable).toContain("tenure:device");

  // A scan that can find nothing proves nothing.
  const [planted = ""] = tokens;
  await one.evaluate((token) => sessionStorage.setItem("planted", token), planted);
  expect(holds(await everythingIn(one), planted)).toBe(true);
});

test("the access token goes to the page's own server and to no other", async ({ tab, person, context }) => {
  const page = await tab();
  await signIn(page, person);
  const sent: (string | undefined)[] = [];
  await context.route("http://elsewhere.localhost/**", (route) => {
    sent.push(route.request().headers().authorization);
    return route.fulfill({ headers: { "access-control-allow-origin": "*" }, body: "{}" });
  });
  await page.evaluate(async () => {
    await window.client.fetch("http://elsewhere.localhost/api");
    const instance = window.axios.create();
    window.client.attachAxios(instance);
    await instance.get("http://elsewhere.localhost/api");
  });
  expect(sent).toEqual([undefined, undefined]);
});

test("axios in the browser: token added, refused token replaced once, other errors untouched", async ({
  tab,
  person,
}) => {
  const page = await tab();
  await signIn(page, person);
  const { email, statuses, detached } = await page.evaluate(async () => {
    const instance = window.axios.create();
    const detach = window.client.attachAxios(instance);
    const { data } = await instance.get<{ email: string }>("/api/v1/auth/profile");
    const statuses = await Promise.all(
      ["/api/v1/no-such-thing", "/api/v1/auth/sessions"].map((url) =>
        instance.get(url).then(
          ({ status }) => status,
          (error) => error.response.status as number,
        ),
      ),
    );
    detach();
    const detached = await instance.get("/api/v1/auth/profile").catch((error) => error.response.status);
    return { email: data.email, statuses, detached };
  });
  expect({ email, statuses, detached }).toEqual({ email: person.email, statuses: [404, 200], detached: 401 });
  await untilState(page, LIVE);
});
