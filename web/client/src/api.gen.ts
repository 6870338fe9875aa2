// Generated from api/openapi.json by `cargo xtask gen`; do not edit.
// Names are as they travel. Times are Unix milliseconds, spans are seconds.

export interface AccessToken {
  /** A JWT (RFC 9068); keep it in memory only. */
  access_token: string;
  /** Seconds until the access token expires. */
  expires_in: number;
  /** The server's clock, Unix milliseconds. */
  server_time: number;
  /** Always `Bearer`. */
  token_type: string;
}

export interface AccountAnswer {
  id: string;
  name: string;
  plan?: AccountPlan | null;
  status: AccountStatus;
}

/** What is to be different. What is left out stays. */
export interface AccountPatch {
  /** Whether it belongs to whoever runs the product; superusers alone may say so. */
  is_system?: boolean | null;
  name?: string | null;
  /** Null takes the plan away. */
  plan?: string | null;
  /** Why, for whoever asks later: 1 to 500 characters. */
  reason: string;
  status?: string | null;
  /** Null: nobody at Stripe pays for it. */
  stripe_customer?: string | null;
}

/** The plan of an account. */
export interface AccountPlan {
  features: string[];
  is_active: boolean;
  /** How much of each thing it allows; null means as much as anybody likes. */
  limits: Record<string, number | null>;
  name: string;
  slug: string;
}

export interface AccountRecord {
  created_at: number;
  id: string;
  /** It belongs to whoever runs the product, and passes by account and plan. */
  is_system: boolean;
  name: string;
  /** The slug of its plan. */
  plan?: string | null;
  status: AccountStatus;
  /** The customer of Stripe's who pays for it. */
  stripe_customer?: string | null;
}

export interface AccountRecords {
  /** Oldest first. */
  accounts: AccountRecord[];
  /** What `after` is for the next page; null where nothing was left. */
  next?: string | null;
}

export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/** Every {@link AccountStatus}. */
export const ACCOUNT_STATUSES = [
  "trial",
  "active",
  "pending_payment",
  "suspended",
  "cancelled",
] as const;

export interface AccountWish {
  /** 1 to 200 characters. */
  name: string;
  /** The slug of a plan. */
  plan?: string | null;
  /** Why, for whoever asks later: 1 to 500 characters. */
  reason: string;
  /** trial, active (if left out), pending_payment, suspended or cancelled. */
  status?: string | null;
}

/** One thing that somebody with rights has changed. */
export interface ActRecord {
  /** `user`, `policy`, `clock`, or `admin:` and who it was. */
  actor: string;
  at: number;
  became?: string | null;
  id: string;
  reason?: string | null;
  /** The id of an account or a user, or `plan:` and its slug. */
  subject: string;
  was?: string | null;
  /** What changed, such as `status`. */
  what: string;
}

export interface ActRecords {
  /** Newest first. */
  acts: ActRecord[];
  /** The addresses of the users named in them, by id. Whoever is deleted is not among them. */
  people: Record<string, string>;
}

export interface AdminSession {
  /** Where the sign-in came from. */
  address?: string | null;
  /** Browser and system in words; null where nothing was said. */
  browser?: string | null;
  created_at: number;
  /** Their e-mail address; null where they are deleted. */
  email?: string | null;
  end?: AdminSessionEnd | null;
  expires_at: number;
  id: string;
  /** Last refresh, accurate to a minute and a half. */
  last_used_at: number;
  /** How many refreshes wrote to it. */
  refresh_count: number;
  remembered: boolean;
  unexplained?: UnexplainedBy | null;
  user: string;
}

export interface AdminSessionEnd {
  /** `user`, `policy`, `clock`, or `admin:` and who it was. */
  actor: string;
  /** The e-mail address of an administrator who is named by their id; null where they are deleted. */
  actor_email?: string | null;
  at: number;
  note?: string | null;
  reason: EndReason;
  receipt: string;
}

