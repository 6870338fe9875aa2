/** Whether somebody is there: when they last did something in any tab, and how many tabs are open. */

import { type PlainStorage, readJson } from "./profile.js";
import { quietly } from "./requests.js";

export interface Presence {
  /** How long nobody had touched the browser, up to now or up to what they did just now. */
  idleMs(): number;
  /** Since the last click or key in this tab; undefined without one. */
  inputAgoMs(): number | undefined;
  tabs(): number;
}

const MOVES = ["mousemove", "scroll", "wheel", "touchstart"];
const INPUTS = ["pointerdown", "click", "keydown"];
const KEY = "tenure:observed-activity";
const CHANNEL = "tenure:observed";
/** What comes so soon after somebody's return is because of it. */
const RETURN_MS = 1500;
/** How often other tabs are told that somebody is there. */
const SAY_MS = 5000;
/** How often it is written down, of which every other tab of the application hears by an event. */
const NOTE_MS = 30_000;
const AWAY_MS = 60_000;
/** A handler that takes longer has opened a dialog. */
const DIALOG_MS = 1000;

export function watchPresence(page: string, storage: PlainStorage, signal: AbortSignal): Presence {
  const noted = () => {
    const { at } = readJson(storage.get(KEY)) as { at?: unknown };
    // One in the future tells of a clock that was set.
    return typeof at === "number" && at <= Date.now() ? at : 0;
  };
  /** When somebody did something, in any tab as far as we were told. */
  let last = noted() || Date.now();
  let inputAt: number | undefined;
  let clickedAt = 0;
  let noteAt = last;
  let saidAt = 0;
  let returned = { at: 0, after: 0 };
  /** While the handlers of an input run. */
  let handling: ReturnType<typeof setTimeout> | undefined;

  const tabs = joinTabs(page, signal, (at) => {
    last = Math.max(last, Math.min(at, Date.now()));
  });

  function note(): void {
    noteAt = last;
    storage.set(KEY, JSON.stringify({ at: last }));
  }

  function active(): void {
    const now = Date.now();
    const before = now - last < AWAY_MS ? now : Math.max(last, noted());
    if (now - before >= AWAY_MS) returned = { at: now, after: now - before };
    last = now;
    if (Math.abs(now - noteAt) >= NOTE_MS) note();
    if (Math.abs(now - saidAt) < SAY_MS) return;
    saidAt = now;
    tabs.say("active", now);
  }

  function input({ isTrusted, type }: Event): void {
    // A click that a script makes is nobody's.
    if (isTrusted) {
      inputAt = Date.now();
      if (type === "click") clickedAt = inputAt;
      clearTimeout(handling);
      handling = setTimeout(() => {
        inputAt = touchedAt();
        handling = undefined;
      });
    }
    active();
  }

  /** A dialog such as that of `confirm` holds up the handler that opened it, and whoever closes it has pressed something. */
  function touchedAt(): number | undefined {
    const now = Date.now();
    return handling && inputAt && now - inputAt > DIALOG_MS ? now : inputAt;
  }

  const how = { passive: true, capture: true, signal };
  const on = (name: string, heard: (event: Event) => void) =>
    window.addEventListener(name, (event) => void quietly(() => heard(event)), how);
  for (const name of MOVES) on(name, active);
  for (const name of INPUTS) on(name, input);
  // For the next page.
  on("pagehide", () => last > noteAt && note());
  return {
    idleMs() {
      const now = Date.now();
      // What follows a click is because of that.
      if (now - returned.at < RETURN_MS && clickedAt < returned.at) return returned.after;
      return Math.max(0, now - Math.max(last, noted()));
    },
    inputAgoMs() {
      const at = touchedAt();
      return at === undefined ? undefined : Math.max(0, Date.now() - at);
    },
    tabs: tabs.count,
  };
}

interface Tabs {
  say(what: string, at?: number): void;
  count(): number;
}

/** Each page says that it is there, and that it goes; those who hear of a new one answer it. */
function joinTabs(page: string, signal: AbortSignal, heardOf: (activeAt: number) => void): Tabs {
  const others = new Set<string>();
  let channel: BroadcastChannel | undefined;
  const say = (what: string, at?: number) => channel?.postMessage([what, page, at]);

  function join(): void {
    if (channel || typeof BroadcastChannel === "undefined") return;
    channel = new BroadcastChannel(CHANNEL);
    channel.addEventListener("message", ({ data }) => {
      const [what, other, at] = Array.isArray(data) ? data : [];
      if (typeof other !== "string" || signal.aborted) return;
      if (what === "gone") others.delete(other);
      else others.add(other);
      if (what === "new") quietly(() => say("here"));
      if (what === "active" && typeof at === "number") heardOf(at);
    });
    say("new");
  }

  function leave(): void {
    say("gone");
    // Open, it would keep the page out of the cache that Back restores pages from.
    channel?.close();
    channel = undefined;
    others.clear();
  }

  join();
  window.addEventListener("pagehide", () => void quietly(leave), { signal });
  window.addEventListener("pageshow", ({ persisted }) => persisted && quietly(join), { signal });
  signal.addEventListener("abort", () => void quietly(leave));
  return { say, count: () => others.size + 1 };
}
