/** When the person last did something, in any tab of this browser. */

import type { TrackerEdges } from "./edges.js";
import type { Values } from "./store.js";

const KEY = "tenure:last-activity";
const EVENTS = ["mousemove", "keydown", "click", "scroll", "touchstart", "pointerdown"];
const NOTE_MS = 1000;
const MINUTE_MS = 60_000;

/** In whole minutes since the person last did something. */
export interface Idling {
  now(): number;
  /** At a moment that has passed, as the tabs have noted it meanwhile; infinite if that cannot be told. */
  at(moment: number): number;
}

/**
 * Listens until the signal.
 *
 * Loading a page is no activity: whoever returns after days finds how long the browser was left alone.
 */
export function watchActivity(edges: TrackerEdges, values: Values, signal: AbortSignal): Idling {
  let last = noted(edges.now()) ?? edges.now();
  let writtenAt = 0;

  /** A moment in the future tells of a clock that was set, or of somebody's play; it counts for nothing. */
  function noted(until: number): number | undefined {
    const moment = values.read(KEY);
    return typeof moment === "number" && moment > 0 && moment <= until ? moment : undefined;
  }

  function note(): void {
    const now = edges.now();
    if (now >= writtenAt && now - writtenAt < NOTE_MS) return;
    last = writtenAt = now;
    values.write(KEY, now);
  }

  for (const name of EVENTS)
    edges.window?.addEventListener(name, note, { passive: true, capture: true, signal });
  const minutes = (ms: number) => Math.max(0, Math.floor(ms / MINUTE_MS));
  return {
    now: () => minutes(edges.now() - Math.max(last, noted(edges.now()) ?? 0)),
    at: (moment) => minutes(moment - (noted(moment) ?? Number.NEGATIVE_INFINITY)),
  };
}
