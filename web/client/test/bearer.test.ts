/** Requests of the app: whose token goes where, what is tried again, and what is handed on. */

import axios, { type AxiosAdapter, AxiosError, type AxiosInstance } from "axios";
import { describe, expect, it, vi } from "vitest";
import { createClient } from "../src/client.js";
import { isTransport } from "../src/index.js";
import { BOB, Browser, type Fate, HOME, isRefresh, json, type Sent, type Tab, World } from "./world.js";

// Where the page is: its own origin may have the token too, also when the server is elsewhere.
vi.stubGlobal("location", new URL("https://app.example/start"));

const MINUTE = 60_000;
const THINGS = `${HOME}/api/things`;
const isThing = ({ url }: Sent) => url.includes("/api/things");

async function signedIn(
  options: Parameters<Browser["open"]>[0] = {},
): Promise<{ world: World; browser: Browser; tab: Tab }> {
  const world = new World();
  const browser = new Browser(world);
  const tab = await browser.signedIn(undefined, options);
  await world.time.advance(11_000);
  world.sent.length = 0;
  return { world, browser, tab };
}

const things = (world: World) => world.sent.filter(isThing);
const tokenOf = (sent: Sent | undefined) => sent?.headers.get("authorization") ?? undefined;

/** Answers calls of the API one after the other; after them the server itself does. */
function answers(world: World, ...fates: Fate[]): void {
  world.network = (sent) => (isThing(sent) ? fates.shift() : undefined);
}

