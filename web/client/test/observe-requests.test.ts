// @vitest-environment jsdom

import axios from "axios";
import { expect, it, vi } from "vitest";
import { observe } from "../src/observe/index.js";
import { outboxOf } from "../src/observe/outbox.js";
import { answering, goTo, jwt, network, REPORT_TO, reported, reports, watch } from "./observing.js";

/** What the first sign-out is told with. */
async function signedOut() {
  localStorage.setItem("access_token", "an-opaque-token");
  localStorage.removeItem("access_token");
  const seen = await reported();
  return { seen, failures: seen.filter(({ kind }) => kind === "failure"), out: seen.at(-1) };
}

const failing = () => answering(() => Promise.reject(new TypeError("Failed to fetch")));
const ping = (url: string, init?: RequestInit) => fetch(url, init).catch(() => {});

it("an answer that may not be seen is none that did not come", async () => {
  watch();
  for (const type of ["opaque", "opaqueredirect"]) {
    answering(async () =>
      Object.defineProperties(new Response(), { status: { value: 0 }, type: { value: type } }),
    );
    await ping("/api/me/", { mode: "no-cors" });
    await ping("/api/token/refresh/", { method: "POST" });
  }
  const { seen } = await signedOut();
  expect(seen.map(({ kind }) => kind)).toEqual(["page", "sign_in", "sign_out"]);
});

it("what the page gives up has not failed, whatever it gives as the reason", async () => {
  watch();
  for (const reason of [undefined, new Error("route changed"), "gone"]) {
    const giving = new AbortController();
    answering(async () => {
      giving.abort(reason);
      throw giving.signal.reason;
    });
    await ping("/api/me/", { signal: giving.signal });
    const request = new Request("http://localhost:3000/api/me/");
    Object.defineProperty(request, "signal", { value: giving.signal });
    await fetch(request).catch(() => {});
  }
  expect((await signedOut()).failures).toEqual([]);
});

it("no answer in time is none", async () => {
  watch();
  const late = new AbortController();
  late.abort(new DOMException("late", "TimeoutError"));
  answering(() => Promise.reject(late.signal.reason));
  await ping("/api/me/", { signal: late.signal });
  expect((await signedOut()).failures).toMatchObject([{ status: 0, path: "/api/me/" }]);
});

it("what fails elsewhere is none of the sign-in's business", async () => {
  watch();
  failing();
  await ping("https://counter.example/logout", { method: "POST", mode: "no-cors" });
  const { failures, out } = await signedOut();
  expect(failures).toEqual([]);
  expect(out?.askedAgoMs).toBeUndefined();
});

it("an API at another origin is one of the page's: where it sends tokens, refreshes, or is said to be", async () => {
  watch({
    signOutUrl: "https://end.example.com/session/end",
    axios: axios.create({ baseURL: "https://base.example.com/v1" }),
  });
  failing();
  await ping("https://other.example.com/me/");
  await ping("https://api.example.com/me/", { headers: [["Authorization", "Bearer x"]] });
  await ping("https://api.example.com/again/");
  await ping("https://id.example.com/token/refresh/", { method: "POST" });
  await ping("https://id.example.com/me/");
  await ping("https://end.example.com/me/");
  await ping("https://base.example.com/me/");
  const xhr = new XMLHttpRequest();
  xhr.open("GET", "https://xhr.example.com/me/");
  xhr.setRequestHeader("authorization", "Bearer x");
  vi.spyOn(xhr, "getAllResponseHeaders").mockReturnValue("");
  xhr.send();
  xhr.dispatchEvent(new ProgressEvent("error"));
  expect((await signedOut()).failures.map(({ path }) => path)).toEqual([
    "/me/",
    "/again/",
    "/me/",
    "/me/",
    "/me/",
    "/me/",
  ]);
});

it("headers that can be gone through once are left to the application", async () => {
  watch();
  const headers = new Map([["authorization", "Bearer x"]]).entries();
  await fetch("/api/me/", { headers: headers as unknown as HeadersInit });
  expect(new Headers(network.mock.calls.at(-1)?.[1]?.headers).get("authorization")).toBe("Bearer x");
});