export interface AdminSessions {
  /** What `after` is for the next page; null where nothing was left. */
  next?: string | null;
  /** Newest first. */
  sessions: AdminSession[];
}

export interface ApiKeyAnswer {
  created_at: number;
  expires_at?: number | null;
  id: string;
  /** Accurate to five minutes. */
  last_used_at?: number | null;
  name: string;
  revoked_at?: number | null;
  scopes: string[];
}

export interface ApiKeyList {
  /** Those that open something first, and of both the newest first. */
  api_keys: ApiKeyAnswer[];
}

/** A key that was just made. */
export interface ApiKeyMade {
  api_key: ApiKeyAnswer;
  /** The key itself. It is shown this once and cannot be shown again. */
  secret: string;
}

export interface ApiKeyRecord {
  account: string;
  created_at: number;
  expires_at?: number | null;
  id: string;
  /** Accurate to five minutes. */
  last_used_at?: number | null;
  name: string;
  /** Until when it still stands beside its successor. */
  retires_at?: number | null;
  revoked_at?: number | null;
  scopes: string[];
}

export interface ApiKeyRecords {
  /** Newest first, those that open nothing any more among them. */
  api_keys: ApiKeyRecord[];
  /** What `after` is for the next page; null where nothing was left. */
  next?: string | null;
}

export interface ApiKeyWish {
  /** Unix milliseconds; left out, it never expires. */
  expires_at?: number | null;
  /** 1 to 200 characters. */
  name: string;
  /** What it may do: permissions that its maker has. */
  scopes?: string[];
}

/** Who is signed in to the console, until when, and what they may do there. */
export interface ConsoleAnswer {
  /** When they typed their password last, Unix milliseconds. */
  confirmed_at: number;
  /** When the sign-in was, Unix milliseconds. */
  created_at: number;
  /** When it is over whatever is done, Unix milliseconds. */
  ends_at: number;
  /**
   * When it is over if nothing more is done, Unix milliseconds. Every call moves it, to about a thirtieth of the
   * idle time.
   */
  expires_at: number;
  /** Until when they may do what wants a password typed lately, Unix milliseconds. */
  fresh_until: number;
  /** Those of the admin API that they have. */
  permissions: string[];
  user: UserAnswer;
}

export interface ConsoleConfirmation {
  password: string;
}

export interface ConsoleSignIn {
  email: string;
  password: string;
}

/** The closed set of reasons for which a session ends. */
export type EndReason = (typeof END_REASONS)[number];

/** Every {@link EndReason}. */
export const END_REASONS = [
  "signed_out",
  "signed_out_everywhere",
  "password_changed",
  "password_reset",
  "admin_revoked",
  "user_disabled",
  "user_deleted",
  "token_reuse",
  "replaced_by_sign_in",
  "session_limit",
  "remembered_lifetime",
  "short_lifetime",
] as const;

export interface EntitlementAnswer {
  allowed: boolean;
  problem?: EntitlementProblem | null;
  /** The requirement as it was asked. */
  require: string;
}

/** Of class `authorization` if it is refused. Any other says that it cannot be told. */
export interface EntitlementProblem {
  class: ErrorClass;
  code: ErrorCode;
  /** One honest sentence for the person. */
  detail: string;
  status: number;
}

/** What somebody may do, and the account that they act in. */
export interface EntitlementsAnswer {
  account?: AccountAnswer | null;
  /** One for each requirement, in the order of the question. */
  answers: EntitlementAnswer[];
}

export type ErrorClass = "authentication" | "authorization" | "request" | "transport";

