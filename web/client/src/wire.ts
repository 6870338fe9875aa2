/** From the names that travel to the names of the SDK. An answer that lacks something is not ours. */

import type { EntitlementAnswer, EntitlementsAnswer } from "./api.gen.js";
import { isRecord, ProblemError } from "./problem.js";
import type { Grant, Token } from "./session.js";
import type {
  Account,
  Entitled,
  Entitlements,
  Plan,
  ServerStatus,
  Session,
  SessionEntry,
  User,
} from "./types.js";

/** A token is renewed when this part of its life is over, a little earlier or later in each tab. */
const REFRESH_AT = 0.8;
const REFRESH_SPREAD = 0.05;

/** What signs in and what refreshes answer; undefined if it is something else. */
export function readGrant(body: unknown, chance: number): Grant | undefined {
  const token = readToken(body, chance);
  const { session, user } = (body ?? {}) as { [name: string]: unknown };
  const grant = { user: readUser(user), session: camel<Session>(session), token };
  const isOurs =
    grant.user && token && typeof grant.session?.id === "string" && isTime(grant.session.expiresAt);
  return isOurs ? (grant as Grant) : undefined;
}

export function readToken(body: unknown, chance: number): Token | undefined {
  if (!isRecord(body)) return undefined;
  const { access_token: value, expires_in: seconds, server_time: receivedAt } = body;
  if (typeof value !== "string" || !isTime(seconds) || !isTime(receivedAt)) return undefined;
  const lifeMs = seconds * 1000;
  const refreshAt = receivedAt + lifeMs * (REFRESH_AT - REFRESH_SPREAD * chance);
  return { value, receivedAt, refreshAt, expiresAt: receivedAt + lifeMs };
}

export function readUser(body: unknown): User | undefined {
  const user = camel<User>(body);
  return typeof user?.id === "string" ? user : undefined;
}

export function readSessions(body: unknown): SessionEntry[] | undefined {
  const { sessions } = (body ?? {}) as { sessions?: unknown };
  return Array.isArray(sessions) ? sessions.flatMap((entry) => camel<SessionEntry>(entry) ?? []) : undefined;
}

/** An answer for each requirement, or it is not ours. */
export function readEntitlements(body: unknown, count: number): Entitlements | undefined {
  const { account: told, answers } = (body ?? {}) as Partial<EntitlementsAnswer>;
  if (!Array.isArray(answers) || answers.length !== count || !answers.every(isRecord)) return undefined;
  const account = camel<Account>(told);
  const plan = camel<Plan>(account?.plan);
  return {
    account: account ? { ...account, plan: plan ? { ...NOTHING, ...plan } : null } : null,
    answers: answers.map(entitled),
  };
}

const NOTHING = { limits: {}, features: [] };

/** Allowed is only what is said to be. */
function entitled({ require: requirement, allowed, problem }: EntitlementAnswer): Entitled {
  const { code = "foreign_answer", class: about = "transport", status = 200, detail = "" } = problem ?? {};
  return { requirement, problem: allowed === true ? null : new ProblemError(code, about, status, detail) };
}

export function readStatus(body: unknown): ServerStatus | undefined {
  const status = camel<ServerStatus>(body);
  return isTime(status?.rememberedLifetime) ? status : undefined;
}

export function isTime(value: unknown): value is number {
  return Number.isFinite(value);
}

/** `created_at` is `createdAt` here, and so on; the types of the fields are the server's promise. */
function camel<T>(body: unknown): T | undefined {
  if (!isRecord(body)) return undefined;
  const name = (text: string) => text.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [name(key), value])) as T;
}
