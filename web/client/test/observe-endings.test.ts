// @vitest-environment jsdom

import { afterEach, expect, it, vi } from "vitest";
import { answering, goTo, kindsOf, reported, watch } from "./observing.js";

const KEYLESS = { storageKeys: [] };
const TOKEN = "an-opaque-token";
const MINUTE = 60_000;

const signIn = () => localStorage.setItem("access_token", TOKEN);
const endings = async () => (await reported()).filter(({ kind }) => kind === "sign_out");
const refresh = () => fetch("/api/token/refresh/", { method: "POST" });
const refused = () => answering(async () => Response.json({}, { status: 401 }));

/** Somebody's inputs, which no script can make: the listeners of the page are called with them. */
function hands() {
  const heard = vi.spyOn(window, "addEventListener");
  return (type: string) => {
    for (const [name, listener] of heard.mock.calls)
      if (name === type) (listener as (event: object) => void)({ type, isTrusted: true });
  };
}

/** What another tab does to the keys, and what is heard of it. */
function elsewhere(key: string, value: string | null): void {
  if (value === null) plain.removeItem(key);
  else plain.setItem(key, value);
  window.dispatchEvent(new StorageEvent("storage", { key, newValue: value, storageArea: localStorage }));
}

/** The methods of a storage as nobody has wrapped them. */
const { setItem, removeItem } = Storage.prototype;
const plain = {
  setItem: (key: string, value: string) => setItem.call(localStorage, key, value),
  removeItem: (key: string) => removeItem.call(localStorage, key),
};

afterEach(() => vi.restoreAllMocks());

it("a page that only passes the sign-in page signs nobody out", async () => {
  const first = watch();
  signIn();
  const signInPage = goTo("/login", first);
  await vi.advanceTimersByTimeAsync(300);
  const dashboard = goTo("/dashboard", signInPage);
  expect(await endings()).toEqual([]);
  // Within one load of the page, too.
  history.pushState(null, "", "/login");
  await vi.advanceTimersByTimeAsync(300);
  goTo("/login", dashboard);
  expect(await endings()).toMatchObject([{ how: "navigated" }]);
});

it("a sign-out that leads away at once is told", async () => {
  const first = watch();
  signIn();
  localStorage.removeItem("access_token");
  goTo("/login", first);
  expect(await endings()).toMatchObject([{ how: "removed" }]);
});

it("requests that sign out are known by their path", async () => {
  watch();
  for (const path of ["/users/sign_out", "/log_out/", "/api/logout", "/auth/sign-out"]) {
    signIn();
    await fetch(path, { method: "DELETE" });
    localStorage.removeItem("access_token");
    expect((await endings()).at(-1), path).toMatchObject({ askedAgoMs: expect.any(Number) });
  }
});

it("who answers a dialog has touched something just then", async () => {
  const press = hands();
  watch();
  signIn();
  press("click");
  // The handler stands still while the dialog of `confirm` is open.
  vi.setSystemTime(Date.now() + 8000);
  localStorage.removeItem("access_token");
  expect((await endings()).at(-1)).toMatchObject({ inputAgoMs: 0 });
  signIn();
  press("click");
  vi.setSystemTime(Date.now() + 8000);
  // What the back end is asked for first takes a while.
  await vi.advanceTimersByTimeAsync(200);
  localStorage.removeItem("access_token");
  expect(Number((await endings()).at(-1)?.inputAgoMs)).toBeLessThan(300);
  // Without a dialog it is as long ago as it is.
  signIn();
  press("click");
  await vi.advanceTimersByTimeAsync(1400);
  localStorage.removeItem("access_token");
  expect((await endings()).at(-1)?.inputAgoMs).toBe(1400);
});

it("whoever comes back by a click was not signed out for being away", async () => {
  const press = hands();
  watch();
  for (const [moves, expected] of [
    [["pointerdown", "touchstart", "click"], 0],
    [["mousemove", "click"], 0],
    // A timer that looks as somebody comes back.
    [["mousemove"], 25 * MINUTE],
    [["pointerdown"], 25 * MINUTE],
  ] as const) {
    signIn();
    press("click");
    await vi.advanceTimersByTimeAsync(25 * MINUTE);
    for (const move of moves) press(move);
    localStorage.removeItem("access_token");
    expect((await endings()).at(-1)?.idleMs, moves.join()).toBe(expected);
  }
});

it("what is not in keys is known to be signed in on the next page as well", async () => {
  const first = watch(KEYLESS);
  await refresh();
  refused();
  const second = goTo("/", first, KEYLESS);
  await refresh();
  history.pushState(null, "", "/login");
  expect(await endings()).toMatchObject([{ how: "navigated" }]);
  // It is told once, and signed out is signed out.
  const third = goTo("/", second, KEYLESS);
  await refresh();
  goTo("/login", third, KEYLESS);
  expect(await endings()).toHaveLength(1);
});

