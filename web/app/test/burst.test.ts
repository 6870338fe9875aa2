import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { continueBurst, startBurst } from "../src/playground/burst.js";

let stored: Map<string, string>;
let loads: number;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000 });
  stored = new Map();
  loads = 0;
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
  vi.stubGlobal("location", {
    reload: () => {
      loads += 1;
    },
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a page is loaded as often as asked for, and then told so once", () => {
  expect(startBurst(3, "ses_1")).toBe(true);
  expect(loads).toBe(1);
  expect(continueBurst()).toBe("going on");
  vi.advanceTimersByTime(500);
  expect(continueBurst()).toBe("going on");
  vi.advanceTimersByTime(500);
  expect(loads).toBe(3);
  expect(continueBurst()).toEqual({ loads: 3, tookMs: 1_000, session: "ses_1" });
  expect(continueBurst()).toBeNull();
  expect(stored.size).toBe(0);
});

test("without storage nothing begins, and nothing goes on for ever", () => {
  vi.stubGlobal("sessionStorage", undefined);
  expect(startBurst(3, undefined)).toBe(false);
  expect(continueBurst()).toBeNull();
  expect(loads).toBe(0);
});
