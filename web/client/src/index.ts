/** `@tenure/client`: the session of this browser, for any framework and none. */

export {
  type AccountStatus,
  type EndReason,
  type ErrorClass,
  type ErrorCode,
  type FieldError,
  SIGNS_OUT,
  type UserRole,
} from "./api.gen.js";
export { createClient } from "./client.js";
export type { Channel, Edges, KeyValueStore, Locks, Presence } from "./edges.js";
export { LEGACY_KEYS } from "./memory.js";
export {
  type ClientCode,
  type CodeOf,
  isAuthentication,
  isAuthorization,
  isTransport,
  type ProblemDetails,
  ProblemError,
  type ProblemOf,
  type Refusal,
  type RefusalCode,
  readProblem,
} from "./problem.js";
export type * from "./types.js";
