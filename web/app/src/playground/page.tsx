/** The playground: the session as it lives, and buttons that try to end it. */

import { AuthDebugPanel, LogoutNotice, UserButton } from "@tenure/react";
import { useMessages } from "@tenure/react/messages.js";
import type { JSX } from "react";
import type { PageConfig } from "../config.js";
import { BreakIt } from "./break-it.js";
import type { Play } from "./breaks.js";
import type { Burst } from "./burst.js";
import { Entitled } from "./entitled.js";
import { LiveSession } from "./live.js";
import { Events, Requests } from "./logs.js";
import type { TabCounter } from "./tabs.js";

export interface PlaygroundProps {
  readonly play: Play;
  readonly tabs: TabCounter;
  readonly config: PageConfig;
  /** The reloads that led here. */
  readonly burst: Burst | null;
}

export function PlaygroundPage({ play, tabs, config, burst }: PlaygroundProps): JSX.Element {
  const words = useMessages();
  const lifetime = words.duration(config.remembered_lifetime * 1000);
  return (
    <>
      <header className="masthead">
        <p className="brand">Tenure</p>
        <nav aria-label="Pages">
          <a href="account">Account</a>
          <a href="sign-in?return_to=/">Sign-in page</a>
          <a href="api/docs">API</a>
          <UserButton accountHref="account" />
        </nav>
      </header>
      <main id="main" className="playground" tabIndex={-1} data-tenure="page">
        <div className="promise">
          <h1>Try to get signed out</h1>
          <p>
            Sign in once with “remember me”, and this browser stays signed in for <strong>{lifetime}</strong>,
            through bad networks, wrong clocks, crashes and reloads; it ends sooner only for a reason that you
            are told.
          </p>
        </div>
        <LiveSession play={play} tabs={tabs} devUser={config.dev_user} />
        <Entitled />
        <BreakIt play={play} burst={burst} />
        <Events log={play.events} />
        <Requests breakage={play.breakage} />
      </main>
      <LogoutNotice onContinue={() => document.getElementById("session")?.scrollIntoView()} />
      <AuthDebugPanel enabled />
    </>
  );
}