/** The closed set of error codes. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Every {@link ErrorCode}. */
export const ERROR_CODES = [
  "session_expired",
  "session_revoked",
  "session_not_found",
  "no_session",
  "session_superseded",
  "refresh_superseded",
  "request_stale",
  "access_token_missing",
  "access_token_expired",
  "access_token_invalid",
  "access_token_revoked",
  "wrong_token_type",
  "permission_denied",
  "fresh_password_required",
  "account_missing",
  "account_suspended",
  "account_cancelled",
  "plan_missing",
  "plan_inactive",
  "limit_reached",
  "origin_not_allowed",
  "csrf_failed",
  "malformed_request",
  "validation_failed",
  "invalid_credentials",
  "reset_link_invalid",
  "email_taken",
  "registration_closed",
  "exchange_closed",
  "exchange_invalid",
  "exchange_expired",
  "exchange_used",
  "exchange_unknown_user",
  "not_found",
  "method_not_allowed",
  "payload_too_large",
  "unsupported_media_type",
  "request_timeout",
  "rate_limited",
  "storage_unavailable",
  "session_unverifiable",
  "overloaded",
  "signing_unavailable",
  "maintenance",
  "internal_error",
] as const;

/** The only codes that can end a session on a client (protocol section 8). */
export const SIGNS_OUT = [
  "session_expired",
  "session_revoked",
  "session_not_found",
  "no_session",
  "session_superseded",
] as const satisfies readonly ErrorCode[];

/** What each code is about; it decides what a client does. */
export const ERROR_CLASS = {
  session_expired: "authentication",
  session_revoked: "authentication",
  session_not_found: "authentication",
  no_session: "authentication",
  session_superseded: "authentication",
  refresh_superseded: "transport",
  request_stale: "transport",
  access_token_missing: "authentication",
  access_token_expired: "authentication",
  access_token_invalid: "authentication",
  access_token_revoked: "authentication",
  wrong_token_type: "authentication",
  permission_denied: "authorization",
  fresh_password_required: "authorization",
  account_missing: "authorization",
  account_suspended: "authorization",
  account_cancelled: "authorization",
  plan_missing: "authorization",
  plan_inactive: "authorization",
  limit_reached: "authorization",
  origin_not_allowed: "request",
  csrf_failed: "request",
  malformed_request: "request",
  validation_failed: "request",
  invalid_credentials: "request",
  reset_link_invalid: "request",
  email_taken: "request",
  registration_closed: "request",
  exchange_closed: "request",
  exchange_invalid: "request",
  exchange_expired: "request",
  exchange_used: "request",
  exchange_unknown_user: "request",
  not_found: "request",
  method_not_allowed: "request",
  payload_too_large: "request",
  unsupported_media_type: "request",
  request_timeout: "transport",
  rate_limited: "transport",
  storage_unavailable: "transport",
  session_unverifiable: "transport",
  overloaded: "transport",
  signing_unavailable: "transport",
  maintenance: "transport",
  internal_error: "transport",
} as const satisfies Record<ErrorCode, ErrorClass>;

/** The kinds of events that this version writes down. */
export type EventKind = (typeof EVENT_KINDS)[number];

/** Every {@link EventKind}. */
export const EVENT_KINDS = [
  "registered",
  "signed_in",
  "sign_in_failed",
  "sign_in_throttled",
  "session_ended",
  "exchanged",
  "exchange_refused",
  "refresh_refused",
  "dead_token",
  "rewound",
  "password_changed",
  "password_reset",
  "signing_key_added",
  "signing_key_retired",
  "act",
  "entitlement_blocked",
  "client_report",
  "unexplained_end",
  "server_started",
  "server_stopped",
  "events_pruned",
] as const;

/** Something that happened. Most kinds say only some of it. */
export interface EventRecord {
  /** `user`, `policy`, `clock`, or `admin:` and who it was. */
  actor?: string | null;
  address?: string | null;
  /** Unix milliseconds. */
  at: number;
  /** The User-Agent in words. */
  browser?: string | null;
  /** The reason of an end, the code of a refusal, or the type of a report. */
  cause?: string | null;
  /** How often it happened within a second or so. */
  count: number;
  /** Whatever else is known, by kind. */
  detail?: Record<string, unknown> | null;
  id: string;
  /** Such as `signed_in`, `session_ended` or `refresh_refused`; of another version's events its own. */
  kind: string;
  /** Its number in the chain; null in the moment before it is sealed. */
  seq?: number | null;
  session?: string | null;
  /** The receipt of an end, the id of a key, or what an act is about. */
  subject?: string | null;
  user?: string | null;
}

