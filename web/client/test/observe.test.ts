// @vitest-environment jsdom

import { expect, it, vi } from "vitest";
import { isAt } from "../src/observe/places.js";
import { holdsSignIn, markOf, refreshTokenIn, timesIn, tokenIn } from "../src/observe/tokens.js";
import { answering, jwt, kindsOf, network, reported, reports, watch } from "./observing.js";

it("what the application gets is what it would have got", async () => {
  const answer = Response.json({ access: "x" });
  answering(async () => answer);
  watch();
  expect(await fetch("/api/me")).toBe(answer);
  expect(await answer.json()).toEqual({ access: "x" });
  const failure = new TypeError("Failed to fetch");
  answering(() => Promise.reject(failure));
  await expect(fetch("/api/me")).rejects.toBe(failure);
  network.mockImplementationOnce(() => {
    throw failure;
  });
  expect(() => fetch("/api/me")).toThrow(failure);
  const init = { method: "POST", body: "x" };
  answering(async () => answer);
  await fetch("/api/me", init);
  expect(network).toHaveBeenLastCalledWith("/api/me", init);
});

it("what breaks in the observer reaches nobody", async () => {
  watch();
  const broken = () => {
    throw new Error("ours");
  };
  vi.spyOn(Date, "now").mockImplementation(broken);
  expect((await fetch("/api/token/refresh/")).status).toBe(200);
  vi.spyOn(JSON, "stringify").mockImplementation(broken);
  localStorage.setItem("access_token", "abc");
  localStorage.removeItem("access_token");
  localStorage.clear();
  vi.restoreAllMocks();
  history.pushState(null, "", "/login");
  expect(location.pathname).toBe("/login");
});

it("a storage that is full says so to whoever writes to it", () => {
  const { setItem } = Storage.prototype;
  const full = new DOMException("full", "QuotaExceededError");
  Storage.prototype.setItem = () => {
    throw full;
  };
  const observer = watch();
  expect(() => localStorage.setItem("access_token", "x")).toThrow(full);
  observer.stop();
  Storage.prototype.setItem = setItem;
});

it("stopping leaves everything as it was", () => {
  const before = [window.fetch, Storage.prototype.setItem, XMLHttpRequest.prototype.send, history.pushState];
  const observer = watch();
  expect(window.fetch).not.toBe(before[0]);
  observer.stop();
  expect([window.fetch, Storage.prototype.setItem, XMLHttpRequest.prototype.send, history.pushState]).toEqual(
    before,
  );
});

it("options that make no sense are told of once, and nothing is touched", () => {
  const before = [window.fetch, Storage.prototype.setItem, XMLHttpRequest.prototype.send, history.pushState];
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  for (const wrong of [{ reportTo: "auth.example.com" }, { refreshUrl: "" }, { signInPage: null as never }])
    expect(watch(wrong).profile).toBe("");
  // Half of it is done by then.
  const use = () => {
    throw new Error("an axios of another kind");
  };
  watch({ axios: { interceptors: { response: { use, eject() {} } } } });
  expect(warn.mock.calls).toEqual([[expect.stringContaining("reportTo: auth.example.com does not begin")]]);
  expect([window.fetch, Storage.prototype.setItem, XMLHttpRequest.prototype.send, history.pushState]).toEqual(
    before,
  );
  warn.mockRestore();
  expect(watch().profile).toMatch(/^obs_/);
});

it("the server may be below a path", async () => {
  for (const reportTo of ["https://auth.example.com/tenure", "https://auth.example.com/tenure/"]) {
    const observer = watch({ reportTo });
    await reported();
    expect(network).toHaveBeenLastCalledWith(
      "https://auth.example.com/tenure/api/v1/observations",
      expect.objectContaining({ credentials: "omit" }),
    );
    observer.stop();
  }
});

