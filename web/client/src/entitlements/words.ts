/** What people are told of a refusal: what is so, and what they can do. In English; a catalogue of yours may replace it. */

import type { RefusalCode } from "../problem.js";

/** What is so. */
export const REFUSAL_TITLES: Readonly<Record<RefusalCode, string>> = {
  permission_denied: "This is not open to you.",
  fresh_password_required: "Your password is asked for again.",
  account_missing: "You do not belong to an account yet.",
  account_suspended: "Your account is suspended.",
  account_cancelled: "Your account is cancelled.",
  plan_missing: "This comes with another plan.",
  plan_inactive: "Your plan is not active.",
  limit_reached: "You have reached a limit of your plan.",
};

/** What to do about it. */
export const REFUSAL_HELP: Readonly<Record<RefusalCode, string>> = {
  permission_denied: "If you need it, ask an administrator of your account.",
  fresh_password_required: "Type it once more, and try again.",
  account_missing: "Ask whoever runs your team's account to add you.",
  account_suspended: "You stay signed in. Once it is open again, everything here is as it was.",
  account_cancelled: "You stay signed in. To come back to it, please write to support.",
  plan_missing: "Choose one that includes it, and it opens at once.",
  plan_inactive: "Once it is active again, this works as before.",
  limit_reached: "Make room, or take a plan that has more.",
};