export interface EventRecords {
  /** What to ask for as `before`, to go on; null at the end. */
  before?: string | null;
  /** Newest first. */
  events: EventRecord[];
  /** The addresses of the users named in them, by id. Whoever is deleted is not among them. */
  people: Record<string, string>;
}

export type ExchangeKind = "simplejwt" | "ticket";

export interface ExchangeRequest {
  /**
   * A random word of 16 to 64 letters, digits, `-` and `_`, drawn once for this trade. Whoever did not hear the answer
   * says the same one again, and is given the same session.
   */
  attempt: string;
  /** As at a sign-in. Here it is a label and ends nothing. */
  device_id?: string | null;
  /** What is traded, and which of the next two says it. */
  kind: ExchangeKind;
  /** What `POST auth/exchange/tickets` gave the other system's back end. */
  ticket?: string | null;
  /** A refresh token of djangorestframework-simplejwt. */
  token?: string | null;
}

/** One thing that is wrong with one field of a request. */
export interface FieldError {
  /** A stable code, such as `too_short`. */
  code: string;
  /** The field's name in the request. */
  field: string;
  /** What to do about it, for people. */
  message: string;
}

export interface IndustriesAnswer {
  industries: string[];
}

export interface LoginRequest {
  /**
   * A random label of this browser profile. Signing in again with it ends the profile's earlier session,
   * unless that is only moments old; it is no credential.
   */
  device_id?: string | null;
  /** Stay signed in for the remembered lifetime (20 days), idle or busy. */
  remember_me?: boolean;
  email: string;
  password: string;
}

/** The last request of the page that failed. */
export interface LogoutAnswer {
  /** How long before, milliseconds. */
  agoMs: number;
  /** The problem's code, if it was one. */
  code?: string | null;
  /** Whether it was a problem of this server's kind. */
  isOurs?: boolean | null;
  /** What was asked for; only its path is kept. */
  path?: string | null;
  /** 0: no answer came. */
  status: number;
}

/** What the browser held. It is not asked who somebody is: an access token says that, or nothing does. */
export interface LogoutContext {
  hasRefreshToken?: boolean | null;
  hasToken?: boolean | null;
  isAuthenticated?: boolean | null;
}

/** The last error that no script had caught. */
export interface LogoutError {
  /** How long before, milliseconds. */
  agoMs: number;
  message: string;
}

/** A sign-out as the browser saw it. Every member may be left out; one of the wrong type counts as left out. */
export interface LogoutEvent {
  /** The SDK's version. */
  client?: string | null;
  context?: LogoutContext | null;
  evidence?: LogoutEvidence | null;
  /** Minutes without any activity before it. */
  idleMinutes?: number | null;
  /** The page; only its path is kept. */
  location?: string | null;
  /** What happened, for people. */
  message?: string | null;
  /** The reason of the end that the browser was told, or a word of the SDK's own, such as `cookie_missing`. */
  reason?: string | null;
  /** The receipt that the browser was told. */
  receipt?: string | null;
  /** The application's version. */
  release?: string | null;
  /** The session that ended, as the browser believes. */
  session?: string | null;
  /** When it happened, Unix milliseconds by the browser's clock. */
  timestamp?: number | null;
  /**
   * `USER_ACTION`, `TOKEN_EXPIRED`, `REFRESH_FAILED`, `AUTH_ERROR` or `UNKNOWN`, which is what everything
   * else is kept as.
   */
  type?: string | null;
}

