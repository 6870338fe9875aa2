/** How it goes, and how it went in the last day. */

import type { Overview, OverviewHour } from "@tenure/client/api.gen.js";
import { ERROR_CLASS, type ErrorCode } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import type { JSX, ReactNode } from "react";
import { Bars, type Series } from "../charts.js";
import { useLoad } from "../load.js";
import { Awaited, Chip, Heading, Link, Section } from "../parts.js";
import { Table } from "../table.js";
import { count, reasonName, share } from "../words.js";

const HOURS = 24;

export function OverviewPage(): JSX.Element {
  const overview = useLoad<Overview>("admin/overview", { hours: HOURS });
  return (
    <>
      <Heading title="Overview">
        <Button onClick={overview.reload}>Read again</Button>
      </Heading>
      <Awaited of={overview} ready={overview.data !== null}>
        {overview.data && <Day of={overview.data} />}
      </Awaited>
    </>
  );
}

function Day({ of }: { of: Overview }): JSX.Element {
  const { hours } = of;
  const at = hours.map((hour) => hour.at);
  const refreshes = refreshesOf(hours);
  const total = (of: keyof OverviewHour["sign_ins"]) =>
    hours.reduce((sum, hour) => sum + hour.sign_ins[of], 0);
  const ends = sumOf(hours, (hour) => hour.ends);
  return (
    <>
      <div className="numbers">
        <Unexplained ends={of.unexplained_ends} claimed={of.unexplained_claimed ?? 0} />
        <Big name="Active sessions" value={count(of.sessions_active)}>
          {count(of.sessions_remembered)} of them remembered
        </Big>
        <Big
          name="Refreshes served"
          value={refreshes.asked > 0 ? share(refreshes.served, refreshes.asked) : "–"}
        >
          of {count(refreshes.asked)} from live sessions
        </Big>
        <Big name="Sign-ins" value={count(total("ok"))}>
          {count(total("failed"))} failed, {count(total("throttled"))} throttled
        </Big>
      </div>
      <p data-part="help">Of the last {HOURS} hours, but for what is active now.</p>
      <div className="charts">
        <Bars title="Sign-ins" hours={at} series={signInSeries(hours)} />
        <Bars title="Refreshes" hours={at} series={refreshSeries(hours)} />
        <Bars title="Ends" hours={at} series={endSeries(hours)} />
        <Section title="Why sessions ended">
          <Ends ends={ends} />
        </Section>
      </div>
    </>
  );
}

/** Anybody may claim one who knows a session's name, so that only those that came with its token are bad news. */
function Unexplained({ ends, claimed }: { ends: number; claimed: number }): JSX.Element {
  return (
    <div className="number" data-look={ends > 0 ? "out" : "good"}>
      <span>Unexplained ends</span>
      <strong>{count(ends)}</strong>
      {claimed > 0 && <span data-part="help">and {count(claimed)} claimed, not verified</span>}
      {ends + claimed > 0 ? (
        <Link page="reports" query={{ verdict: "unexplained", hours: String(HOURS) }}>
          See which, and why
        </Link>
      ) : (
        <Chip look="good">Every end has a cause</Chip>
      )}
    </div>
  );
}

function Big({ name, value, children }: { name: string; value: string; children: ReactNode }): JSX.Element {
  return (
    <div className="number">
      <span>{name}</span>
      <strong>{value}</strong>
      <span data-part="help">{children}</span>
    </div>
  );
}

function Ends({ ends }: { ends: Readonly<Record<string, number>> }): JSX.Element {
  const rows = Object.entries(ends)
    .filter(([, amount]) => amount > 0)
    .sort(([, one], [, other]) => other - one);
  if (rows.length === 0) return <p data-part="help">No session has ended.</p>;
  return (
    <Table
      small
      caption="Ends by reason"
      columns={[
        {
          name: "Reason",
          cell: ([reason]) => (
            <Link page="audit" query={{ kind: "session_ended", cause: reason }}>
              {reasonName(reason)}
            </Link>
          ),
        },
        { name: "Ends", number: true, cell: ([, amount]) => count(amount) },
      ]}
      rows={rows}
      keyOf={([reason]) => reason}
    />
  );
}

const SERVED = ["rotated", "repeated", "rewound"];

/** Asked again at once, by a tab that was overtaken or a request that was too long under way: nobody went without. */
const AGAIN = ["refresh_superseded", "request_stale"];

/** Outcomes that are the server's fault, or the network's: the session lived, and got no token. */
const failedToServe = (outcome: string) =>
  ERROR_CLASS[outcome as ErrorCode] === "transport" && !AGAIN.includes(outcome);

/** Refreshes that were served, and those that had a right to be: whose session has ended has none. */
export function refreshesOf(hours: readonly OverviewHour[]): { served: number; asked: number } {
  let served = 0;
  let failed = 0;
  for (const [outcome, amount] of Object.entries(sumOf(hours, (hour) => hour.refresh))) {
    if (SERVED.includes(outcome)) served += amount;
    else if (failedToServe(outcome)) failed += amount;
  }
  return { served, asked: served + failed };
}

function sumOf(
  hours: readonly OverviewHour[],
  pick: (hour: OverviewHour) => Record<string, number>,
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const hour of hours) {
    for (const [name, amount] of Object.entries(pick(hour))) sums[name] = (sums[name] ?? 0) + amount;
  }
  return sums;
}

const signInSeries = (hours: readonly OverviewHour[]): Series[] => [
  { name: "Signed in", look: "good", values: hours.map(({ sign_ins }) => sign_ins.ok) },
  { name: "Failed", look: "waiting", values: hours.map(({ sign_ins }) => sign_ins.failed) },
  { name: "Throttled", look: "out", values: hours.map(({ sign_ins }) => sign_ins.throttled) },
];

function refreshSeries(hours: readonly OverviewHour[]): Series[] {
  const of = (is: (outcome: string) => boolean) =>
    hours.map(({ refresh }) =>
      Object.entries(refresh).reduce((sum, [outcome, amount]) => sum + (is(outcome) ? amount : 0), 0),
    );
  const served = (outcome: string) => SERVED.includes(outcome);
  return [
    { name: "Served", look: "good", values: of(served) },
    {
      name: "Nobody signed in any more",
      look: "quiet",
      values: of((outcome) => !served(outcome) && !failedToServe(outcome)),
    },
    { name: "Not served", look: "out", values: of(failedToServe) },
  ];
}

const endSeries = (hours: readonly OverviewHour[]): Series[] => [
  {
    name: "With a cause",
    look: "quiet",
    values: hours.map(({ ends }) => Object.values(ends).reduce((sum, n) => sum + n, 0)),
  },
  { name: "Unexplained", look: "out", values: hours.map(({ unexplained }) => unexplained) },
];
