/** The sentences of the React kit, without React. */

import { messagesWith, type Words } from "@tenure/react/messages.js";
import { agoIn, durationIn, momentIn } from "@tenure/react/time.js";
import { locale } from "../session.js";

const messages = messagesWith({ locale });

export const words: Words = {
  ...messages,
  duration: (ms) => durationIn(messages.locale, ms),
  ago: (ms) => agoIn(messages.locale, ms),
  moment: (ms) => momentIn(messages.locale, ms),
  sentence: (error) =>
    messages.errors[error.code] ?? (error.problemClass === "transport" ? messages.passing : error.message),
};