/** What the SDK knew in that moment. It tells mistakes of a front end apart that report the same type. */
export interface LogoutEvidence {
  /** How long the access token in hand had to live, milliseconds by the server's clock; negative if it had expired. */
  accessLeftMs?: number | null;
  answer?: LogoutAnswer | null;
  /** The device's clock less the server's, milliseconds. */
  clockAheadMs?: number | null;
  error?: LogoutError | null;
  /** How long the page had been there, milliseconds. */
  pageAgeMs?: number | null;
  /** Tokens that other tabs of the browser had given to this one. */
  tokensFromTabs?: number | null;
}

export interface LogoutRequest {
  scope?: LogoutScope;
}

export type LogoutScope = "this" | "others" | "everywhere";

export interface MomentAnswer {
  at: number;
  /** Who says so: `server` or `client`. */
  by: string;
  sentence: string;
  /** Such as `sign-in`, `refresh`, `refused`, `server`, `report` or `end`. */
  what: string;
}

/** What one page of an observed application has seen since it last told. */
export interface Observations {
  /** One load of a page: up to 16 letters and digits. */
  page: string;
  /** The browser profile, `obs_` and 32 hexadecimal digits that it drew itself. */
  profile: string;
  /** The application's version. */
  release?: string | null;
  /** At most 50; what is of no known kind is left out. */
  seen: Sight[];
  /** When it was sent, Unix milliseconds by the device's clock. */
  sentAt: number;
}

export interface Overview {
  /** Oldest first, those in which nothing happened among them. What happened in the last minute may not be in them. */
  hours: OverviewHour[];
  /** The server's clock, Unix milliseconds. */
  now: number;
  /** Sessions neither ended nor expired; estimated where there are more than a hundred thousand. */
  sessions_active: number;
  /** How many of them are remembered ones. */
  sessions_remembered: number;
  /** Such sign-outs that were reported without one: anybody can make them up who knows the session's id. */
  unexplained_claimed: number;
  /** Sign-outs of these hours that nothing explains, reported with an access token of the session. There should be none. */
  unexplained_ends: number;
}

export interface OverviewHour {
  /** When it began. */
  at: number;
  /** Ends of sessions by their reason. */
  ends: Record<string, number>;
  /** Refreshes by their outcome. */
  refresh: Record<string, number>;
  sign_ins: OverviewSignIns;
  /** Sign-outs that nothing explains, reported with an access token of the session. */
  unexplained: number;
  /** Those that were reported without one. */
  unexplained_claimed: number;
}

export interface OverviewSignIns {
  failed: number;
  ok: number;
  throttled: number;
}

export interface PasswordChange {
  current_password: string;
  /** 8 to 256 characters, no composition rules, not on lists of common passwords. */
  new_password: string;
}

export interface PasswordChangeAnswer extends AccessToken {
  /** How many other sessions this ended. */
  ended_sessions: number;
}

export interface PasswordReset {
  /** 8 to 256 characters, no composition rules, not on lists of common passwords. */
  new_password: string;
  /** What follows `#token=` in the link. */
  token: string;
}

export interface PasswordWish {
  /** 8 to 256 characters, no composition rules, not on lists of common passwords. */
  password: string;
  /** Why, for whoever asks later: 1 to 500 characters. */
  reason: string;
}

export interface PlanAnswer {
  features: string[];
  /** How much of each thing it allows; null means as much as anybody likes. */
  limits: Record<string, number | null>;
  name: string;
  slug: string;
}

export interface PlanRecord {
  created_at: number;
  features: string[];
  /** Accounts whose plan is not active are refused what needs one. */
  is_active: boolean;
  /** How much of each thing it allows; null means as much as anybody likes. */
  limits: Record<string, number | null>;
  name: string;
  slug: string;
  /** Stripe's price that stands for it. */
  stripe_price?: string | null;
}

