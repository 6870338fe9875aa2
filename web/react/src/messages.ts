/** Every sentence that a component shows. English; a provider's `messages` replaces what it names. */

import type { ProblemError, Refusal, SignedOutReason } from "@tenure/client";
import { REFUSAL_HELP, REFUSAL_TITLES } from "@tenure/client/entitlements";
import { useMemo } from "react";
import { useProvided } from "./provider.js";
import { agoIn, durationIn, momentIn } from "./time.js";

/** Codes for which there may be a sentence: the server's and the client's own. */
export type MessageCode = ProblemError["code"];

const english = {
  /** A BCP 47 tag. Spans, moments and counts are written in this language. */
  locale: "en",

  email: "E-mail",
  password: "Password",
  name: "Name",
  showPassword: "Show password",
  hidePassword: "Hide password",
  passwordAdvice: "At least 8 characters; 15 or more are better. A few words make a good one.",

  signInTitle: "Sign in",
  signIn: "Sign in",
  signingIn: "Signing in…",
  signUpTitle: "Create an account",
  signUp: "Create account",
  signingUp: "Creating the account…",
  signedUp: "Your account is ready. You can sign in now.",
  signUpClosed: "New accounts are not open here.",
  rememberMe: "Remember me",
  rememberMeFor: (duration: string) => `Remember me for ${duration}`,
  rememberMeHelp: "Leave it off on a computer that others use.",

  errorTitle: "That did not work",
  emailMissing: "Enter your e-mail address.",
  passwordMissing: "Enter your password.",
  nameMissing: "Enter your name.",
  tryAgainIn: (duration: string) => `You can try again in ${duration}.`,
  tryAgainNow: "You can try again now.",
  /** For whatever is passing and has no sentence of its own. */
  passing: "Something is not working just now. Please try again in a moment.",
  reference: (id: string) => `Reference for support: ${id}`,

  signInAgain: "Sign in again to continue.",
  details: "Technical details",
  detailReason: "Reason",
  detailType: "Type",
  detailTime: "Time",
  detailIdle: "Idle before",
  detailPage: "Page",
  detailReceipt: "Receipt",
  detailSession: "Session",
  detailServer: "The server says",
  detailRequest: "Request",
  close: "Close",

  noticeTitle: "You have been signed out",
  noticeKept: "What you have typed on this page is still there.",
  noticeIdle: (duration: string) => `You had been idle for ${duration}.`,
  noticeContinue: "Sign in again",
  noticeStay: "Stay on this page",
  noticeCountdown: (duration: string) => `Continuing in ${duration}.`,
  noticeStop: "Stop the countdown",

  devices: "Your devices",
  devicesLoading: "Loading your devices…",
  devicesEmpty: "No sign-ins to show.",
  devicesFailed: "Your devices cannot be shown just now.",
  deviceCurrent: "This browser",
  deviceSignedIn: (moment: string) => `Signed in ${moment}`,
  deviceLastUsed: (ago: string) => `Last used ${ago}`,
  deviceEnds: (duration: string) => `Ends in ${duration}`,
  deviceAddress: (address: string) => `From ${address}`,
  deviceEnd: "End",
  deviceEndLabel: (device: string) => `End the sign-in on ${device}`,
  deviceEndQuestion: (device: string) => `End the sign-in on ${device}?`,
  deviceEndYes: "End it",
  deviceEnded: (device: string) => `The sign-in on ${device} has ended.`,
  othersEnd: "End all others",
  othersEndQuestion: "End all sign-ins but this one?",
  othersEndYes: "End them",
  othersEnded: "All other sign-ins have ended.",
  keep: "Keep",
  retry: "Try again",

  seePlans: "See plans",
  contactSupport: "Write to support",
  checkAgain: "Check again",

  userMenu: (name: string) => `Account of ${name}`,
  account: "Account",
  signOut: "Sign out",

  connecting: "Connecting…",
  reconnecting: "Reconnecting… You stay signed in.",
  unknown: "Loading…",

  reasons: {
    never_signed_in: "You are not signed in.",
    cookie_missing: "This browser no longer has your sign-in: its data was cleared.",
    session_unknown: "The server does not know this sign-in any more.",
    session_superseded: "This browser held an old copy of your sign-in.",
    not_carried_over: "Your sign-in from before could not be taken over. Sign in once more.",
    signed_out: "You signed out.",
    signed_out_everywhere: "You signed out on all your devices.",
    password_changed: "Your password was changed on another device.",
    password_reset: "Your password was reset.",
    admin_revoked: "An administrator ended this session.",
    user_disabled: "An administrator disabled this account.",
    user_deleted: "This account was deleted.",
    token_reuse: "An old copy of this session was used somewhere, so it was ended for your safety.",
    replaced_by_sign_in: "You signed in again on this device.",
    session_limit: "You signed in on more devices than your account allows.",
    remembered_lifetime: "The time you asked to stay signed in is over.",
    short_lifetime:
      "You did not ask to be remembered, so this sign-in ended with the browser, or after its day was over.",
  } satisfies Record<SignedOutReason, string> as Record<SignedOutReason, string>,

  /** By the code of a 402 or 403: what is so, and what the person can do. */
  refusalTitles: REFUSAL_TITLES,
  refusalHelp: REFUSAL_HELP,

  /** By the code of an error. What is missing here is told in the server's words. */
  errors: {
    invalid_credentials: "E-mail or password is wrong.",
    email_taken: "There is an account with that e-mail address already.",
    registration_closed: "New accounts are not open here.",
    validation_failed: "Please check what you entered.",
    rate_limited: "Too many attempts.",
    unreachable: "The server cannot be reached. What you entered is still here.",
    foreign_answer:
      "Something between this browser and the server answers in its place. Does this network ask you to sign in?",
    signed_out: "You are not signed in.",
  } satisfies Partial<Record<MessageCode, string>> as Partial<Record<MessageCode, string>>,

  /** By the code of what is wrong with one field. What is missing here is told in the server's words. */
  fields: {
    not_an_address: "Enter an e-mail address like name@example.com.",
    not_a_name: "Enter a name of 1 to 200 characters.",
    too_short: "Use at least 8 characters.",
    too_long: "Use at most 256 characters.",
    too_common: "Many people use that password, so it would be guessed. Choose another.",
    is_email: "Choose a password that is not your e-mail address.",
  } as Readonly<Record<string, string>>,
};

