import { afterEach, expect, test, vi } from "vitest";
import { TabCounter } from "../src/playground/tabs.js";

const open = new Set<TabCounter>();
const tab = (channel: string) => {
  const counter = new TabCounter(channel);
  open.add(counter);
  return counter;
};
const close = (counter: TabCounter) => {
  open.delete(counter);
  counter.dispose();
};

afterEach(() => {
  for (const counter of open) close(counter);
  vi.useRealTimers();
});

test("tabs find each other and hear of those that go", async () => {
  const first = tab("coming and going");
  expect(first.count()).toBe(1);
  let heard = 0;
  first.subscribe(() => {
    heard += 1;
  });
  const second = tab("coming and going");
  const third = tab("coming and going");
  await vi.waitFor(() => expect([first, second, third].map((one) => one.count())).toEqual([3, 3, 3]));
  close(second);
  await vi.waitFor(() => expect([first.count(), third.count()]).toEqual([2, 2]));
  expect(heard).toBe(3);
});

test("a tab that falls silent is not counted for long", async () => {
  vi.useFakeTimers();
  const first = tab("silent");
  const frozen = new BroadcastChannel("silent");
  frozen.postMessage({ is: "here", id: "frozen" });
  await vi.waitFor(() => expect(first.count()).toBe(2));
  // The next question and the time to answer it.
  await vi.advanceTimersByTimeAsync(2500);
  expect(first.count()).toBe(1);
  frozen.close();
});
