import { type JSX, useEffect, useState } from "react";
import { useMessages } from "./messages.js";
import type { RootProps } from "./parts.js";
import { useAuthState } from "./provider.js";

export interface ReconnectingNoticeProps extends RootProps {
  /** How long trouble lasts before it is worth a word, in milliseconds. */
  afterMs?: number | undefined;
}

/** A quiet line while the server cannot be reached. It needs no one to do anything, and goes by itself. */
export function ReconnectingNotice({ afterMs = 2000, ...root }: ReconnectingNoticeProps): JSX.Element {
  const words = useMessages();
  const state = useAuthState();
  const since = state.status === "signedOut" ? undefined : state.trouble?.since;
  const [shown, setShown] = useState(false);
  useEffect(() => {
    setShown(false);
    if (since === undefined) return;
    const timer = setTimeout(() => setShown(true), Math.max(0, since + afterMs - Date.now()));
    return () => clearTimeout(timer);
  }, [since, afterMs]);
  const sentence = state.status === "signedIn" ? words.reconnecting : words.connecting;
  return (
    <p role="status" data-tenure="reconnecting-notice" data-open={shown} {...root}>
      {shown && sentence}
    </p>
  );
}
