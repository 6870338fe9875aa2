import type { SessionEntry } from "@tenure/client";
import { type JSX, type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import { useSessions, useSignOut } from "./hooks.js";
import { useMessages } from "./messages.js";
import { Button, type RootProps } from "./parts.js";
import { useClient } from "./provider.js";

export interface DeviceListProps extends RootProps {
  /** Stands for the heading; null leaves it out. */
  title?: ReactNode;
}

/** Where the person is signed in, newest first, with a way to end each sign-in but this one. */
export function DeviceList({ title, ...root }: DeviceListProps): JSX.Element {
  const words = useMessages();
  const { sessions, loading, error, refetch, end } = useSessions();
  const { signOut } = useSignOut();
  const [outcome, setOutcome] = useState<string | null>(null);
  const status = useRef<HTMLParagraphElement | null>(null);

  const report = (sentence: string) => {
    setOutcome(sentence);
    // What had the focus is gone or about to go.
    status.current?.focus();
  };
  const endOne = async (entry: SessionEntry) => {
    const { error: failed } = await end(entry.id);
    const gone = !failed || failed.code === "not_found";
    report(gone ? words.deviceEnded(entry.label) : words.sentence(failed));
  };
  const endOthers = async () => {
    const { error: failed } = await signOut({ scope: "others" });
    report(failed ? words.sentence(failed) : words.othersEnded);
    if (!failed) await refetch();
  };

  const news =
    outcome ??
    (sessions?.length === 0 ? words.devicesEmpty : !sessions && loading ? words.devicesLoading : null);
  return (
    <section data-tenure="device-list" aria-label={words.devices} aria-busy={loading} {...root}>
      {title === undefined ? <h2 data-part="title">{words.devices}</h2> : title}
      <p ref={status as RefObject<HTMLParagraphElement>} role="status" data-part="outcome" tabIndex={-1}>
        {news}
      </p>
      {error && (
        <div role="alert" data-part="failure">
          <p>
            {words.devicesFailed} {words.sentence(error)}
          </p>
          <Button busy={loading} onClick={() => void refetch()}>
            {words.retry}
          </Button>
        </div>
      )}
      <ul data-part="devices">
        {sessions?.map((entry) => (
          <Device key={entry.id} entry={entry} onEnd={() => endOne(entry)} />
        ))}
      </ul>
      {sessions && sessions.length > 1 && (
        <Confirmed
          label={words.othersEnd}
          question={words.othersEndQuestion}
          yes={words.othersEndYes}
          act={endOthers}
        />
      )}
    </section>
  );
}

function Device({ entry, onEnd }: { entry: SessionEntry; onEnd: () => Promise<void> }): JSX.Element {
  const words = useMessages();
  const now = useClient().serverNow();
  return (
    <li data-part="device" data-current={entry.current}>
      <div>
        <p data-part="device-name">
          {entry.label} {entry.current && <span data-part="badge">{words.deviceCurrent}</span>}
        </p>
        <ul data-part="device-facts">
          <li>{words.deviceLastUsed(words.ago(now - entry.lastUsedAt))}</li>
          {entry.address && <li>{words.deviceAddress(entry.address)}</li>}
          <li>{words.deviceSignedIn(words.moment(entry.createdAt))}</li>
          <li>{words.deviceEnds(words.duration(entry.expiresAt - now))}</li>
        </ul>
      </div>
      {!entry.current && (
        <Confirmed
          label={words.deviceEnd}
          describes={words.deviceEndLabel(entry.label)}
          question={words.deviceEndQuestion(entry.label)}
          yes={words.deviceEndYes}
          act={onEnd}
        />
      )}
    </li>
  );
}

interface ConfirmedProps {
  label: string;
  /** What a screen reader hears for `label`, where many of these share a page. */
  describes?: string;
  question: string;
  yes: string;
  act: () => Promise<void>;
}

/** A button that asks once more, in its own place. */
function Confirmed({ label, describes, question, yes, act }: ConfirmedProps): JSX.Element {
  const words = useMessages();
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const first = useRef<HTMLButtonElement | null>(null);
  const safe = useRef<HTMLButtonElement | null>(null);
  const asked = useRef(false);
  useEffect(() => {
    // The focus follows the question to its harmless answer, and back.
    if (asking) safe.current?.focus();
    else if (asked.current) first.current?.focus();
    asked.current = asking;
  }, [asking]);

  const confirm = async () => {
    if (busy) return;
    setBusy(true);
    try {
      await act();
    } finally {
      setBusy(false);
      asked.current = false;
      setAsking(false);
    }
  };
  if (!asking) {
    return (
      <Button buttonRef={first} aria-label={describes} onClick={() => setAsking(true)}>
        {label}
      </Button>
    );
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: nothing is filled in here, so it is no fieldset.
    <div
      role="group"
      aria-label={question}
      data-part="question"
      onKeyDown={(event) => event.key === "Escape" && setAsking(false)}
    >
      <p>{question}</p>
      <Button look="danger" busy={busy} onClick={() => void confirm()}>
        {yes}
      </Button>
      <Button buttonRef={safe} onClick={() => setAsking(false)}>
        {words.keep}
      </Button>
    </div>
  );
}
