import { type JSX, useEffect, useState } from "react";
import { type LogoutStory, logoutFacts, logoutIcon, logoutStory } from "./logout-story.js";
import { useMessages } from "./messages.js";
import { Button, Facts, Icon, type RootProps } from "./parts.js";
import { useAuthState, useProvided } from "./provider.js";

export interface LogoutReasonBannerProps extends RootProps {
  /** After how long it closes by itself; null for never. It waits while it is pointed at, focused or unfolded. */
  closeAfterMs?: number | null | undefined;
  /** Called when the person closes it; give the focus a place to go. */
  onClose?: (() => void) | undefined;
}

/**
 * Says in a plain sentence why the person was signed out, with the details folded away. Its place stays in the page
 * while there is nothing to say, because a screen reader only tells what appears in a place it knows.
 */
export function LogoutReasonBanner(props: LogoutReasonBannerProps): JSX.Element {
  const { closeAfterMs = 30_000, onClose, ...root } = props;
  const { tracker, told } = useProvided();
  const words = useMessages();
  const state = useAuthState();
  const [story, setStory] = useState<LogoutStory | null>(null);
  const { held, hold, release } = useHolds();

  // In an effect, so that the text comes into a place that is there already.
  useEffect(() => {
    setStory(told.current === state ? null : logoutStory(state, tracker, words));
  }, [state, tracker, words, told]);

  const clear = () => {
    told.current = state;
    tracker?.clearLastReason();
    setStory(null);
    // What had the focus is gone, and goes without a word.
    release();
  };
  const open = story !== null;
  useEffect(() => {
    if (!open || held || closeAfterMs === null) return;
    const timer = setTimeout(clear, closeAfterMs);
    return () => clearTimeout(timer);
  }, [open, held, closeAfterMs, state]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only notices that somebody is reading.
    <div
      data-tenure="logout-reason-banner"
      data-open={open}
      {...root}
      onPointerEnter={() => hold("pointer", true)}
      onPointerLeave={() => hold("pointer", false)}
      onFocus={() => hold("focus", true)}
      onBlur={() => hold("focus", false)}
    >
      <div role="status" data-part="message">
        {story && (
          <>
            <Icon name={logoutIcon(story.reason)} />
            <p>
              <strong>{story.sentence}</strong>
              {story.reason !== "signed_out" && <> {words.signInAgain}</>}
            </p>
          </>
        )}
      </div>
      {story && (
        <>
          <Button
            look="bare"
            data-part="close"
            aria-label={words.close}
            onClick={() => {
              clear();
              onClose?.();
            }}
          >
            <Icon name="close" />
          </Button>
          <details onToggle={(event) => hold("details", event.currentTarget.open)}>
            <summary data-part="summary">{words.details}</summary>
            <Facts of={logoutFacts(story, words)} />
          </details>
        </>
      )}
    </div>
  );
}

type Hold = "pointer" | "focus" | "details";

/** Whether anything keeps the banner: each of the three counts by itself. */
function useHolds() {
  const [holds, setHolds] = useState<readonly Hold[]>([]);
  const hold = (what: Hold, on: boolean) =>
    setHolds((before) => [...before.filter((other) => other !== what), ...(on ? [what] : [])]);
  return { held: holds.length > 0, hold, release: () => setHolds([]) };
}
