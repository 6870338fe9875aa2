/** Says in a plain sentence why the person was signed out, as `LogoutReasonBanner` of the React kit does. */

import type { AuthState } from "@tenure/client";
import type { Tracker } from "@tenure/client/tracker";
import { type LogoutStory, logoutFacts, logoutIcon, logoutStory } from "@tenure/react/logout-story.js";
import { el, find, icon } from "./dom.js";
import { words } from "./words.js";

/** It closes by itself after this long, unless it is pointed at, focused or unfolded. */
const CLOSE_AFTER_MS = 30_000;

/**
 * Fills the place that the page has for it, each time there is something to tell. `onClose` is called when the person
 * closes it, because the focus then needs a place to go.
 */
export function banner(
  place: HTMLElement,
  tracker: Tracker,
  onClose: () => void,
): (state: AuthState) => void {
  const message = find("[data-part=message]", place);
  const holds = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let told: AuthState | undefined;
  let shown: AuthState | undefined;

  const clear = () => {
    clearTimeout(timer);
    message.replaceChildren();
    for (const part of place.querySelectorAll(":scope > :not([data-part=message])")) part.remove();
    place.dataset.open = "false";
  };
  const close = () => {
    told = shown;
    tracker.clearLastReason();
    clear();
  };
  const hold = (what: string, on: boolean) => {
    if (on) holds.add(what);
    else holds.delete(what);
    clearTimeout(timer);
    if (holds.size === 0 && place.dataset.open === "true") timer = setTimeout(close, CLOSE_AFTER_MS);
  };
  place.addEventListener("pointerenter", () => hold("pointer", true));
  place.addEventListener("pointerleave", () => hold("pointer", false));
  place.addEventListener("focusin", () => hold("focus", true));
  place.addEventListener("focusout", () => hold("focus", false));

  return (state) => {
    if (state === shown) return;
    shown = state;
    clear();
    const story = told === state ? null : logoutStory(state, tracker, words);
    if (!story) return;
    message.append(icon(logoutIcon(story.reason)), sentence(story));
    const button = el("button", { type: "button", "data-part": "close", "data-look": "bare" }, icon("close"));
    button.setAttribute("aria-label", words.close);
    button.addEventListener("click", () => {
      close();
      onClose();
    });
    const details = el("details", {}, el("summary", { "data-part": "summary" }, words.details), facts(story));
    details.addEventListener("toggle", () => hold("details", details.open));
    place.append(button, details);
    place.dataset.open = "true";
    hold("", false);
  };
}

function sentence(story: LogoutStory): HTMLElement {
  const line = el("p", {}, el("strong", {}, story.sentence));
  if (story.reason !== "signed_out") line.append(` ${words.signInAgain}`);
  return line;
}

function facts(story: LogoutStory): HTMLElement {
  const list = el("dl", { "data-part": "facts" });
  for (const [term, value] of logoutFacts(story, words)) {
    if (value) list.append(el("div", {}, el("dt", {}, term), el("dd", {}, value)));
  }
  return list;
}
