import type { SignedOutState } from "@tenure/client";
import { type JSX, type RefObject, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { isInvoluntary } from "./hooks.js";
import { logoutFacts, logoutStory } from "./logout-story.js";
import { useMessages } from "./messages.js";
import { Button, Facts, type RootProps } from "./parts.js";
import { useAuthState, useProvided } from "./provider.js";

export interface LogoutNoticeProps extends RootProps {
  /** What "Sign in again" does: show a sign-in form or go to one. The notice itself never leaves the page. */
  onContinue: () => void;
  /**
   * Calls `onContinue` after that many seconds in sight, unless the person stops it. Leave it out, and it waits;
   * with it, make sure that what was typed is kept.
   */
  countdownSeconds?: number | undefined;
}

/**
 * A dialog for a session that ended while the person was at work and without their doing. It comes once for each such
 * end that this page has seen, goes if somebody signs in meanwhile, and leaves the page below as it is.
 */
export function LogoutNotice({
  onContinue,
  countdownSeconds,
  ...root
}: LogoutNoticeProps): JSX.Element | null {
  const state = useAuthState();
  const [watching, setWatching] = useState(false);
  if (state.status === "signedIn" && !watching) setWatching(true);
  if (!watching || state.status !== "signedOut" || !isInvoluntary(state.reason)) return null;
  return (
    <Notice
      {...{ onContinue, countdownSeconds }}
      end={state}
      root={root}
      onClose={() => setWatching(false)}
    />
  );
}

interface NoticeProps extends LogoutNoticeProps {
  end: SignedOutState;
  root: RootProps;
  onClose: () => void;
}

function Notice({ end, onContinue, countdownSeconds, root, onClose }: NoticeProps): JSX.Element {
  const words = useMessages();
  const { tracker } = useProvided();
  const [story] = useState(() => logoutStory(end, tracker, words));
  const dialog = useRef<HTMLDialogElement | null>(null);
  const title = useRef<HTMLHeadingElement | null>(null);
  const id = useId();
  const proceed = () => {
    onClose();
    onContinue();
  };
  const [secondsLeft, stop] = useCountdown(countdownSeconds, proceed);

  // Before the dialog leaves the page, because only closing it gives the focus back to where the person was.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    // The heading, not a button: somebody in the middle of a sentence must not press it with the next space.
    title.current?.focus();
    return () => shown?.close();
  }, []);
  // A browser may close it without asking by `cancel`. A `close` that is late finds the dialog open again.
  const onClosed = () => {
    if (!dialog.current?.open) onClose();
  };

  const idle = story?.record?.idleMinutes ?? 0;
  return (
    <dialog
      ref={dialog as RefObject<HTMLDialogElement>}
      data-tenure="logout-notice"
      {...root}
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-body`}
      onClose={onClosed}
    >
      <h2 ref={title as RefObject<HTMLHeadingElement>} id={`${id}-title`} data-part="title" tabIndex={-1}>
        {words.noticeTitle}
      </h2>
      <div id={`${id}-body`}>
        <p>{story?.sentence}</p>
        {idle > 0 && <p>{words.noticeIdle(words.duration(idle * 60_000))}</p>}
        <p>{words.noticeKept}</p>
      </div>
      {story && (
        <details>
          <summary data-part="summary">{words.details}</summary>
          <Facts of={logoutFacts(story, words)} />
        </details>
      )}
      {secondsLeft !== null && (
        <p data-part="countdown">
          {words.noticeCountdown(words.duration(secondsLeft * 1000))}{" "}
          <Button onClick={stop}>{words.noticeStop}</Button>
        </p>
      )}
      <div data-part="actions">
        <Button look="primary" onClick={proceed}>
          {words.noticeContinue}
        </Button>
        <Button onClick={onClose}>{words.noticeStay}</Button>
      </div>
    </dialog>
  );
}

/** Seconds left, null without a countdown or once it is stopped. It stands still while nobody can see it. */
function useCountdown(from: number | undefined, done: () => void): [number | null, () => void] {
  const [left, setLeft] = useState(from ?? null);
  const running = left !== null && left > 0;
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => {
      if (!document.hidden) setLeft((before) => before && before - 1);
    }, 1000);
    return () => clearInterval(timer);
  }, [running]);
  useEffect(() => {
    if (left === 0) done();
  }, [left]);
  return [left, () => setLeft(null)];
}