describe("client.fetch", () => {
  it("carries the token, and the answer is the caller's", async () => {
    const { world, tab } = await signedIn();
    const call = tab.client.fetch(THINGS, { headers: { "X-Mine": "1" } });
    await world.time.advance(100);
    expect(await (await call).json()).toMatchObject({ user: "usr_ada" });
    expect(tokenOf(things(world)[0])).toMatch(/^Bearer eyJ/);
    expect(things(world)[0]?.headers.get("x-mine")).toBe("1");
  });

  it("J03, J05: a 401 about the token is refreshed once and the call, with its body, repeated once", async () => {
    for (const wallError of [0, -60 * MINUTE, 60 * MINUTE]) {
      const { world, tab } = await signedIn();
      world.time.wallError = wallError;
      world.server.forgetAccessTokens();
      const call = tab.client.fetch(THINGS, { method: "PUT", body: "a body" });
      await world.time.advance(500);
      expect((await call).status).toBe(200);
      // A clock that was set forward makes the token look old, which is then renewed before the call.
      const sent = things(world);
      expect(sent.map(({ body }) => body)).toEqual(Array(wallError > 0 ? 1 : 2).fill("a body"));
      expect(new Set(sent.map(tokenOf)).size).toBe(sent.length);
    }
  });

  it("RFC 6750's invalid_token of another API counts as well", async () => {
    const { world, tab } = await signedIn();
    answers(world, {
      answer: { status: 401, headers: { "www-authenticate": 'Bearer realm="x", error="invalid_token"' } },
    });
    const call = tab.client.fetch(THINGS);
    await world.time.advance(500);
    expect((await call).status).toBe(200);
    expect(things(world).length).toBe(2);
  });

  it("a 401 that stays is handed on, and an API that refuses every token does not make us refresh without end", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) =>
      isThing(sent) ? { answer: world.server.problem("access_token_invalid") } : undefined;
    for (let i = 0; i < 60; i++) {
      const call = tab.client.fetch(THINGS);
      await world.time.advance(1000);
      expect((await call).status).toBe(401);
    }
    expect(world.refreshes().length).toBeLessThanOrEqual(6);
    expect(tab.shows).toBe("signedIn ada live");
  });

  it("a 401 while a refresh is already under way waits for that refresh, and is repeated", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) => (isRefresh(sent) ? { up: 2500 } : undefined);
    // Until the scheduled refresh is on its way.
    for (let i = 0; i < 1000 && !world.refreshes().length; i++) await world.time.advance(1000);
    expect(world.refreshes().map(({ endedAt }) => endedAt)).toEqual([undefined]);
    world.server.forgetAccessTokens();
    const call = tab.client.fetch(THINGS);
    await world.time.advance(6000);
    expect((await call).status).toBe(200);
  });

  it("waits for a refresh under way instead of sending what has run out", async () => {
    const { world, tab } = await signedIn();
    await world.time.sleep(60 * MINUTE);
    const calls = [1, 2, 3].map(() => tab.client.fetch(THINGS));
    await world.time.advance(1000);
    for (const call of calls) expect((await call).status).toBe(200);
    expect(things(world).length).toBe(3);
  });

  it("rejects with an error of class transport while no token can be had, and sends nothing", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) => (isRefresh(sent) ? "lost" : undefined);
    await world.time.advance(20 * MINUTE);
    world.sent.length = 0;
    const error = await tab.client.fetch(THINGS).catch((thrown: unknown) => thrown);
    expect(isTransport(error)).toBe(true);
    expect(things(world)).toEqual([]);
  });

  it("still sends while the server cannot be asked, as long as the token is good", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) => (isRefresh(sent) ? "lost" : undefined);
    for (let i = 0; i < 900 && tab.shows !== "signedIn ada reconnecting"; i++) await world.time.advance(1000);
    const call = tab.client.fetch(THINGS);
    await world.time.advance(100);
    expect((await call).status).toBe(200);
  });

  it("goes without a token when nobody is signed in", async () => {
    const browser = new Browser();
    const tab = browser.open();
    const call = tab.client.fetch(THINGS);
    await browser.world.time.advance(1000);
    expect((await call).status).toBe(401);
    expect(tokenOf(things(browser.world)[0])).toBeUndefined();
  });

  it("leaves an Authorization of the app's own alone", async () => {
    const { world, tab } = await signedIn();
    const call = tab.client.fetch(THINGS, { headers: { Authorization: "Basic xyz" } });
    await world.time.advance(100);
    await call;
    expect(tokenOf(things(world)[0])).toBe("Basic xyz");
  });

  it("sends the token to this page's origin, the server's and the named ones, and to no other", async () => {
    const { world, tab } = await signedIn({
      apiOrigins: ["https://api.example", "https://other.example:8443/v1"],
    });
    world.network = ({ url }) => (url.includes("/api/") ? undefined : { answer: json(200, {}) });
    const to: Record<string, boolean> = {
      "https://app.example/x": true,
      "/relative": true,
      relative: true,
      "https://api.example/x": true,
      "https://other.example:8443/x": true,
      "http://app.example/x": false,
      "https://app.example:8443/x": false,
      "https://other.example/x": false,
      "https://evil.example/x": false,
      "https://app.example.evil.example/x": false,
      "https://evil-app.example/x": false,
      "https://evil.example/https://app.example/": false,
      "//evil.example/x": false,
      "https://evil.example\\@app.example/x": false,
    };
    for (const [url, carries] of Object.entries(to)) {
      world.sent.length = 0;
      // A browser resolves what is relative against the page.
      const call = tab.client.fetch(new URL(url, "https://app.example/start"));
      await world.time.advance(100);
      await call;
      expect(tokenOf(world.sent[0]) !== undefined, url).toBe(carries);
    }
  });

  it("a call of ada's is not repeated with bob's token", async () => {
    const { world, browser, tab } = await signedIn();
    const other = new Browser(world);
    await other.signedIn(BOB);
    world.sent.length = 0;
    world.server.forgetAccessTokens();
    for (const [name, value] of other.jar) browser.jar.set(name, value);
    const call = tab.client.fetch(THINGS, { method: "POST", body: "ada's" });
    await world.time.advance(1000);
    expect((await call).status).toBe(401);
    expect(tab.shows).toBe("signedIn bob live");
    expect(things(world).length).toBe(1);
  });

  it("a call of ada's that waits for a token does not go out with bob's", async () => {
    const { world, browser, tab } = await signedIn();
    const other = new Browser(world);
    await other.signedIn(BOB);
    await world.time.sleep(60 * MINUTE);
    world.sent.length = 0;
    for (const [name, value] of other.jar) browser.jar.set(name, value);
    const call = tab.client.fetch(THINGS, { method: "POST", body: "ada's" }).catch(() => undefined);
    await world.time.advance(1000);
    await call;
    expect(tab.shows).toBe("signedIn bob live");
    const bobs = world.server.rows.find(({ person }) => person.name === "Bob");
    for (const sent of things(world)) expect(tokenOf(sent) ?? "").not.toContain(bobs?.id);
  });
});