it("who has signed out by hand is signed in on no later page", async () => {
  const first = watch(KEYLESS);
  await refresh();
  await fetch("/api/auth/logout/", { method: "POST" });
  refused();
  const second = goTo("/", first, KEYLESS);
  await refresh();
  goTo("/login", second, KEYLESS);
  expect(await endings()).toEqual([]);
});

it("a page that comes back as it was invents no sign-out", async () => {
  watch();
  signIn();
  window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
  // Meanwhile, on the next page.
  plain.removeItem("access_token");
  window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  history.pushState(null, "", "/login");
  localStorage.removeItem("access_token");
  expect(await endings()).toEqual([]);
  signIn();
  localStorage.removeItem("access_token");
  expect(await endings()).toHaveLength(1);
});

it("patterns with a memory are asked without it", async () => {
  watch({ refreshUrl: /token\/refresh/g, signInPage: /^\/login/y, signOutUrl: /goodbye/gy });
  await refresh();
  await refresh();
  await refresh();
  for (let n = 0; n < 2; n++) {
    signIn();
    history.pushState(null, "", "/login");
    await vi.advanceTimersByTimeAsync(1000);
    history.pushState(null, "", "/");
  }
  const kinds = await kindsOf();
  expect(kinds.filter((kind) => kind === "refresh")).toHaveLength(3);
  expect(kinds.filter((kind) => kind === "sign_out")).toHaveLength(2);
});

it("where people sign in at the root, not every page is that", async () => {
  history.replaceState(null, "", "/dashboard");
  watch({ signInPage: "/" });
  signIn();
  history.pushState(null, "", "/settings");
  await vi.advanceTimersByTimeAsync(1000);
  history.pushState(null, "", "/");
  expect(await endings()).toMatchObject([{ how: "navigated" }]);
});

it("keys that another tab removes are told of by that one, or as vanished", async () => {
  signIn();
  const observer = watch();
  const other = JSON.parse(localStorage.getItem("tenure:observed") ?? "{}") as object;
  elsewhere("access_token", null);
  // It is observed, and tells.
  plain.setItem("tenure:observed", JSON.stringify({ ...other, out: Date.now() }));
  expect(await endings()).toEqual([]);
  elsewhere("access_token", TOKEN);
  elsewhere("access_token", null);
  // This one goes to where people sign in, as it should.
  goTo("/login", observer);
  await vi.advanceTimersByTimeAsync(1000);
  expect((await endings()).map(({ how }) => how)).toEqual(["vanished"]);
});

it("a sign-in in the place of one that vanished is no sign-out", async () => {
  signIn();
  watch();
  elsewhere("access_token", null);
  await vi.advanceTimersByTimeAsync(1000);
  elsewhere("access_token", "another-token");
  expect(await endings()).toEqual([]);
});

it("a storage that is cleared after a sign-out does not make it another", async () => {
  const observer = watch();
  signIn();
  // A tab that is closed, and opened again later.
  window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: false }));
  const memo = sessionStorage.getItem("tenure:observed-page") ?? "";
  expect(memo).toContain("sign_out");
  localStorage.removeItem("access_token");
  await vi.advanceTimersByTimeAsync(1000);
  localStorage.clear();
  observer.stop();
  sessionStorage.setItem("tenure:observed-page", memo);
  expect((await endings()).map(({ how }) => how)).toEqual(["removed"]);
  watch();
  expect((await endings()).map(({ how }) => how)).toEqual(["removed"]);
});

it("somebody who moves a mouse bothers no other tab", async () => {
  const press = hands();
  const written = vi.spyOn(Storage.prototype, "setItem");
  const said = vi.fn();
  vi.stubGlobal(
    "BroadcastChannel",
    class extends EventTarget {
      postMessage = said;
      close() {}
    },
  );
  watch();
  written.mockClear();
  for (let second = 0; second < 60; second++) {
    press("mousemove");
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(written.mock.calls.length).toBeLessThanOrEqual(2);
  expect(said.mock.calls.length).toBeLessThanOrEqual(14);
});

it("navigations are heard of whoever wraps them, before us or after", async () => {
  const { pushState } = History.prototype;
  const before = pushState.bind(history);
  const later = vi.fn();
  for (const owner of [History.prototype, history]) {
    // A router that comes first calls what it has found.
    if (owner === history) owner.pushState = (...given) => before(...given);
    const observer = watch();
    signIn();
    // Another that comes later wraps what it finds.
    const found = owner.pushState;
    owner.pushState = function (...given) {
      later();
      found.apply(this, given);
    };
    history.pushState(null, "", "/login");
    await vi.advanceTimersByTimeAsync(1000);
    observer.stop();
    Object.assign(History.prototype, { pushState });
    history.pushState(null, "", "/");
  }
  Reflect.deleteProperty(history, "pushState");
  expect(await endings()).toHaveLength(2);
  expect(later).toHaveBeenCalledTimes(3);
});
