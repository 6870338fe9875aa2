/** Everything that is written down: who did what, when, and from where. */

import { EVENT_KINDS } from "@tenure/client/api.gen.js";
import type { JSX } from "react";
import type { Query } from "../api.js";
import { useConsole } from "../context.js";
import { Choice, Field, Filters } from "../form.js";
import { EventList } from "../lists.js";
import { Heading, Section } from "../parts.js";
import { eventName } from "../words.js";

/** What fields hold is the time of this place, and what travels are Unix milliseconds. */
export const msOf = (local: string | undefined): number | undefined => {
  const ms = local ? Date.parse(local) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
};

export function AuditPage({ query }: { query: Readonly<Record<string, string>> }): JSX.Element {
  const { api } = useConsole();
  const { kind, user, session, subject, actor, cause, since, until } = query;
  const asked: Query = { kind, user, session, subject, actor, cause, since: msOf(since), until: msOf(until) };
  const exported = (format: string) => api.address("admin/events/export", { ...asked, format });
  return (
    <>
      <Heading title="Audit log" />
      <Section title="Events">
        <Filters
          page="audit"
          query={query}
          after={
            <>
              <a data-part="button" href={exported("ndjson")} download="events.ndjson">
                Export NDJSON
              </a>
              <a data-part="button" href={exported("csv")} download="events.csv">
                Export CSV
              </a>
            </>
          }
        >
          <Choice
            name="kind"
            label="What"
            options={[["", "Anything"], ...EVENT_KINDS.map((known) => [known, eventName(known)] as const)]}
            defaultValue={kind}
          />
          <Field name="user" label="User" placeholder="E-mail or usr_…" defaultValue={user} />
          <Field name="session" label="Session" placeholder="ses_…" defaultValue={session} />
          <Field name="subject" label="Subject" placeholder="Receipt, account, key" defaultValue={subject} />
          <Field name="actor" label="By" placeholder="E-mail or name" defaultValue={actor} />
          <Field name="cause" label="Cause" placeholder="admin_revoked" defaultValue={cause} />
          <Field name="since" label="From" type="datetime-local" defaultValue={since} />
          <Field name="until" label="To" type="datetime-local" defaultValue={until} />
        </Filters>
        <EventList query={asked} empty="Nothing that fits was written down." />
      </Section>
    </>
  );
}
