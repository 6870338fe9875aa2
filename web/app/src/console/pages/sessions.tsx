import type { JSX } from "react";
import { Choice, Field, Filters } from "../form.js";
import { SessionList } from "../lists.js";
import { Heading, Section } from "../parts.js";

const STATES = [
  ["live", "Live"],
  ["ended", "Ended"],
  ["all", "All"],
] as const;

export function SessionsPage({ query }: { query: Readonly<Record<string, string>> }): JSX.Element {
  const { user, state = "live" } = query;
  return (
    <>
      <Heading title="Sessions" />
      <Section title={STATES.find(([value]) => value === state)?.[1] ?? "Sessions"}>
        <Filters page="sessions" query={query}>
          <Choice name="state" label="State" options={STATES} defaultValue={state} />
          <Field name="user" label="User" placeholder="E-mail or usr_…" defaultValue={user} />
        </Filters>
        <SessionList query={{ user, state }} empty="There is no such session." />
      </Section>
    </>
  );
}
