/** Times in words of a language, and a clock for what is shown. */

import { useEffect, useReducer } from "react";

const SECOND_MS = 1000;
const UNITS = /* @__PURE__ */ Object.entries({
  day: 86_400 * SECOND_MS,
  hour: 3600 * SECOND_MS,
  minute: 60 * SECOND_MS,
  second: SECOND_MS,
}) as [Intl.RelativeTimeFormatUnit, number][];

/** A span in at most two units, as in `19 days, 12 hours`. Part seconds count as whole ones. */
export function durationIn(locale: string, ms: number): string {
  let rest = Math.max(0, Math.ceil(ms / SECOND_MS) * SECOND_MS);
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(amount(locale, unit, count));
    // The unit below the first one is the last one, though it be zero.
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  if (parts.length === 0) return amount(locale, "second", 0);
  return new Intl.ListFormat(locale, { type: "unit" }).format(parts);
}

function amount(locale: string, unit: string, count: number): string {
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

/** How long ago, in one unit, as in `3 hours ago`; what is less than two minutes old is `this minute`. */
export function agoIn(locale: string, ms: number): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ["minute", Number.POSITIVE_INFINITY];
  if (ms < 120 * SECOND_MS) return format.format(0, "minute");
  return format.format(-Math.floor(ms / size), unit);
}

/** A moment as a date and time of day. */
export function momentIn(locale: string, ms: number): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(ms);
}

/** Renders again every so many milliseconds; not at all for null. */
export function useTick(everyMs: number | null): void {
  const [, tick] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (everyMs === null) return;
    const timer = setInterval(tick, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}