export interface PlanRecords {
  /** By their slugs, those that are not active too. */
  plans: PlanRecord[];
}

/** A whole plan: what is left out is not so. */
export interface PlanWish {
  features?: string[];
  is_active: boolean;
  /** How much of each thing, at most a hundred things; null means as much as anybody likes. */
  limits?: Record<string, number | null>;
  /** 1 to 200 characters. */
  name: string;
  /** Why, for whoever asks later: 1 to 500 characters. */
  reason: string;
  stripe_price?: string | null;
}

export interface PlansAnswer {
  plans: PlanAnswer[];
}

export interface Pong {
  pong: boolean;
  /** The server's clock, Unix milliseconds. */
  server_time: number;
}

/** An error answer as it travels (RFC 9457 with Tenure's members; protocol section 8). */
export interface Problem {
  class: ErrorClass;
  code: ErrorCode;
  /** What happened this time, for people. */
  detail: string;
  /** The fields at fault. */
  errors?: FieldError[];
  reason?: EndReason;
  /** The end's receipt, to quote to support. */
  receipt?: string | null;
  /** Quote this to support. */
  request_id: string;
  /** Seconds to wait before trying again. */
  retry_after?: number | null;
  /** The server's clock, Unix milliseconds. */
  server_time: number;
  /** The session that the answer is about. */
  session?: string | null;
  status: number;
  /** The code in words, the same each time. */
  title: string;
  /** Where this code is explained. */
  type: string;
}

/** A user with the account they belong to. */
export interface ProfileAnswer extends UserAnswer {
  account?: AccountAnswer | null;
}

export interface ProfileChange {
  /** 1 to 200 characters. */
  name?: string | null;
}

/** Why something is done: 1 to 500 characters, for whoever asks later. */
export interface Reason {
  reason: string;
}

export interface RegisterRequest {
  /**
   * A random label of this browser profile. Signing in again with it ends the profile's earlier session,
   * unless that is only moments old; it is no credential.
   */
  device_id?: string | null;
  /** Stay signed in for the remembered lifetime (20 days), idle or busy. */
  remember_me?: boolean;
  email: string;
  name: string;
  /** 8 to 256 characters, no composition rules, not on lists of common passwords. */
  password: string;
}

/** The largest groups first, at most twenty. */
export interface ReportGroup {
  count: number;
  /** Null: it was not said. */
  name?: string | null;
}

/** What browsers report a sign-out as. */
export type ReportKind = (typeof REPORT_KINDS)[number];

/** Every {@link ReportKind}. */
export const REPORT_KINDS = [
  "USER_ACTION",
  "TOKEN_EXPIRED",
  "REFRESH_FAILED",
  "AUTH_ERROR",
  "UNKNOWN",
] as const;

/** What a browser said of a sign-out, and what we know of it. Of what it said nothing is proof. */
export interface ReportRecord {
  address: string;
  browser: string;
  claimed_at?: number | null;
  claimed_session?: string | null;
  client?: string | null;
  /** What the browser knew in that moment: the last request that failed, the last error, clocks. Null if it did not say. */
  evidence?: Record<string, unknown> | null;
  has_refresh_token?: boolean | null;
  has_token?: boolean | null;
  idle_ms?: number | null;
  is_authenticated?: boolean | null;
  location?: string | null;
  message?: string | null;
  number: number;
  reason?: string | null;
  receipt?: string | null;
  received_at: number;
  release?: string | null;
  type: ReportKind;
  type_said?: string | null;
  user_agent?: string | null;
  /** Whose access token came with it. */
  verified_session?: string | null;
  verified_user?: string | null;
}

export interface ReportRecords {
  /** What `after` is for the next page; null where nothing was left. */
  next?: number | null;
  /** The addresses of the users named in them, by id. Whoever is deleted is not among them. */
  people: Record<string, string>;
  /** In the order in which they came. */
  reports: ReportRecord[];
}

