/** What browsers reported of sign-outs: evidence, and proof of nothing. */

import type { ReportGroup, ReportRecord, ReportRecords, ReportStats } from "@tenure/client/api.gen.js";
import { type JSX, useMemo } from "react";
import { Choice, Field, Filters } from "../form.js";
import { after, useList, useLoad } from "../load.js";
import { Awaited, Heading, IdLink, Moment, Section } from "../parts.js";
import { type Column, List, Table } from "../table.js";
import { count, duration, REPORT_KINDS, readable, reasonName } from "../words.js";

const HOUR_MS = 3_600_000;
const SPANS = [
  ["1", "The last hour"],
  ["24", "The last day"],
  ["168", "The last 7 days"],
  ["720", "The last 30 days"],
] as const;

export function ReportsPage({ query }: { query: Readonly<Record<string, string>> }): JSX.Element {
  const { kind, session, hours = "168" } = query;
  // To the minute, or each look would ask for something else.
  const since = useMemo(
    () => Math.floor(Date.now() / 60_000) * 60_000 - (Number(hours) || 168) * HOUR_MS,
    [hours],
  );
  const list = useList(
    "admin/client-reports",
    { since, kind, session },
    ({ reports, next }: ReportRecords) => ({
      rows: reports,
      next: after(next),
    }),
  );
  const stats = useLoad<ReportStats>("admin/client-reports/stats", { since });
  return (
    <>
      <Heading title="Client reports" />
      <Section title="In numbers">
        <Awaited of={stats} ready={stats.data !== null}>
          {stats.data && <Numbers of={stats.data} />}
        </Awaited>
      </Section>
      <Section title="Reports">
        <Filters page="reports" query={query}>
          <Choice name="hours" label="Time" options={SPANS} defaultValue={hours} />
          <Choice
            name="kind"
            label="Type"
            options={[["", "Any"], ...REPORT_KINDS.map((known) => [known, kindName(known)] as const)]}
            defaultValue={kind}
          />
          <Field name="session" label="Session" placeholder="ses_…" defaultValue={session} />
        </Filters>
        <List
          caption="Client reports"
          of={list}
          columns={COLUMNS}
          keyOf={({ number }) => number}
          empty="No browser has reported a sign-out."
        />
      </Section>
    </>
  );
}

const kindName = (kind: string) => readable(kind.toLowerCase());

const COLUMNS: readonly Column<ReportRecord>[] = [
  { name: "Received", cell: ({ received_at }) => <Moment at={received_at} /> },
  {
    name: "Type",
    cell: ({ type, reason }) => (
      <span className="two">
        <span>{kindName(type)}</span>
        {reason && <code>{reason}</code>}
      </span>
    ),
  },
  {
    name: "Session",
    cell: ({ verified_session: verified, claimed_session: claimed }) => {
      if (verified) return <IdLink page="session" id={verified} />;
      if (!claimed) return null;
      return (
        <span className="two">
          <IdLink page="session" id={claimed} />
          <span>by its own account</span>
        </span>
      );
    },
  },
  { name: "Idle", cell: ({ idle_ms }) => (typeof idle_ms === "number" ? duration(idle_ms) : "–") },
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
