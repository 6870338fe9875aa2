/** What travels as names, in words. */

import type { EndReason, EventKind } from "@tenure/client/api.gen.js";
import { agoIn, durationIn, momentIn } from "@tenure/react/time.js";
import { locale } from "../session.js";

export const moment = (ms: number): string => momentIn(locale, ms);
/** To the second and with its zone, so that it can be found in a log. */
export const exactMoment = (ms: number): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" }).format(ms);
export const ago = (ms: number): string => agoIn(locale, ms);
export const duration = (ms: number): string => durationIn(locale, ms);
/** A span of whatever length, as evidence has it: what is less than a second counts there, and what is over is less than nothing. */
export function span(ms: number): string {
  if (ms < 0) return `−${span(-ms)}`;
  return ms < 1000 ? `${count(ms)} ms` : duration(ms);
}
export const count = (amount: number): string => new Intl.NumberFormat(locale).format(amount);
/** As in `99.98 %`; never rounded up to a whole that it is not. */
export const share = (part: number, whole: number): string =>
  new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 2 }).format(
    Math.floor((part / whole) * 10_000) / 10_000,
  );

/** A program's name for something, as people write: `sign_in_failed` is `Sign in failed`. */
export function readable(name: string): string {
  const words = name.replace(/[._]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const EVENTS = {
  registered: "Registered",
  signed_in: "Signed in",
  sign_in_failed: "Sign-in failed",
  sign_in_throttled: "Sign-in refused: too many attempts",
  session_ended: "Session ended",
  exchanged: "Signed in elsewhere, and taken over",
  exchange_refused: "A sign-in elsewhere was not taken over",
  refresh_refused: "Refresh refused",
  dead_token: "A dead token was presented",
  rewound: "The store had lost a refresh, and took it back",
  password_changed: "Password changed",
  password_reset: "Password reset",
  signing_key_added: "Signing key added",
  signing_key_retired: "Signing key retired",
  act: "An administrator's act",
  entitlement_blocked: "Blocked by account, plan or permission",
  client_report: "A browser reported a sign-out",
  unexplained_end: "Unexplained: a browser signed out by itself",
  server_started: "Server started",
  server_stopped: "Server stopped",
  events_pruned: "Old events deleted",
} as const satisfies Record<EventKind, string>;

/** Another version may have written kinds that this one has no words for. */
export const eventName = (kind: string): string => nameIn(EVENTS, kind);

/** Why sessions end; `protocol.md` section 10. */
const REASONS = {
  signed_out: "Signed out",
  signed_out_everywhere: "Signed out everywhere",
  password_changed: "Password changed",
  password_reset: "Password reset",
  admin_revoked: "Ended by an administrator",
  user_disabled: "User disabled",
  user_deleted: "User deleted",
  token_reuse: "Old copy of the cookie used twice",
  replaced_by_sign_in: "Signed in again on this device",
  session_limit: "Too many sessions",
  remembered_lifetime: "Remembered time was over",
  short_lifetime: "Short sign-in was over",
} as const satisfies Record<EndReason, string>;

export const reasonName = (reason: string): string => nameIn(REASONS, reason);

const nameIn = (names: Readonly<Record<string, string>>, name: string): string =>
  (Object.hasOwn(names, name) && names[name]) || readable(name);
