/** What travels as names, in words. */

import { agoIn, durationIn, momentIn } from "@tenure/react/time.js";
import { locale } from "../session.js";

export const moment = (ms: number): string => momentIn(locale, ms);
export const ago = (ms: number): string => agoIn(locale, ms);
export const duration = (ms: number): string => durationIn(locale, ms);
export const count = (amount: number): string => new Intl.NumberFormat(locale).format(amount);
/** As in `99.98 %`; never rounded up to a whole that it is not. */
export const share = (part: number, whole: number): string =>
  new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 2 }).format(
    Math.floor((part / whole) * 10_000) / 10_000,
  );

/** A program's name for something, as people write: `sign_in_failed` is `Sign in failed`. */
export function readable(name: string): string {
  const words = name.replace(/[._-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const EVENTS: Readonly<Record<string, string>> = {
  registered: "Registered",
  signed_in: "Signed in",
  sign_in_failed: "Sign-in failed",
  sign_in_throttled: "Sign-in refused: too many attempts",
  session_ended: "Session ended",
  refresh_refused: "Refresh refused",
  dead_token: "A dead token was presented",
  rewound: "The store had lost a refresh, and took it back",
  password_changed: "Password changed",
  password_reset: "Password reset",
  signing_key_added: "Signing key added",
  signing_key_retired: "Signing key retired",
  act: "An administrator's act",
  console_signed_in: "Signed in to the console",
  console_sign_in_failed: "Sign-in to the console failed",
  entitlement_blocked: "Blocked by account, plan or permission",
  client_report: "A browser reported a sign-out",
  unexplained_end: "Unexplained: a browser signed out by itself",
  server_started: "Server started",
  server_stopped: "Server stopped",
  events_pruned: "Old events deleted",
};

export const EVENT_KINDS = Object.keys(EVENTS);
export const eventName = (kind: string): string => EVENTS[kind] ?? readable(kind);

/** Why sessions end; `protocol.md` section 10. */
const REASONS: Readonly<Record<string, string>> = {
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
};

export const reasonName = (reason: string): string => REASONS[reason] ?? readable(reason);

export const ROLES = ["user", "admin", "developer", "superuser", "system"] as const;
export const ACCOUNT_STATUSES = ["trial", "active", "pending_payment", "suspended", "cancelled"] as const;
export const REPORT_KINDS = [
  "USER_ACTION",
  "TOKEN_EXPIRED",
  "REFRESH_FAILED",
  "AUTH_ERROR",
  "UNKNOWN",
] as const;
