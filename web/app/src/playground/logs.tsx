/** What the client said and what it sent, newest first. */

import { type JSX, type ReactNode, useSyncExternalStore } from "react";
import type { Breakage, Exchange } from "./breakage.js";
import type { EventLog } from "./events.js";

export function Events({ log }: { log: EventLog }): JSX.Element {
  const entries = useSyncExternalStore(log.subscribe, log.entries);
  return (
    <Log id="events" title="Events" empty="Nothing has happened yet.">
      {entries.map(({ id, at, event, detail }) => (
        <li key={id}>
          <Clock at={at} /> <code>{event}</code> <span>{detail}</span>
        </li>
      ))}
    </Log>
  );
}

export function Requests({ breakage }: { breakage: Breakage }): JSX.Element {
  const { exchanges } = useSyncExternalStore(breakage.subscribe, breakage.state);
  return (
    <Log id="requests" title="Requests" empty="Nothing has been sent yet.">
      {exchanges.map((exchange) => (
        <li key={exchange.id}>
          <Clock at={exchange.at} />{" "}
          <code>
            {exchange.method} {exchange.path.replace(/^.*\/api\/v1\//, "")}
          </code>{" "}
          <span data-outcome={exchange.outcome}>{told(exchange)}</span>
        </li>
      ))}
    </Log>
  );
}

function Log(props: { id: string; title: string; empty: string; children: ReactNode[] }): JSX.Element {
  const { id, title, empty, children } = props;
  return (
    <section className="card" aria-labelledby={`${id}-title`}>
      <h2 data-part="title" id={`${id}-title`}>
        {title}
      </h2>
      {children.length === 0 && <p data-part="help">{empty}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard. */}
      <ol className="log" tabIndex={0} aria-label={title}>
        {children}
      </ol>
    </section>
  );
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

function Clock({ at }: { at: number }): JSX.Element {
  return <time dateTime={new Date(at).toISOString()}>{clock.format(at)}</time>;
}

function told({ outcome, status, code, tookMs }: Exchange): string {
  const answer = [status, code].filter(Boolean).join(" ");
  switch (outcome) {
    case "waiting":
      return "…";
    case "answered":
      return `${answer} (${tookMs} ms)`;
    case "staged":
      return `${answer} (made up by this page)`;
    case "lost":
      return `${answer} (answer thrown away)`;
    case "offline":
      return "not sent: offline";
    case "failed":
      return "no answer";
  }
}