export interface ReportStats {
  by_browser: ReportGroup[];
  /** By how long somebody had been idle, shortest first. */
  by_idle: ReportGroup[];
  by_reason: ReportGroup[];
  by_release: ReportGroup[];
  by_type: ReportGroup[];
  since: number;
  total: number;
}

export interface ResetLink {
  /** Until when it is good, Unix milliseconds. */
  expires_at: number;
  /** Shown this once: whoever has it can choose the user's password. It is good once. */
  link: string;
}

export interface RotateRequest {
  /** Seconds for which the old key still stands, at most 30 days; a day if left out. */
  grace?: number | null;
}

export interface SessionAnswer {
  /** When the sign-in was, Unix milliseconds. */
  created_at: number;
  /** When the session ends, Unix milliseconds: fixed at sign-in, idle or busy. */
  expires_at: number;
  id: string;
  /** Whether "remember me" was ticked. */
  remembered: boolean;
}

export interface SessionEntry {
  /** Where the sign-in came from. */
  address?: string | null;
  created_at: number;
  /** Whether it is the session that asks. */
  current: boolean;
  expires_at: number;
  id: string;
  /** Browser and system in words, as in `Firefox on Linux`. */
  label: string;
  /** Last refresh, accurate to a minute and a half. */
  last_used_at: number;
  remembered: boolean;
}

export interface SessionList {
  /** Newest first. */
  sessions: SessionEntry[];
}

/** What ending somebody's sessions came to. */
export interface SessionsEnded {
  /** How many were alive. */
  ended_sessions: number;
}

export interface SettingRecord {
  /** Section and name, as in `session.settle`. */
  key: string;
  /** default, file, environment or flag. */
  origin: string;
  secret: boolean;
  /** Text as it is, everything else as JSON has it. Of a secret only whether it is `set` or `not set`. */
  value: string;
}

export interface SettingRecords {
  /** By their keys. */
  settings: SettingRecord[];
}

/** Which members it has depends on its kind. One of the wrong type counts as left out. Spans are milliseconds. */
export interface Sight {
  accessLeftMs?: number | null;
  askedAgoMs?: number | null;
  /** Unix milliseconds by the device's clock. */
  at: number;
  clockAheadMs?: number | null;
  /** The problem's code. */
  code?: string | null;
  /** `removed`, `cleared`, `vanished` or `navigated`. */
  how?: string | null;
  idleMs?: number | null;
  inputAgoMs?: number | null;
  /** `page`, `sign_in`, `refresh`, `failure` or `sign_out`. */
  kind: string;
  /** The same of the refresh token that came back, whenever one did, also if it is the same. */
  next?: string | null;
  pageAgeMs?: number | null;
  /** Of the request, or of the page. Of a path the words are kept, and what else is between its slashes becomes `*`. */
  path?: string | null;
  refreshLeftMs?: number | null;
  refreshLifetimeMs?: number | null;
  /** Counts what this page has seen. */
  seq: number;
  /** Of an answer; 0: none came. */
  status?: number | null;
  tabs?: number | null;
  /** A mark of the token that was presented: eight hexadecimal digits. */
  token?: string | null;
  tookMs?: number | null;
}

/**
 * What a sign-in and every refresh are answered with. The refresh token is not in it: it travels in the
 * cookie alone.
 */
export interface SignedInAnswer extends AccessToken {
  session: SessionAnswer;
  user: UserAnswer;
}

export interface SigningKeyRecord {
  /** From when on it may sign. */
  activates_at: number;
  created_at: number;
  kid: string;
  /** Whether it can be retired: the others would go on signing without it, and it is not retired yet. */
  may_retire: boolean;
  /** From when on its tokens are refused. */
  retires_at?: number | null;
  /** signs, published (known, and not yet in use), verifies (signs no more) or retired. */
  state: string;
}

