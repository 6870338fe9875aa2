/** What can be told about the last sign-out: from the state, and from the tracker where the state knows no more. */

import type { AuthState } from "@tenure/client";
import type { LogoutRecord, Tracker } from "@tenure/client/tracker";
import { reasonSentence, type Words } from "./messages.js";
import type { IconName } from "./parts.js";

export interface LogoutStory {
  readonly sentence: string;
  /** Absent where only the app has said what happened. */
  readonly reason: string | undefined;
  readonly receipt: string | undefined;
  readonly sessionId: string | undefined;
  /** What the tracker wrote down about it, if there is one and it did. */
  readonly record: LogoutRecord | null;
}

/**
 * The story of the sign-out that led here, or null if there is none. After a page has been loaded the state may only
 * say that nobody is signed in; the tracker remembers for this tab why.
 */
export function logoutStory(
  state: AuthState,
  tracker: Tracker | undefined,
  words: Words,
): LogoutStory | null {
  if (state.status !== "signedOut") return null;
  const last = tracker?.lastReason() ?? null;
  const known = state.reason !== "never_signed_in";
  if (!known && !last) return null;
  const record = !known || last?.reason === undefined || last.reason === state.reason ? last : null;
  const reason = known ? state.reason : record?.reason;
  return {
    sentence: reasonSentence(words, reason) ?? record?.message ?? words.noticeTitle,
    reason,
    receipt: state.receipt ?? record?.receipt,
    sessionId: state.sessionId ?? record?.session,
    record,
  };
}

/** Terms and values for whoever has to find the cause. */
export function logoutFacts(story: LogoutStory, words: Words): [string, string | undefined][] {
  const { record } = story;
  return [
    [words.detailReason, story.reason],
    [words.detailType, record?.type],
    [words.detailTime, record ? words.moment(record.timestamp) : undefined],
    [words.detailIdle, record ? words.duration(record.idleMinutes * 60_000) : undefined],
    [words.detailPage, record?.location],
    [words.detailReceipt, story.receipt],
    [words.detailSession, story.sessionId],
  ];
}

export function logoutIcon(reason: string | undefined): IconName {
  switch (reason) {
    case "signed_out":
    case "signed_out_everywhere":
    case "replaced_by_sign_in":
      return "door";
    case "remembered_lifetime":
    case "short_lifetime":
      return "clock";
    case "password_changed":
    case "password_reset":
    case "admin_revoked":
    case "user_disabled":
    case "user_deleted":
    case "token_reuse":
      return "shield";
    default:
      return "info";
  }
}
