/** From the names that travel to the names of the SDK. An answer that lacks something is not ours. */

import type { SessionList, SignedInAnswer, Status, UserAnswer } from "./api.gen.js";
import { isRecord } from "./problem.js";
import type { Grant, Token } from "./session.js";
import type { ServerStatus, SessionEntry, User } from "./types.js";

/** A token is renewed when this part of its life is over, a little earlier or later in each tab. */
const REFRESH_AT = 0.8;
const REFRESH_SPREAD = 0.05;

/** What signs in and what refreshes answer; undefined if it is something else. */
export function readGrant(body: unknown, chance: number): Grant | undefined {
  const answer = body as Partial<SignedInAnswer>;
  const token = readToken(body, chance);
  if (!token || !isRecord(answer.session) || !isRecord(answer.user)) return undefined;
  const { id, remembered, created_at, expires_at } = answer.session;
  const user = readUser(answer.user);
  if (typeof id !== "string" || typeof expires_at !== "number" || !user) return undefined;
  return { user, session: { id, remembered, createdAt: created_at, expiresAt: expires_at }, token };
}

export function readToken(body: unknown, chance: number): Token | undefined {
  if (!isRecord(body)) return undefined;
  const { access_token: value, expires_in: seconds, server_time: receivedAt } = body;
  if (typeof value !== "string" || typeof seconds !== "number" || typeof receivedAt !== "number")
    return undefined;
  const lifeMs = seconds * 1000;
  const refreshAt = receivedAt + lifeMs * (REFRESH_AT - REFRESH_SPREAD * chance);
  return { value, receivedAt, refreshAt, expiresAt: receivedAt + lifeMs };
}

export function readUser(body: unknown): User | undefined {
  const user = body as UserAnswer;
  if (!isRecord(body) || typeof user.id !== "string") return undefined;
  const { id, email, name, role } = user;
  return { id, accountId: user.account_id ?? null, email, name, role, createdAt: user.created_at };
}

export function readSessions(body: unknown): SessionEntry[] | undefined {
  const list = (body as Partial<SessionList>).sessions;
  return Array.isArray(list)
    ? list.map((entry) => ({
        id: entry.id,
        remembered: entry.remembered,
        createdAt: entry.created_at,
        expiresAt: entry.expires_at,
        label: entry.label,
        address: entry.address ?? null,
        lastUsedAt: entry.last_used_at,
        current: entry.current,
      }))
    : undefined;
}

export function readStatus(body: unknown): ServerStatus | undefined {
  const status = body as Status;
  if (!isRecord(body) || typeof status.remembered_lifetime !== "number") return undefined;
  return {
    version: status.version,
    rememberedLifetime: status.remembered_lifetime,
    shortLifetime: status.short_lifetime,
    registrationOpen: status.registration_open,
  };
}
