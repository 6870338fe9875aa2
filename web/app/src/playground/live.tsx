/** The session as it lives: who, how fresh, how long, and what it took. */

import type { AuthState, SignedInState } from "@tenure/client";
import { LogoutReasonBanner, useAuthState } from "@tenure/react";
import { useMessages, type Words } from "@tenure/react/messages.js";
import { Button, Facts } from "@tenure/react/parts.js";
import { useTick } from "@tenure/react/time.js";
import { type JSX, useState, useSyncExternalStore } from "react";
import type { DevUser } from "../config.js";
import { locale } from "../session.js";
import type { Play } from "./breaks.js";
import type { TabCounter } from "./tabs.js";

const clock = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

export function LiveSession(props: { play: Play; tabs: TabCounter; devUser: DevUser | null }): JSX.Element {
  const { play, tabs, devUser } = props;
  const state = useAuthState();
  return (
    <section className="card" id="session" aria-labelledby="session-title">
      <div className="title-row">
        <h2 data-part="title" id="session-title">
          The session
        </h2>
        <StateChip state={state} />
      </div>
      <LogoutReasonBanner closeAfterMs={null} />
      {state.status === "signedIn" && <Term state={state} now={() => play.client.serverNow()} />}
      {state.status === "signedOut" && <SignInHere play={play} devUser={devUser} />}
      <LiveFacts play={play} tabs={tabs} state={state} />
    </section>
  );
}

function StateChip({ state }: { state: AuthState }): JSX.Element {
  const { look, text } = chipOf(state);
  return (
    <p className="chip" data-look-state={look}>
      {text}
    </p>
  );
}

function chipOf(state: AuthState): { look: "good" | "waiting" | "out"; text: string } {
  switch (state.status) {
    case "unknown":
      return { look: "waiting", text: "asking the server…" };
    case "signedOut":
      return { look: "out", text: "signed out" };
    case "signedIn":
      return { look: state.freshness === "live" ? "good" : "waiting", text: `signed in, ${state.freshness}` };
  }
}

/** Where in its term the session is. */
function Term({ state, now }: { state: SignedInState; now: () => number }): JSX.Element {
  const words = useMessages();
  useTick(1000);
  const { createdAt, expiresAt, remembered } = state.session;
  const total = expiresAt - createdAt;
  const gone = Math.min(total, Math.max(0, now() - createdAt));
  return (
    <div className="term">
      <label htmlFor="term">
        {remembered ? "Remembered" : "Not remembered"}: {words.duration(expiresAt - now())} left of{" "}
        {words.duration(total)}
      </label>
      <progress id="term" max={total} value={gone} />
      <p data-part="help">
        From {words.moment(createdAt)} to {words.moment(expiresAt)}, idle or busy.
      </p>
    </div>
  );
}

function SignInHere({ play, devUser }: { play: Play; devUser: DevUser | null }): JSX.Element {
  const words = useMessages();
  const [pending, setPending] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const signIn = async (user: DevUser) => {
    if (pending) return;
    setPending(true);
    const { error } = await play.client.signIn.password({ ...user, rememberMe: true });
    setPending(false);
    setFailed(error && words.sentence(error));
  };
  return (
    <div className="sign-in-here">
      <p role="alert">{failed}</p>
      <p data-part="actions">
        {devUser && (
          <Button look="primary" busy={pending} onClick={() => void signIn(devUser)}>
            Sign in as {devUser.email}
          </Button>
        )}
        <a data-part="button" href="sign-in?return_to=/">
          Go to the sign-in page
        </a>
      </p>
    </div>
  );
}

function LiveFacts(props: { play: Play; tabs: TabCounter; state: AuthState }): JSX.Element {
  const { play, tabs, state } = props;
  const words = useMessages();
  useTick(1000);
  const { jumpedMs } = useSyncExternalStore(play.breakage.subscribe, play.breakage.state);
  const alive = useSyncExternalStore(tabs.subscribe, tabs.count);
  const seen = play.client.inspect();
  const left = (ms: number | null) =>
    ms === null ? "none" : ms > 0 ? `${words.duration(ms)} left` : "expired";
  return (
    <Facts
      of={[
        ["Who", state.status === "signedIn" ? `${state.user.name} (${state.user.email})` : "nobody"],
        ["Trouble", troubleIn(state, play.breakage.edges.wallNow(), words)],
        ["Access token", left(seen.accessExpiresInMs)],
        ["Session", left(seen.sessionExpiresInMs)],
        [
          "Server's clock",
          seen.clockOffsetMs === null ? "not known yet" : clock.format(play.client.serverNow()),
        ],
        ["This device's", `${clock.format(play.breakage.edges.wallNow())}${jumped(jumpedMs)}`],
        ["Refreshes sent", `${seen.refreshesSent} by this tab`],
        ["From other tabs", `${seen.tokensFromTabs} ${seen.tokensFromTabs === 1 ? "token" : "tokens"}`],
        ["Tabs alive", alive === null ? "cannot be counted here" : String(alive)],
        ["This browser has", browserHas(seen)],
      ]}
    />
  );
}

function troubleIn(state: AuthState, wallNow: number, words: Words): string | undefined {
  const trouble = state.status === "signedOut" ? undefined : state.trouble;
  if (!trouble) return undefined;
  const next = words.duration(trouble.nextAttemptAt - wallNow);
  return `${trouble.error.code}; attempt ${trouble.failures} failed, next in ${next}`;
}

function jumped(ms: number): string {
  const days = Math.round(ms / 86_400_000);
  return days === 0 ? "" : ` (set ${Math.abs(days)} d ${days > 0 ? "ahead" : "back"})`;
}

function browserHas(seen: { locks: boolean; channel: string; storage: boolean }): string {
  const channel = seen.channel === "none" ? "no channel between tabs" : `channel (${seen.channel})`;
  return `${seen.locks ? "locks" : "no locks"}, ${channel}, ${seen.storage ? "storage" : "no storage"}`;
}