it("what a browser does not send is kept, and sent by no way that takes cookies along", async () => {
  const sendBeacon = vi.fn();
  vi.stubGlobal("navigator", { onLine: true, sendBeacon });
  const taken = network.getMockImplementation();
  const observer = watch();
  network.mockImplementation(() => {
    throw new TypeError("keepalive");
  });
  await vi.advanceTimersByTimeAsync(3000);
  observer.stop();
  expect(sendBeacon).not.toHaveBeenCalled();
  network.mockClear();
  network.mockImplementation(taken ?? (async () => new Response()));
  watch();
  expect((await reported()).filter(({ kind }) => kind === "page")).toHaveLength(2);
});

it("who is not in the sample is not observed, and stays so", async () => {
  const before = window.fetch;
  expect(watch({ sample: 0 }).profile).toMatch(/^obs_[0-9a-f]{32}$/);
  expect(window.fetch).toBe(before);
  localStorage.setItem("access_token", "abc");
  localStorage.removeItem("access_token");
  expect(await reported()).toEqual([]);
});

it("a sign-in that is replaced at once is no sign-out, and one that is removed is", async () => {
  watch();
  localStorage.setItem("access_token", "first-token");
  localStorage.removeItem("access_token");
  localStorage.setItem("access_token", "second-token");
  await vi.advanceTimersByTimeAsync(1000);
  expect(await kindsOf()).toEqual(["page", "sign_in"]);
  localStorage.removeItem("access_token");
  const out = (await reported()).at(-1);
  expect(out).toMatchObject({ kind: "sign_out", how: "removed", path: "/" });
});

it("a refresh is told with marks and times, and no token", async () => {
  const seconds = Math.floor(Date.now() / 1000);
  const [old, next] = ["refresh", "refresh"].map((type, n) =>
    jwt({ token_type: type, iat: seconds + n, exp: seconds + 604_800, sub: "ada@example.com" }),
  );
  const access = jwt({ token_type: "access", iat: seconds, exp: seconds + 300 });
  answering(async () => Response.json({ access, refresh: next }));
  const { profile } = watch();
  const body = JSON.stringify({ refresh: old });
  await fetch("/api/token/refresh/", { method: "POST", body });
  answering(async () =>
    Response.json({ code: "token_not_valid", detail: "Token is blacklisted" }, { status: 401 }),
  );
  await fetch(new Request("https://app.example/api/token/refresh/", { method: "POST", body }));
  localStorage.setItem("refresh_token", String(next));
  localStorage.clear();
  const seen = await reported();
  const [first, second] = seen.filter(({ kind }) => kind === "refresh");
  expect(first).toMatchObject({
    status: 200,
    path: "/api/token/refresh/",
    token: expect.stringMatching(/^[0-9a-f]{8}$/),
  });
  expect(second).toMatchObject({ status: 401, code: "token_blacklisted", token: first?.token });
  expect(first?.next).not.toBe(first?.token);
  expect(seen.at(-1)).toMatchObject({ how: "cleared", refreshLifetimeMs: 604_799_000 });
  const said = reports().join();
  for (const secret of [old, next, access].flatMap((token) => String(token).split(".").slice(1)))
    expect(said).not.toContain(secret);
  expect(said).not.toContain("ada@example.com");
  // It is still called what it was called, although its storage was cleared.
  expect(localStorage.getItem("tenure:observed")).toContain(profile);
});

it("a token that is written again tells nothing of the clock", async () => {
  const made = Math.floor(Date.now() / 1000) - 2400;
  const old = jwt({ token_type: "access", iat: made, exp: made + 1800 });
  localStorage.setItem("access_token", old);
  watch();
  localStorage.setItem("access_token", old);
  window.dispatchEvent(
    new StorageEvent("storage", {
      key: "access_token",
      newValue: jwt({ token_type: "access", iat: made + 600, exp: made + 2400 }),
      storageArea: localStorage,
    }),
  );
  localStorage.removeItem("access_token");
  const out = (await reported()).at(-1);
  expect(out).toMatchObject({ kind: "sign_out", accessLeftMs: expect.any(Number) });
  expect(out?.clockAheadMs).toBeUndefined();
});

