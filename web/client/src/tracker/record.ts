/** What is kept and reported of one sign-out, and the washing that everything passes before it is stored or sent. */

import type { ReportKind } from "../api.gen.js";
import type { SignedOutState } from "../types.js";
import type { LogoutEvidence } from "./evidence.js";

/** Who or what ended it, in the five words that reports have always used. */
export type LogoutType = ReportKind;

/** Small facts about a sign-out. Texts that look like an e-mail address or a token are blotted out. */
export type LogoutContext = Readonly<Record<string, string | number | boolean>>;

/** One sign-out. It holds no token, no e-mail address and no query. */
export interface LogoutRecord {
  readonly type: LogoutType;
  readonly message: string;
  /** Unix milliseconds, by this device's clock. */
  readonly timestamp: number;
  /** Whole minutes since the person last did something in any tab of this browser. */
  readonly idleMinutes: number;
  /** The path of the page. */
  readonly location: string;
  /**
   * `isAuthenticated`, `hasToken` and `hasRefreshToken` tell what was true just before. No script can see the cookie:
   * it counts as present unless the reason says that it was missing.
   */
  readonly context: LogoutContext;
  /** Absent where an app called `track` and the client has not said why. */
  readonly reason?: string;
  /** The receipt of the session's end, to quote to support. */
  readonly receipt?: string;
  readonly session?: string;
  /** The release of the app, if it told. */
  readonly release?: string;
  /** What the page knew in that moment. */
  readonly evidence?: LogoutEvidence;
}

/** Of a history, and of what waits to be reported. */
export const RECORDS_MAX = 10;
/** The server takes reports of 4 KiB. With three bytes for every character the longest of ours is just below. */
const TEXT_MAX = 200;
const NAME_MAX = 60;
const CONTEXT_MAX = 450;
const CONTEXT_VALUE_MAX = 100;
const CONTEXT_NAME_MAX = 40;
/** Names whose texts are left out, whatever they look like. `hasToken: true` is no text and stays. */
const TELLING = /pass|secret|token|mail|cookie|auth/i;
/** Written out, because a list that the client's modules shared would make all of them larger. The compiler holds it to the contract. */
const KINDS = {
  TOKEN_EXPIRED: 0,
  REFRESH_FAILED: 0,
  USER_ACTION: 0,
  AUTH_ERROR: 0,
  UNKNOWN: 0,
} satisfies Record<ReportKind, 0>;
const TYPES: readonly unknown[] = Object.keys(KINDS);

/** Signing out in this browser needs no receipt; with one the server has said it, and the act was another device's. */
export function typeOf({ reason, receipt }: SignedOutState): LogoutType {
  if (reason.startsWith("signed_out")) return receipt ? "REFRESH_FAILED" : "USER_ACTION";
  if (reason.endsWith("_lifetime")) return "TOKEN_EXPIRED";
  return reason ? "REFRESH_FAILED" : "UNKNOWN";
}

/**
 * A record with nothing in it but what a record may have, or undefined if the value is none. All records come through
 * here: those of the app, whose context may hold anything, and those read back from storage, which anyone can write.
 */
export function washed(value: unknown): LogoutRecord | undefined {
  const raw: { readonly [Name in keyof LogoutRecord]?: unknown } = Object(value);
  if (!isCount(raw.timestamp) || !isCount(raw.idleMinutes)) return undefined;
  if (typeof raw.message !== "string" || typeof raw.location !== "string") return undefined;
  const record: Record<string, unknown> = {
    type: TYPES.includes(raw.type) ? raw.type : "UNKNOWN",
    message: blotted(raw.message, TEXT_MAX),
    timestamp: raw.timestamp,
    idleMinutes: raw.idleMinutes,
    location: pathOf(raw.location, TEXT_MAX),
    context: washedContext(raw.context),
  };
  for (const name of ["reason", "receipt", "session", "release"] as const) {
    const text = raw[name];
    if (typeof text === "string" && text) record[name] = clipped(text, NAME_MAX);
  }
  const evidence = washedEvidence(Object(raw.evidence));
  if (Object.keys(evidence).length) record.evidence = evidence;
  return record as unknown as LogoutRecord;
}

/** The records in what should be a list of them. */
export function washedList(value: unknown): LogoutRecord[] {
  return Array.isArray(value) ? value.slice(0, RECORDS_MAX).flatMap((entry) => washed(entry) ?? []) : [];
}

function washedContext(value: unknown): LogoutContext {
  const context: Record<string, string | number | boolean> = {};
  for (const [name, entry] of Object.entries(Object(value))) {
    if (JSON.stringify(context).length > CONTEXT_MAX) break;
    const label = blotted(name, CONTEXT_NAME_MAX);
    if (label === "__proto__") continue;
    if (typeof entry === "boolean" || isNumber(entry)) context[label] = entry;
    else if (typeof entry === "string" && !TELLING.test(name))
      context[label] = blotted(entry, CONTEXT_VALUE_MAX);
  }
  return context;
}

const NUMBERS = ["accessLeftMs", "clockAheadMs", "pageAgeMs", "tokensFromTabs"] as const;

function washedEvidence(raw: { readonly [Name in keyof LogoutEvidence]: unknown }): object {
  const evidence: Record<string, unknown> = {};
  for (const name of NUMBERS) {
    const number = raw[name];
    if (isNumber(number)) evidence[name] = Math.round(number);
  }
  const { status, agoMs, isOurs, code, path } = Object(raw.answer);
  if (isCount(status) && isCount(agoMs)) {
    const answer: Record<string, unknown> = { status, agoMs };
    if (typeof isOurs === "boolean") answer.isOurs = isOurs;
    if (typeof code === "string") answer.code = clipped(code, CONTEXT_NAME_MAX);
    if (typeof path === "string") answer.path = pathOf(path, CONTEXT_VALUE_MAX);
    evidence.answer = answer;
  }
  const { message, agoMs: since } = Object(raw.error);
  if (typeof message === "string" && isCount(since))
    evidence.error = { message: blotted(message, CONTEXT_VALUE_MAX), agoMs: since };
  return evidence;
}

const pathOf = (text: string, length: number) => blotted(text.replace(/[?#].*/s, ""), length);

/** Text without e-mail addresses and without anything long and random enough to be a token or a key. */
function blotted(text: string, length: number): string {
  const clean = text
    .slice(0, 1000)
    .replace(/[^\s/<>"']+(@|%40)[^\s/<>"']+/gi, "[e-mail]")
    .replace(/\b(eyJ|tnr1_)[\w.~+=-]*|[\w.~+=-]{40,}/g, "[token]");
  return clipped(clean, length);
}

/** Controls are for nobody's eyes, and half a character, as clipping may leave it, is not JSON to strict readers. */
function clipped(text: string, length: number): string {
  return text.slice(0, length).replace(/[\p{Cc}\p{Cs}]/gu, " ");
}

function isCount(value: unknown): value is number {
  return isNumber(value) && value >= 0;
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}