describe("axios", () => {
  async function withAxios(): Promise<{ world: World; tab: Tab; api: AxiosInstance; detach: () => void }> {
    const { world, tab } = await signedIn();
    const api = axios.create({ baseURL: HOME, adapter: adapterOf(tab) });
    return { world, tab, api, detach: tab.client.attachAxios(api) };
  }

  it("carries the token, refreshes a refused one, and repeats the call with its body and query", async () => {
    const { world, api } = await withAxios();
    world.server.forgetAccessTokens();
    const call = api.post("/api/things", { name: "é" }, { params: { page: 2 } });
    await world.time.advance(1000);
    expect((await call).data).toMatchObject({ user: "usr_ada" });
    const [first, second, ...more] = things(world);
    expect(more).toEqual([]);
    expect(second?.body).toBe(first?.body);
    expect(second?.url).toBe(`${HOME}/api/things?page=2`);
    expect(second?.headers.get("content-type")).toContain("application/json");
    expect(tokenOf(second)).not.toBe(tokenOf(first));
  });

  it("hands on what stays refused, after one repetition", async () => {
    const { world, tab, api } = await withAxios();
    world.network = (sent) =>
      isThing(sent) ? { answer: world.server.problem("access_token_revoked") } : undefined;
    const call = api.get("/api/things").catch((error: AxiosError) => error.response?.status);
    await world.time.advance(1000);
    expect(await call).toBe(401);
    expect(things(world).length).toBe(2);
    expect(tab.state.status).toBe("signedIn");
  });

  it("sends the token to no other origin, and keeps an Authorization that is set", async () => {
    const { world, api } = await withAxios();
    world.network = ({ url }) => (url.startsWith(HOME) ? undefined : { answer: json(200, {}) });
    const calls = Promise.allSettled([
      api.get("https://evil.example/api/things"),
      api.get("/api/things", { headers: { Authorization: "Basic xyz" } }),
    ]);
    await world.time.advance(1000);
    await calls;
    expect(things(world).map(tokenOf)).toEqual(expect.arrayContaining([undefined, "Basic xyz"]));
  });

  it("with an Authorization of the app's own does not wait for ours", async () => {
    const { world, api } = await withAxios();
    world.network = (sent) => (isRefresh(sent) ? "lost" : undefined);
    await world.time.advance(20 * MINUTE);
    const calls = Promise.allSettled([api.get("/api/things", { headers: { Authorization: "Basic xyz" } })]);
    await world.time.advance(1000);
    await calls;
    expect(things(world).map(tokenOf)).toEqual(["Basic xyz"]);
  });

  it("leaves no token in an error, which reports quote and which an app may send once more", async () => {
    const { world, api } = await withAxios();
    answers(world, { answer: json(503, {}) }, "lost");
    const failed = () => api.get("/api/things").catch((thrown: AxiosError) => thrown);
    const calls = [failed(), failed()];
    await world.time.advance(1000);
    const errors = (await Promise.all(calls)) as AxiosError[];
    for (const error of errors)
      expect(JSON.stringify([error, error.config, error.response])).not.toContain("eyJ");
    // As apps do that try again by themselves; the token has died meanwhile.
    world.server.forgetAccessTokens();
    const again = errors.map(({ config }) => api.request(config ?? {}));
    await world.time.advance(1000);
    for (const { data } of await Promise.all(again)) expect(data).toMatchObject({ user: "usr_ada" });
  });

  it("is left alone after detaching", async () => {
    const { world, api, detach } = await withAxios();
    detach();
    const call = api.get("/api/things").catch(() => undefined);
    await world.time.advance(1000);
    await call;
    expect(things(world).map(tokenOf)).toEqual([undefined]);
  });
});

function adapterOf(tab: Tab): AxiosAdapter {
  return async (config) => {
    const { world, jar } = tab.browser;
    const headers = Object.entries(config.headers.toJSON()).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const init = { method: (config.method ?? "get").toUpperCase(), headers, body: config.data ?? null };
    const answer = await world.fetch(new Request(axios.getUri(config), init), jar, tab);
    const data = await answer.text();
    const { status } = answer;
    const response = { data, status, statusText: "", headers: Object.fromEntries(answer.headers), config };
    if (config.validateStatus?.(status) ?? true) return response;
    throw new AxiosError("refused", AxiosError.ERR_BAD_REQUEST, config, {}, response);
  };
}

describe("a token", () => {
  it("is one request for all who ask at once", async () => {
    const { world, tab } = await signedIn();
    await world.time.sleep(60 * MINUTE);
    const asked = Array.from({ length: 20 }, () => tab.client.getAccessToken());
    await world.time.advance(1000);
    const tokens = new Set((await Promise.all(asked)).map(({ data }) => data));
    expect(tokens.size).toBe(1);
    expect(world.refreshes().filter(({ headers }) => headers.get("tenure-sent-at") !== "0").length).toBe(1);
  });

  it("is not had by who is signed out, which is told and not thrown", async () => {
    const browser = new Browser();
    const tab = browser.open();
    const asked = tab.client.getAccessToken();
    await browser.world.time.advance(1000);
    expect((await asked).error).toMatchObject({ code: "signed_out", problemClass: "authentication" });
  });

  it("is had by two clients on two pages of one browser without mixing two servers up", async () => {
    const { world, tab } = await signedIn();
    const elsewhere = createClient({ baseUrl: "https://id.other.example", start: true, edges: tab.edges() });
    await world.time.advance(1000);
    expect(elsewhere.getState().status).not.toBe("signedIn");
    elsewhere.dispose();
  });

  it("is shared by pages that name their own server differently", async () => {
    const { world, browser } = await signedIn();
    for (const baseUrl of ["", "https://app.example/"]) {
      const beside = browser.open({ baseUrl });
      await world.time.advance(200);
      expect(beside.shows).toBe("signedIn ada live");
      // One name for lock, channel and notes: a sign-in through one finds a sign-out that waits in the other.
      expect([beside.client.baseUrl, beside.client.inspect().tokensFromTabs]).toEqual(["", 1]);
    }
  });
});