it("what no server was reached for is sent by the next page", async () => {
  const taken = network.getMockImplementation();
  network.mockImplementation(() => Promise.reject(new TypeError("offline")));
  const observer = watch();
  await vi.advanceTimersByTimeAsync(3000);
  observer.stop();
  network.mockClear();
  network.mockImplementation(taken ?? (async () => new Response()));
  watch();
  expect((await reported()).filter(({ kind }) => kind === "page")).toHaveLength(2);
});

it("tokens are found where applications keep them", () => {
  const [access, refresh] = [jwt({ exp: 1000, iat: 700 }), jwt({ exp: 9000 })];
  expect(timesIn(access, "access_token")).toEqual([{ kind: "access", exp: 1_000_000, iat: 700_000 }]);
  expect(timesIn(refresh, "refresh_token")).toEqual([{ kind: "refresh", exp: 9_000_000 }]);
  const both = JSON.stringify({ state: { token: access, refreshToken: refresh } });
  expect(timesIn(both, "auth-storage").map(({ kind }) => kind)).toEqual(["access", "refresh"]);
  expect(timesIn("eyJx.eyJub25zZW5zZQ.x eyJ.e.e", "")).toEqual([]);
  expect(tokenIn("refresh=0123456789abcdef&x=y")).toBe("0123456789abcdef");
  expect(tokenIn('{"name":"ada"}')).toBeUndefined();
  // A store in a store, as redux-persist writes it.
  const nested = JSON.stringify({ auth: JSON.stringify({ refreshToken: "0123456789abcdef" }) });
  expect(refreshTokenIn(nested)).toBe("0123456789abcdef");
  for (const other of [
    '{"token_type":"refresh_token"}',
    '{"access_token":"0123456789abcdef"}',
    '{"refresh_token":null,"refreshed_at":"2026-11-30T09:00:00Z"}',
    '{"refresh_token_expires_in":1209600000}',
    '{"refreshUrl":"/api/token/refresh/"}',
    access,
  ])
    expect(refreshTokenIn(other), other).toBeUndefined();
  // What nobody should wait for.
  expect(tokenIn("token".repeat(1_000_000))).toBeUndefined();
  for (const empty of [null, "", "null", "undefined", '{"state":{"token":null}}', "[]"])
    expect(holdsSignIn(empty), String(empty)).toBe(false);
  for (const held of [both, "opaque", access]) expect(holdsSignIn(held)).toBe(true);
  expect(markOf("token", "salt")).toMatch(/^[0-9a-f]{8}$/);
  // Bounded: of a text of nothing but beginnings each would be followed to the end.
  expect(tokenIn(`eyJ${"a".repeat(501)}.e30.x`)).toBeUndefined();
  expect(tokenIn(`eyJ${"a".repeat(500)}.e30.x`)).toMatch(/^eyJa/);
  const marks = new Set(Array.from({ length: 5000 }, (_, n) => markOf(`token ${n}`, "salt")));
  expect(marks.size).toBeGreaterThan(4990);
  expect(markOf("token", "salt")).not.toBe(markOf("token", "other"));
});

it("the sign-in page is known by its path, by what is below it, and by the fragment", () => {
  for (const [pathname, hash, expected] of [
    ["/login", "", true],
    ["/login/", "", true],
    ["/login/two", "", true],
    ["/", "#/login", true],
    ["/logins", "", false],
    ["/", "", false],
  ] as const)
    expect(isAt("/login", { pathname, hash }), pathname + hash).toBe(expected);
  for (const [pathname, hash, expected] of [
    ["/", "", true],
    ["/", "#top", true],
    ["/", "#/", true],
    ["/", "#/dashboard", false],
    ["/dashboard", "", false],
  ] as const)
    expect(isAt("/", { pathname, hash }), pathname + hash).toBe(expected);
  expect(isAt(/sign-?in$/, { pathname: "/en/signin", hash: "" })).toBe(true);
});
