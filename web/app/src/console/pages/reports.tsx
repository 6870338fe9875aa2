/** What browsers reported of sign-outs: evidence, and proof of nothing. */

import {
  type EventRecord,
  type EventRecords,
  REPORT_KINDS,
  type ReportGroup,
  type ReportRecord,
  type ReportRecords,
  type ReportStats,
} from "@tenure/client/api.gen.js";
import { type JSX, type ReactNode, useMemo } from "react";
import type { Query } from "../api.js";
import { Choice, Field, Filters } from "../form.js";
import { after, useList, useLoad } from "../load.js";
import { Awaited, Chip, Heading, IdLink, Moment, type People, Person, Section } from "../parts.js";
import { Tree } from "../receipt.js";
import { type Column, List, Table } from "../table.js";
import { count, duration, readable, reasonName } from "../words.js";

const HOUR_MS = 3_600_000;
const SPANS = [
  ["1", "The last hour"],
  ["24", "The last day"],
  ["168", "The last 7 days"],
  ["720", "The last 30 days"],
] as const;

export function ReportsPage({ query }: { query: Readonly<Record<string, string>> }): JSX.Element {
  const { kind, session, verdict, hours = "168" } = query;
  // To the minute, or each look would ask for something else.
  const since = useMemo(
    () => Math.floor(Date.now() / 60_000) * 60_000 - (Number(hours) || 168) * HOUR_MS,
    [hours],
  );
  const stats = useLoad<ReportStats>("admin/client-reports/stats", { since });
  const isAboutUnexplained = verdict === "unexplained";
  return (
    <>
      <Heading title="Client reports" told={isAboutUnexplained ? "unexplained" : undefined} />
      <Section title="In numbers">
        <Awaited of={stats} ready={stats.data !== null}>
          {stats.data && <Numbers of={stats.data} />}
        </Awaited>
      </Section>
      <Section title={isAboutUnexplained ? "Sign-outs that nothing explains" : "Reports"}>
        <Filters page="reports" query={query}>
          <Choice name="verdict" label="Verdict" options={VERDICTS} defaultValue={verdict} />
          <Choice name="hours" label="Time" options={SPANS} defaultValue={hours} />
          <Choice
            name="kind"
            label="Type"
            options={[["", "Any"], ...REPORT_KINDS.map((known) => [known, kindName(known)] as const)]}
            defaultValue={kind}
          />
          <Field name="session" label="Session" placeholder="ses_…" defaultValue={session} />
        </Filters>
        {isAboutUnexplained ? (
          <UnexplainedList query={{ since, cause: kind, session }} />
        ) : (
          <ReportList query={{ since, kind, session }} />
        )}
      </Section>
    </>
  );
}

const VERDICTS = [
  ["", "Any"],
  ["unexplained", "Unexplained"],
] as const;

function ReportList({ query }: { query: Query }): JSX.Element {
  const list = useList("admin/client-reports", query, ({ reports, next, people }: ReportRecords) => ({
    rows: reports.map((report) => reported(report, people)),
    next: after(next),
  }));
  return (
    <List
      caption="Client reports"
      of={list}
      columns={COLUMNS}
      keyOf={({ key }) => key}
      empty="No browser has reported a sign-out."
    />
  );
}

/** What was judged unexplained when it came, report by report; the overview counts a session once for each server that heard of it. */
function UnexplainedList({ query }: { query: Query }): JSX.Element {
  const asked = { kind: "unexplained_end", ...query };
  const list = useList("admin/events", asked, ({ events, before, people }: EventRecords) => ({
    rows: events.map((event) => unexplained(event, people)),
    next: before ? { before } : null,
  }));
  return (
    <List
      caption="Unexplained sign-outs"
      of={list}
      columns={[...COLUMNS.slice(0, 1), WORD, ...COLUMNS.slice(1)]}
      keyOf={({ key }) => key}
      empty="Every sign-out that was reported has a cause."
    />
  );
}

const kindName = (kind: string) => readable(kind.toLowerCase());

/** A row of either list. */
interface Reported {
  readonly key: string | number;
  readonly at: number;
  readonly type: string;
  readonly times: number;
  readonly reason: string | null;
  readonly session: string | null;
  /** Whose access token came with it; of what is only claimed nobody knows whose it is. */
  readonly user: string | null;
  readonly people: People;
  readonly idle: number | null;
  readonly browser: string | null;
  readonly release: string | null;
  /** What the browser said besides, and what it knew in that moment. */
  readonly details: Readonly<Record<string, unknown>>;
}

