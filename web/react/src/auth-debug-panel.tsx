import type { AuthState, Inspection } from "@tenure/client";
import { type JSX, useEffect, useRef, useState } from "react";
import { useMessages, type Words } from "./messages.js";
import { Button, Facts, Icon, type RootProps } from "./parts.js";
import { useAuthState, useProvided } from "./provider.js";
import { redacted } from "./redact.js";
import { useTick } from "./time.js";

export interface AuthDebugPanelProps extends RootProps {
  /** Shows it in production too. By default it is there in development only. */
  enabled?: boolean | undefined;
  /** Whether it starts unfolded. */
  defaultOpen?: boolean | undefined;
}

// Put there by the bundler; a browser has none.
declare const process: { env: { NODE_ENV?: string } };

const REFRESH_MS = 5000;
const SIGN_OUTS_SHOWN = 5;

/** The session as the client sees it, for developers: a corner button, or Ctrl+Shift+D. It holds no token. */
export function AuthDebugPanel(props: AuthDebugPanelProps): JSX.Element | null {
  const { enabled = isDevelopment(), ...rest } = props;
  return enabled ? <Panel {...rest} /> : null;
}

/** Bundlers put the name in; where nothing has, it is production. */
function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV !== "production";
  } catch {
    return false;
  }
}

function Panel({ defaultOpen = false, ...root }: Omit<AuthDebugPanelProps, "enabled">): JSX.Element {
  const [open, setOpen] = useState(defaultOpen);
  const toggle = useRef<HTMLButtonElement | null>(null);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (!event.ctrlKey || !event.shiftKey || event.code !== "KeyD") return;
      event.preventDefault();
      setOpen((before) => !before);
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  // Developers read English; only times follow the catalogue.
  return (
    <aside data-tenure="auth-debug-panel" data-open={open} aria-label="Auth debug panel" {...root}>
      <Button
        buttonRef={toggle}
        look="bare"
        data-part="toggle"
        aria-expanded={open}
        aria-label="Auth debug panel"
        title="Ctrl+Shift+D"
        onClick={() => setOpen(!open)}
      >
        <Icon name={open ? "close" : "search"} />
      </Button>
      {open && <Contents />}
    </aside>
  );
}

function Contents(): JSX.Element {
  const { client, tracker } = useProvided();
  const words = useMessages();
  const state = useAuthState();
  useTick(REFRESH_MS);
  const seen = client.inspect();
  const signOuts = tracker?.history().slice(0, SIGN_OUTS_SHOWN);
  const log = () => {
    const full = { ...seen, idleMinutes: tracker?.idleMinutes(), signOuts: tracker?.history() };
    console.log("[tenure] auth state", redacted(full));
  };
  return (
    <div data-part="contents">
      <h2>Auth status</h2>
      <Facts of={statusFacts(state, words)} />
      <h2>Tokens</h2>
      <Facts of={tokenFacts(seen, words)} />
      <h2>Recent sign-outs{signOuts && ` (${signOuts.length})`}</h2>
      {!signOuts && <p data-part="help">Give the provider a tracker to see them.</p>}
      <ul data-part="sign-outs">
        {signOuts?.map((record) => (
          <li key={`${record.timestamp} ${record.type}`}>
            <strong>{record.type}</strong> {words.ago(Date.now() - record.timestamp)}
            <p>{record.message}</p>
            <p data-part="help">Idle: {words.duration(record.idleMinutes * 60_000)}</p>
          </li>
        ))}
      </ul>
      <Button onClick={log}>Log full state to console</Button>
    </div>
  );
}

type FactList = [string, string | undefined][];

function tokenFacts(seen: Inspection, words: Words): FactList {
  const left = (ms: number | null) =>
    ms === null ? "none" : ms > 0 ? `${words.duration(ms)} left` : "expired";
  const has = (present: boolean) => (present ? "yes" : "no");
  const { clockOffsetMs: offset, locks, channel, storage } = seen;
  return [
    ["Access token", left(seen.accessExpiresInMs)],
    [
      "Refresh token",
      seen.state.status === "signedIn" ? "in a cookie that no script can read" : "none known",
    ],
    ["Session", left(seen.sessionExpiresInMs)],
    ["Refreshes sent by this tab", String(seen.refreshesSent)],
    ["Tokens from other tabs", String(seen.tokensFromTabs)],
    ["Server's clock less ours", offset === null ? "not known" : `${Math.round(offset)} ms`],
    ["Browser", `locks ${has(locks)}, channel ${channel}, storage ${has(storage)}`],
  ];
}

function statusFacts(state: AuthState, words: Words): FactList {
  const trouble = state.status === "signedOut" ? undefined : state.trouble;
  const facts: FactList = [
    ["Status", state.status],
    [
      "Trouble",
      trouble && `${trouble.error.code}, ${trouble.failures} times since ${words.moment(trouble.since)}`,
    ],
  ];
  if (state.status === "signedIn") {
    const { user, session, freshness } = state;
    facts.push(["Freshness", freshness], ["User", user.id], ["E-mail", user.email], ["Role", user.role]);
    facts.push(["Session", session.id], ["Remembered", session.remembered ? "yes" : "no"]);
  } else if (state.status === "signedOut") {
    facts.push(["Reason", state.reason], ["Receipt", state.receipt], ["Session", state.sessionId]);
  }
  return facts;
}
