/** Errors, all of one shape: the server's problems (RFC 9457) and what can go wrong on the way to it. */

import type { ERROR_CLASS, ErrorClass, ErrorCode, FieldError, Problem } from "./api.gen.js";
import type { SignedOutReason } from "./types.js";

const PROBLEM = "application/problem+json";

/**
 * What the client says by itself: no answer came (`unreachable`), an answer came that is not the server's
 * (`foreign_answer`: a captive portal, a proxy), or nobody is signed in (`signed_out`).
 */
export type ClientCode = "unreachable" | "foreign_answer" | "signed_out";

/** Members of a problem that not every problem has. */
export interface ProblemDetails {
  readonly requestId?: string;
  /** Milliseconds to wait, where the server said so. */
  readonly retryAfterMs?: number;
  /** The server's clock when it answered, Unix milliseconds. */
  readonly serverTime?: number;
  readonly sessionId?: string;
  readonly reason?: SignedOutReason;
  readonly receipt?: string;
  readonly fields?: readonly FieldError[];
  readonly cause?: unknown;
}

/** Something that did not work. Programs switch on `code`; `message` is for people. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(
    readonly code: ErrorCode | ClientCode,
    readonly problemClass: ErrorClass,
    /** The HTTP status; 0 where no answer came. */
    readonly status: number,
    message: string,
    readonly details: ProblemDetails = {},
  ) {
    super(message, { cause: details.cause });
  }
}

/** The codes of one class, as this release knows them; a newer server may have more. */
export type CodeOf<Class extends ErrorClass> =
  | { [Code in ErrorCode]: (typeof ERROR_CLASS)[Code] extends Class ? Code : never }[ErrorCode]
  | (Class extends "transport" ? "unreachable" | "foreign_answer" : never)
  | (Class extends "authentication" ? "signed_out" : never);

/** A problem of one class. */
export type ProblemOf<Class extends ErrorClass> = ProblemError & {
  readonly problemClass: Class;
  readonly code: CodeOf<Class>;
};

/** What 402 and 403 say: the person is known, and their account, its plan or a permission stands in the way. */
export type Refusal = ProblemOf<"authorization">;

/** Why something was refused, as this release knows it. */
export type RefusalCode = CodeOf<"authorization">;

/** Wait and try again: no answer, an answer that is not ours, 429 or 5xx. It says nothing about the session. */
export const isTransport = (error: unknown): error is ProblemOf<"transport"> => isOf(error, "transport");

/** The person is known and may not do this (402, 403). It says nothing about the session. */
export const isAuthorization = (error: unknown): error is Refusal => isOf(error, "authorization");

/** The server does not know who asks. Only the client itself judges whether that means signed out. */
export const isAuthentication = (error: unknown): error is ProblemOf<"authentication"> =>
  isOf(error, "authentication");

function isOf(error: unknown, problemClass: ErrorClass): boolean {
  return error instanceof ProblemError && error.problemClass === problemClass;
}

/**
 * The server's problem that an answer of `client.fetch` carries, or undefined if it carries none. The answer's body stays
 * yours; ask before you read it.
 */
export async function readProblem(response: Response): Promise<ProblemError | undefined> {
  const type = response.headers.get("content-type");
  if (response.ok || !type?.startsWith(PROBLEM) || response.bodyUsed) return undefined;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return problemIn(response.status, type, body);
}

/**
 * The server's problem in an answer, or undefined if it is not one of ours: another content type, another shape,
 * a status that contradicts it. The caller treats what is not ours as transport.
 */
export function problemIn(
  status: number,
  contentType: string | null,
  body: unknown,
): ProblemError | undefined {
  if (!contentType?.startsWith(PROBLEM) || !isRecord(body)) return undefined;
  const problem = body as Partial<Problem> & { [name: string]: unknown };
  const { code, class: problemClass, retry_after: retryAfter, server_time: serverTime } = problem;
  if (problem.status !== status || typeof code !== "string" || !isClass(problemClass)) return undefined;
  return new ProblemError(code, problemClass, status, String(problem.detail ?? problem.title ?? code), {
    requestId: problem.request_id,
    retryAfterMs: Number.isFinite(retryAfter) ? Number(retryAfter) * 1000 : undefined,
    serverTime: Number.isFinite(serverTime) ? serverTime : undefined,
    sessionId: problem.session,
    reason: problem.reason,
    receipt: problem.receipt,
    fields: problem.errors,
  } as ProblemDetails);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

const isClass = (value: unknown): value is ErrorClass =>
  /^(authentication|authorization|request|transport)$/.test(`${value}`);