function reported(report: ReportRecord, people: People): Reported {
  const { message, location, receipt, client, evidence } = report;
  return {
    key: report.number,
    at: report.received_at,
    type: report.type,
    times: 1,
    reason: report.reason ?? null,
    session: report.verified_session ?? report.claimed_session ?? null,
    user: report.verified_user ?? null,
    people,
    idle: report.idle_ms ?? null,
    browser: report.browser,
    release: report.release ?? null,
    details: { message, location, receipt, client, ...evidence },
  };
}

/** An event has in its detail what the record keeps of a report. */
function unexplained(event: EventRecord, people: People): Reported {
  const detail = event.detail ?? {};
  const { reason, release, idle_ms: idle, location, client } = detail;
  return {
    key: event.id,
    at: event.at,
    type: event.cause ?? "UNKNOWN",
    times: event.count,
    reason: typeof reason === "string" ? reason : null,
    session: event.session ?? null,
    user: event.user ?? null,
    people,
    idle: typeof idle === "number" ? idle : null,
    browser: event.browser ?? null,
    release: typeof release === "string" ? release : null,
    details: { location, client },
  };
}

function Details({ of }: { of: Readonly<Record<string, unknown>> }): ReactNode {
  if (!Object.values(of).some((value) => value != null)) return null;
  return (
    <details>
      <summary data-part="summary">Details</summary>
      <Tree of={of} />
    </details>
  );
}

/** Whether it is known of whom the report is: what came with no token of the session anybody may have said. */
const WORD: Column<Reported> = {
  name: "Report",
  cell: ({ user }) => (user ? <Chip look="out">Verified</Chip> : <Chip look="waiting">Claimed</Chip>),
};

const COLUMNS: readonly Column<Reported>[] = [
  { name: "Received", cell: ({ at }) => <Moment at={at} exact /> },
  {
    name: "Type",
    cell: ({ type, times, reason, details }) => (
      <span className="two">
        <span>
          {kindName(type)}
          {times > 1 && ` (${count(times)} times)`}
        </span>
        {reason && <code>{reason}</code>}
        <Details of={details} />
      </span>
    ),
  },
  {
    name: "Session",
    cell: ({ session, user, people }) =>
      session && (
        <span className="two">
          <IdLink page="session" id={session} />
          {user ? <Person id={user} of={people} /> : <span>claimed, not verified</span>}
        </span>
      ),
  },
  { name: "Idle", cell: ({ idle }) => (idle === null ? "–" : duration(idle)) },
  {
    name: "Browser",
    cell: ({ browser, release }) => (
      <span className="two">
        <span>{browser}</span>
        {release && <span>release {release}</span>}
      </span>
    ),
  },
];

function Numbers({ of }: { of: ReportStats }): JSX.Element {
  if (of.total === 0) return <p data-part="help">No browser has reported a sign-out.</p>;
  return (
    <>
      <p>{of.total === 1 ? "One sign-out was reported." : `${count(of.total)} sign-outs were reported.`}</p>
      <div className="tallies">
        <Groups title="Type" of={of.by_type} total={of.total} say={kindName} />
        <Groups title="Reason" of={of.by_reason} total={of.total} say={reasonName} />
        <Groups title="Idle before" of={of.by_idle} total={of.total} say={readable} />
        <Groups title="Browser" of={of.by_browser} total={of.total} say={String} />
        <Groups title="Release" of={of.by_release} total={of.total} say={String} />
      </div>
    </>
  );
}

interface GroupsProps {
  title: string;
  of: readonly ReportGroup[];
  total: number;
  say: (group: string) => string;
}

function Groups({ title, of, total, say }: GroupsProps): JSX.Element {
  return (
    <Table
      small
      caption={`By ${title.toLowerCase()}`}
      columns={[
        {
          name: title,
          cell: (group) => (
            <span className="bar-behind">
              <span>{group.name ? say(group.name) : "Not said"}</span>
              <progress max={total} value={group.count} aria-hidden="true" />
            </span>
          ),
        },
        { name: "Reports", number: true, cell: (group) => count(group.count) },
      ]}
      rows={of}
      keyOf={(group) => String(group.name)}
    />
  );
}
