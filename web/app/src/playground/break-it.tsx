/** The buttons that break something, and what came of the last one. */

import type { AuthState } from "@tenure/client";
import { useAuthState } from "@tenure/react";
import { reasonSentence, useMessages, type Words } from "@tenure/react/messages.js";
import { Button } from "@tenure/react/parts.js";
import { useTick } from "@tenure/react/time.js";
import { type JSX, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { type Break, burstEnded, groups, type Play } from "./breaks.js";
import type { Burst } from "./burst.js";

/** A break that was tried: what it is, and what is known of it by now. */
interface Trial {
  readonly told: Break;
  readonly result: string | null;
  /** The session before it, to see whether it is the same afterwards. */
  readonly session: string | undefined;
}

export function BreakIt({ play, burst }: { play: Play; burst: Burst | null }): JSX.Element {
  const state = useAuthState();
  const broken = useSyncExternalStore(play.breakage.subscribe, play.breakage.state);
  const [trial, setTrial] = useState<Trial | null>(
    () => burst && { ...burstEnded(burst), session: burst.session },
  );
  const [running, setRunning] = useState<string | null>(null);
  const isSignedIn = state.status === "signedIn";

  const attempt = async (told: Break) => {
    if (running) return;
    const session = isSignedIn ? state.session.id : undefined;
    const say = (result: string | null) => setTrial({ told, result, session });
    setRunning(told.id);
    play.breakage.forgetNext();
    say(null);
    say(await told.run(play, say));
    setRunning(null);
  };
  return (
    <section className="card break-it" aria-labelledby="break-title">
      <h2 data-part="title" id="break-title">
        Break it
      </h2>
      <TrialReport trial={trial} state={state} play={play} />
      {groups(broken).map(({ title, breaks }) => (
        <div key={title}>
          <h3>{title}</h3>
          <div className="buttons">
            {breaks.map((one) => (
              <Button
                key={one.id}
                busy={running === one.id}
                disabled={!isSignedIn && one.id !== "online"}
                aria-label={accessibleName(title, one)}
                onClick={() => void attempt(one)}
              >
                {one.label}
              </Button>
            ))}
          </div>
        </div>
      ))}
    </section>
  );
}

/** A status alone does not say who is answered with it, nor a name what it is of. */
function accessibleName(title: string, { label }: Break): string | undefined {
  return /(with|plan)$/.test(title) ? `${label}: ${title} ${label}` : undefined;
}

function TrialReport(props: { trial: Trial | null; state: AuthState; play: Play }): JSX.Element {
  const { trial, state, play } = props;
  const words = useMessages();
  const place = useRef<HTMLDivElement | null>(null);
  const told = trial?.told;
  useTick(state.status === "signedIn" && state.trouble ? 1000 : null);
  useEffect(() => {
    // On a phone the buttons are further down than what is told about them.
    if (told) place.current?.scrollIntoView({ block: "nearest" });
  }, [told]);
  return (
    <div className="trial" ref={place}>
      <div role="status">
        {trial ? (
          <>
            <p>{trial.told.did}</p>
            <p data-part="help">{trial.told.expect}</p>
            <p>{trial.result ?? "…"}</p>
          </>
        ) : (
          <p>
            {state.status === "signedOut" && "Sign in first. "}Each button breaks something between this page
            and the server. Press one, and see what becomes of the session.
          </p>
        )}
      </div>
      {trial && <Verdict {...{ trial, state, words }} wallNow={play.breakage.edges.wallNow()} />}
    </div>
  );
}

interface VerdictProps {
  readonly trial: Trial;
  readonly state: AuthState;
  readonly words: Words;
  readonly wallNow: number;
}

/** Whether you are still signed in, as of now. */
function Verdict({ trial, state, words, wallNow }: VerdictProps): JSX.Element {
  switch (state.status) {
    case "unknown":
      return <p className="verdict">Not known yet…</p>;
    case "signedOut":
      return (
        <p className="verdict" data-look-state="out">
          <strong>You are signed out.</strong> The reason: “{reasonSentence(words, state.reason)}”{" "}
          {state.receipt && <>Receipt: {state.receipt}</>}
        </p>
      );
    case "signedIn":
      return (
        <p className="verdict" data-look-state={state.freshness === "live" ? "good" : "waiting"}>
          <strong>You are still signed in</strong>
          {trial.session === state.session.id && ", and it is the same session"}.
          {state.trouble && (
            <> The client keeps trying; next in {words.duration(state.trouble.nextAttemptAt - wallNow)}.</>
          )}
        </p>
      );
  }
}
