/** One session: why it ended, or that it lives, and everything that is known of it. */

import type { AdminSession, AdminSessionEnd, MomentAnswer, Timeline } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Actor, SessionState } from "../lists.js";
import { useLoad } from "../load.js";
import {
  Awaited,
  Chip,
  Heading,
  Link,
  Linked,
  type Look,
  Moment,
  type People,
  Person,
  peopleOf,
  Section,
  shortId,
  Terms,
} from "../parts.js";
import { ReceiptSections } from "../receipt.js";
import { count, readable, reasonName } from "../words.js";

export function SessionPage({ id }: { id: string }): JSX.Element {
  const { can, say } = useConsole();
  const path = `admin/sessions/${encodeURIComponent(id)}`;
  const session = useLoad<AdminSession>(path);
  const story = useLoad<Timeline>(`${path}/timeline`);
  const [ending, setEnding] = useState(false);
  const { data } = session;
  const isLive = data && !data.end && data.expires_at > Date.now();
  return (
    <>
      <Heading
        title={data?.email === undefined ? "Session" : `Session of ${data.email ?? "a deleted user"}`}
        told={shortId(id)}
        above={<Link page="sessions">Sessions</Link>}
      >
        {isLive && can("admin.users") && <Button onClick={() => setEnding(true)}>End session</Button>}
      </Heading>
      <Awaited of={story} ready={story.data !== null}>
        {story.data && <Verdict of={story.data} />}
      </Awaited>
      <Awaited of={session} ready={data !== null}>
        {data && (
          <Section title="What is stored" aside={<SessionState session={data} />}>
            <Stored session={data} />
          </Section>
        )}
      </Awaited>
      {story.data && (
        <Section title={data?.end ? "Receipt" : "All that is known"}>
          <ReceiptSections receipt={story.data.receipt} spans={story.data.spans} />
        </Section>
      )}
      {story.data && (
        <Section title="What happened">
          <TimelineList entries={story.data.timeline} />
        </Section>
      )}
      {ending && data && (
        <EndSession
          session={data}
          onDone={() => {
            setEnding(false);
            say("The session has ended.");
            session.reload();
            story.reload();
          }}
          onClose={() => setEnding(false)}
        />
      )}
    </>
  );
}

function Verdict({ of: { verdict } }: { of: Timeline }): JSX.Element {
  const { cause, sentence, scenario } = verdict;
  const isUnexplained = cause === "unexplained";
  return (
    <section
      className="verdict"
      data-look-state={isUnexplained ? "out" : cause === "alive" ? "good" : "quiet"}
      aria-label="Verdict"
    >
      <p>
        <strong>{sentence}</strong>
      </p>
      {isUnexplained && (
        <p data-part="help">
          No end was written down: a front end signed this person out by itself
          {scenario && `, scenario ${scenario}`}.
        </p>
      )}
    </section>
  );
}

function Stored({ session }: { session: AdminSession }): JSX.Element {
  const { end, user, email } = session;
  return (
    <Terms
      of={{
        User: <Person id={user} of={peopleOf(user, email)} />,
        Kind: session.remembered ? "Remembered" : "Short: until the browser closes",
        Browser: session.browser,
        Address: session.address,
        "Signed in": <Moment at={session.created_at} exact />,
        "Last used": <Moment at={session.last_used_at} exact />,
        Refreshes: count(session.refresh_count),
        "Lasts until": <Moment at={session.expires_at} exact />,
        Ended: end && <Moment at={end.at} exact />,
        Reason: end && reasonName(end.reason),
        By: end && <Actor name={end.actor} people={enders(end)} />,
        Note: end?.note,
        Receipt: end && <code>{end.receipt}</code>,
        Id: <code className="id">{session.id}</code>,
      }}
    />
  );
}

/** Whoever ended it, if it was an administrator who is known by their id. */
const enders = ({ actor, actor_email: email }: AdminSessionEnd): People =>
  peopleOf(actor.replace(/^admin:/, ""), email);

const BY: Readonly<Record<string, readonly [Look, string]>> = {
  server: ["good", "The server wrote it down"],
  client: ["waiting", "A browser reported it"],
};
const CONCLUDED = ["quiet", "Concluded from the rest"] as const;

function TimelineList({ entries }: { entries: readonly MomentAnswer[] }): JSX.Element {
  if (entries.length === 0) return <p data-part="help">Nothing is known of it.</p>;
  return (
    <ol className="timeline">
      {entries.map(({ at, what, sentence, by }, index) => {
        const [look, says] = BY[by] ?? CONCLUDED;
        return (
          // Two things may happen in one moment, and the order is theirs.
          <li key={`${at} ${what} ${index}`} data-look-state={look}>
            <Moment at={at} exact />
            <span>
              <strong>{readable(what)}:</strong> <Linked text={sentence} />
            </span>
            <Chip look={look}>{says}</Chip>
          </li>
        );
      })}
    </ol>
  );
}

function EndSession(props: { session: AdminSession; onDone: () => void; onClose: () => void }): JSX.Element {
  const { api } = useConsole();
  return (
    <ActDialog<unknown>
      title="End this session"
      confirm="End session"
      look="danger"
      send={(_, reason) =>
        api.send("POST", `admin/sessions/${encodeURIComponent(props.session.id)}/end`, { reason })
      }
      onDone={props.onDone}
      onClose={props.onClose}
    >
      <p>
        This browser is signed out at its next request, and told that an administrator did it. Other sessions
        go on.
      </p>
    </ActDialog>
  );
}