it("of paths, words and versions are told, and nothing of anybody", async () => {
  answering(async () => new Response(null, { status: 403 }));
  const first = watch();
  const own = [
    "/app/reset/MTI/abc123-deadbeefdeadbeef/",
    "/users/ada@example.com",
    "/accounts/confirm/MjM:1tQx9k/",
  ];
  let observer = first;
  for (const path of own) observer = goTo(path, observer);
  for (const path of ["/api/v2/users/ada%40example.com/", "/api/orders/4711", "/magic/c2k9-6f0b"])
    await fetch(path, { method: "POST" });
  await fetch("/api/v1/4711/token/refresh/", { method: "POST" });
  localStorage.setItem("access_token", "an-opaque-token");
  goTo("/login", observer);
  await reported();
  const said = reports().join();
  for (const word of ["MTI", "abc123", "deadbeef", "ada", "MjM", "4711", "c2k9"])
    expect(said).not.toContain(word);
  for (const path of ["/app/reset/*/*/", "/users/*", "/api/v2/users/*/", "/api/v1/*/token/refresh/"])
    expect(said).toContain(`"${path}"`);
});

it("a stopped observer hears nothing, also where somebody holds on to it", async () => {
  const http = axios.create({
    adapter: async (config) => ({ data: {}, status: 200, statusText: "", headers: {}, config }),
  });
  const [{ setItem }, { pushState }] = [Storage.prototype, History.prototype];
  const before = watch({ axios: http });
  const [held, kept, pushed] = [window.fetch, Storage.prototype.setItem, history.pushState];
  window.fetch = (...given) => held(...given);
  Storage.prototype.setItem = function (...given) {
    kept.apply(this, given);
  };
  History.prototype.pushState = function (...given) {
    pushed.apply(this, given);
  };
  localStorage.setItem("access_token", "an-opaque-token");
  let answer = (_: Response) => {};
  const answered = new Promise<Response>((resolve) => {
    answer = resolve;
  });
  answering(() => answered);
  const late = fetch("/api/token/refresh/", { method: "POST" });
  before.stop();
  before.stop();
  const told = reports().length;
  answer(Response.json({ access: "an-access-token" }));
  await late;
  await fetch("/api/token/refresh/", { method: "POST" });
  await http.post("/api/token/refresh/");
  localStorage.setItem("access_token", "another-token");
  localStorage.removeItem("access_token");
  history.pushState(null, "", "/login");
  window.dispatchEvent(new PageTransitionEvent("pagehide"));
  await reported();
  expect(reports()).toHaveLength(told);
  expect(vi.getTimerCount()).toBe(0);
  Object.assign(Storage.prototype, { setItem });
  Object.assign(History.prototype, { pushState });
});

it("there is one observer in a page, and one name of the page", async () => {
  const first = watch();
  vi.resetModules();
  // Another bundle has its own copy.
  const copy = await import("../src/observe/index.js");
  const again = { reportTo: REPORT_TO, refreshUrl: "token/refresh", signInPage: "/login" };
  expect(copy.observe(again)).toBe(first);
  first.stop();
  const second = copy.observe(again);
  expect(second).not.toBe(first);
  // A handle of before stops nobody else's.
  first.stop();
  expect(observe(again)).toBe(second);
  await reported();
  second.stop();
  const told = reports().map((body) => JSON.parse(body) as { page: string; seen: { seq: number }[] });
  expect(new Set(told.map(({ page }) => page)).size).toBe(1);
  const numbers = told.flatMap(({ seen }) => seen.map(({ seq }) => seq));
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.length).toBe(2);
});