export interface SigningKeyRotation {
  /** Sign with it at once: services that have not fetched it yet will refuse for a while. */
  now?: boolean;
  /** Why, for whoever asks later: 1 to 500 characters. */
  reason: string;
}

export interface SigningKeys {
  /** Newest first. */
  keys: SigningKeyRecord[];
}

export interface Status {
  /** Whether people may register themselves. */
  registration_open: boolean;
  /** Seconds that a remembered sign-in lasts; the label of "remember me" is made from it. */
  remembered_lifetime: number;
  server_time: number;
  /** Seconds that another sign-in lasts at most. */
  short_lifetime: number;
  /** `ok` if the store answers. */
  status: string;
  version: string;
}

export interface TicketAnswer {
  /** Seconds for which it is good. */
  expires_in: number;
  /** For the page of whoever it is, which trades it at `auth/exchange`. */
  ticket: string;
}

export interface TicketRequest {
  /** When they signed in there, Unix seconds; now, if it is not known. What is not past counts as now. */
  authenticated_at?: number | null;
  /** When the sign-in there would end by itself, Unix seconds. */
  expires_at?: number | null;
  /** What names the sign-in there and nothing else: a hash of the session's key, or a token's `jti`. It is traded once. */
  legacy_session: string;
  /** The user's primary key in the other system, as text. */
  user_id: string;
}

/** Why a session is over, or is not. */
export interface Timeline {
  /**
   * `what`, `why`, `when`, `where` and `how`: objects of names and values, without what is not known, in the order in
   * which `tenure explain` says them.
   */
  receipt: Record<string, unknown>;
  session: string;
  /** Names in the receipt whose numbers are spans, in milliseconds. */
  spans: string[];
  /** Oldest first. */
  timeline: MomentAnswer[];
  verdict: VerdictAnswer;
}

/** By whose word: `verified` if an authentic access token of the session came with it, `claimed` if anybody may have said it. */
export type UnexplainedBy = "claimed" | "verified";

export interface UserAnswer {
  account_id?: string | null;
  created_at: number;
  email: string;
  id: string;
  name: string;
  role: UserRole;
}

/** What is to be different. What is left out stays. */
export interface UserPatch {
  /** Null takes them out of their account. */
  account_id?: string | null;
  /** Why, for whoever asks later: 1 to 500 characters. */
  reason: string;
  role?: string | null;
}

export interface UserRecord {
  account_id?: string | null;
  created_at: number;
  /** Since when they are kept from signing in. */
  disabled_at?: number | null;
  email: string;
  /** Whether they can sign in with a password. */
  has_password: boolean;
  id: string;
  name: string;
  role: UserRole;
}

export interface UserRecords {
  /** What `after` is for the next page; null where nothing was left. */
  next?: string | null;
  /** Oldest first. */
  users: UserRecord[];
}

export type UserRole = (typeof USER_ROLES)[number];

/** Every {@link UserRole}. */
export const USER_ROLES = [
  "user",
  "admin",
  "developer",
  "superuser",
  "system",
] as const;

export interface UserWish {
  /** The account they belong to; left out, they get one of their own. */
  account_id?: string | null;
  email: string;
  /**
   * What they are in another system, such as `django:17`: an import takes them for that person, and what they have there
   * can be traded.
   */
  imported_as?: string | null;
  /** 1 to 200 characters. */
  name: string;
  /** 8 to 256 characters. Left out, they cannot sign in until they have one. */
  password?: string | null;
  /** Why, for whoever asks later: 1 to 500 characters. */
  reason: string;
  /** user (if left out), admin, developer, superuser or system. */
  role?: string | null;
}

export interface VerdictAnswer {
  /** `alive`, `ended`, `end_reported`, `time_over`, `sign_out_undelivered`, `cookie_lost`, `old_copy` or `unexplained`. */
  cause: string;
  /** Of what is unexplained, the kind of mistake: A, B, C or D. */
  scenario?: string | null;
  sentence: string;
}