export type Messages = Readonly<typeof english>;

/** What a provider may replace: any sentence, and any entry of the three tables. */
export type MessageOverrides = {
  readonly [Key in keyof Messages]?: Messages[Key] extends Readonly<Record<string, string>>
    ? Partial<Messages[Key]>
    : Messages[Key];
};

/** The catalogue in English, with the provider's own sentences in place. */
export function messagesWith(own: MessageOverrides = {}): Messages {
  return {
    ...english,
    ...own,
    reasons: { ...english.reasons, ...own.reasons },
    refusalTitles: { ...english.refusalTitles, ...own.refusalTitles },
    refusalHelp: { ...english.refusalHelp, ...own.refusalHelp },
    errors: { ...english.errors, ...own.errors },
    fields: { ...english.fields, ...own.fields },
  } as Messages;
}

/** The catalogue and the words for times that go with it. */
export interface Words extends Messages {
  duration(ms: number): string;
  ago(ms: number): string;
  moment(ms: number): string;
  /** What to tell a person about an error. */
  sentence(error: ProblemError): string;
}

export function useMessages(): Words {
  const own = useProvided().messages;
  return useMemo(() => {
    const words = messagesWith(own);
    return {
      ...words,
      duration: (ms) => durationIn(words.locale, ms),
      ago: (ms) => agoIn(words.locale, ms),
      moment: (ms) => momentIn(words.locale, ms),
      sentence: (error) => sentenceFor(words, error),
    };
  }, [own]);
}

function sentenceFor(words: Messages, error: ProblemError): string {
  const own = words.errors[error.code];
  if (own !== undefined) return own;
  switch (error.problemClass) {
    case "transport":
      return words.passing;
    case "authorization": {
      const { title, help } = refusalWords(words, error as Refusal);
      return `${title} ${help}`.trim();
    }
    default:
      return error.message;
  }
}

/** What is so and what to do about it. A newer server's code is told in the server's words. */
export function refusalWords(words: Messages, { code, message }: Refusal): { title: string; help: string } {
  const titles: Partial<Record<string, string>> = words.refusalTitles;
  return { title: titles[code] ?? message, help: words.refusalHelp[code] ?? "" };
}

/** The sentence for a reason, which may come from storage or a newer server and be none of those known here. */
export function reasonSentence(words: Messages, reason: string | undefined): string | undefined {
  return reason !== undefined && Object.hasOwn(words.reasons, reason)
    ? words.reasons[reason as SignedOutReason]
    : undefined;
}