it("a refresh that replaces no token tells of none", async () => {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { iat: seconds, exp: seconds + 3600 };
  const access = jwt({ ...claims, token_type: "access" });
  const refresh = jwt({ ...claims, token_type: "refresh" });
  watch();
  const refreshed = async (answer: object) => {
    answering(async () => Response.json(answer));
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: "presented/token+1" });
    await fetch("/api/token/refresh/", { method: "POST", body });
  };
  // Rotation is off: it answers with an access token, again and again.
  for (let n = 0; n < 3; n++) await refreshed({ access });
  await refreshed({ access_token: "an-opaque-access-token", token_type: "refresh_token" });
  await refreshed({ access_token: "an-opaque-access-token", refresh_token_expires_in: 1_209_600_000 });
  await refreshed({ access_token: "an-opaque-access-token", refresh_token: "presented/token+1" });
  await refreshed({ access, refresh });
  const told = (await reported()).filter(({ kind }) => kind === "refresh");
  expect(told).toHaveLength(7);
  expect(new Set(told.map(({ token }) => token)).size).toBe(1);
  for (const one of told.slice(0, 5)) expect(one).not.toHaveProperty("next");
  expect(told[5]?.next).toBe(told[5]?.token);
  expect(told[6]?.next).toMatch(/^[0-9a-f]{8}$/);
  expect(told[6]?.next).not.toBe(told[6]?.token);
});

const HOUR = 3_600_000;
const dated = (agoMs: number, more = {}) =>
  Response.json({}, { headers: { date: new Date(Date.now() - agoMs).toUTCString(), ...more } });

it("what a cache has kept tells nothing of the clock, or how old it is", async () => {
  watch();
  answering(async () => dated(HOUR));
  await fetch("/locales/en.json");
  expect((await signedOut()).out?.clockAheadMs).toBeUndefined();
  answering(async () => dated(HOUR, { age: "3600" }));
  await fetch("/api/token/refresh/", { method: "POST" });
  expect(Math.abs(Number((await signedOut()).out?.clockAheadMs))).toBeLessThan(2000);
  answering(async () => dated(-HOUR));
  await fetch("/api/things/", { method: "POST" });
  expect(Math.abs(Number((await signedOut()).out?.clockAheadMs) + HOUR)).toBeLessThan(2000);
});

it("a token of a refresh tells nothing of the clock: it may say when the sign-in was", async () => {
  // The access token is in memory.
  let observer = watch({ storageKeys: ["refresh_token"] });
  const iat = Math.floor(Date.now() / 1000);
  localStorage.setItem("refresh_token", jwt({ token_type: "refresh", iat, exp: iat + 86_400 }));
  for (const n of [2, 3]) {
    await vi.advanceTimersByTimeAsync(50 * 60_000);
    observer = goTo("/", observer, { storageKeys: ["refresh_token"] });
    const access = jwt({ token_type: "access", iat, exp: iat + 3600 * n });
    answering(async () => Response.json({ access }));
    await fetch("/api/token/refresh/", { method: "POST" });
    await reported();
  }
  localStorage.clear();
  const out = (await reported()).at(-1);
  expect(out).toMatchObject({ kind: "sign_out", accessLeftMs: expect.any(Number) });
  expect(out?.clockAheadMs).toBeUndefined();
});

it("batches fit what the server takes", () => {
  const head = { profile: "obs_00000000000000000000000000000000", page: "000000000000" };
  const sent: string[] = [];
  const fetcher: typeof fetch = async (_, init) => {
    sent.push(String(init?.body));
    return new Response();
  };
  let seq = 0;
  const storage = { get: () => null, set() {}, remove() {} };
  const outbox = outboxOf("/", head, () => ++seq, fetcher, storage, new AbortController().signal);
  for (let n = 0; n < 60; n++)
    outbox.add({
      kind: "refresh",
      at: n,
      path: "/word".repeat(40),
      code: "a".repeat(40),
      more: "x".repeat(400),
    });
  outbox.flush();
  const told = sent.flatMap((body) => (JSON.parse(body) as { seen: { seq: number }[] }).seen);
  expect(told.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
  for (const body of sent) expect(body.length).toBeLessThan(16 * 1024);
});
