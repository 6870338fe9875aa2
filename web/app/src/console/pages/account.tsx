/** One account: its status and plan, who belongs to it, and its keys. */

import { ACCOUNT_STATUSES, type AccountRecord, type PlanRecords } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Choice, Field, textOf } from "../form.js";
import { ActList, UserList } from "../lists.js";
import { useLoad } from "../load.js";
import { Awaited, Heading, Link, Moment, Section, Terms } from "../parts.js";
import { AccountStatus } from "./accounts.js";
import { ApiKeyList } from "./api-keys.js";

export function AccountPage({ id }: { id: string }): JSX.Element {
  const { can, say } = useConsole();
  const account = useLoad<AccountRecord>(`admin/accounts/${encodeURIComponent(id)}`);
  const [changing, setChanging] = useState(false);
  const [acts, setActs] = useState(0);
  const { data } = account;
  return (
    <>
      <Heading title={data?.name ?? "Account"} above={<Link page="accounts">Accounts</Link>}>
        {data && can("admin.accounts") && (
          <Button onClick={() => setChanging(true)}>Change status or plan</Button>
        )}
      </Heading>
      <Awaited of={account} ready={data !== null}>
        {data && (
          <>
            <Section title="Account" aside={<AccountStatus account={data} />}>
              <Terms
                of={{
                  Plan: data.plan ? <Link page="plans">{data.plan}</Link> : "None",
                  "At Stripe": data.stripe_customer,
                  "Operator's own": data.is_system && "Yes: it passes by account and plan",
                  Since: <Moment at={data.created_at} />,
                  Id: <code className="id">{data.id}</code>,
                }}
              />
            </Section>
            <Section title="Users">
              <UserList query={{ account: id }} empty="Nobody belongs to it." />
            </Section>
            <Section title="API keys">
              <ApiKeyList query={{ account: id }} />
            </Section>
            <Section title="What administrators did">
              <ActList key={acts} subject={id} />
            </Section>
          </>
        )}
      </Awaited>
      {changing && data && (
        <ChangeAccount
          account={data}
          onDone={() => {
            setChanging(false);
            setActs((before) => before + 1);
            say(`${data.name} is changed.`);
            account.reload();
          }}
          onClose={() => setChanging(false)}
        />
      )}
    </>
  );
}

function ChangeAccount(props: {
  account: AccountRecord;
  onDone: () => void;
  onClose: () => void;
}): JSX.Element {
  const { api } = useConsole();
  const { account } = props;
  const plans = useLoad<PlanRecords>("admin/plans");
  return (
    <ActDialog<unknown>
      title={`Change ${account.name}`}
      confirm="Change"
      send={(values, reason) =>
        api.send("PATCH", `admin/accounts/${encodeURIComponent(account.id)}`, {
          name: textOf(values, "name"),
          status: textOf(values, "status"),
          ...(plans.data && { plan: textOf(values, "plan") || null }),
          stripe_customer: textOf(values, "stripe_customer") || null,
          reason,
        })
      }
      onDone={props.onDone}
      onClose={props.onClose}
    >
      <p>It holds from the next request of its members on. Nobody is signed out.</p>
      <Field name="name" label="Name" defaultValue={account.name} autoCapitalize="words" required />
      <Choice name="status" label="Status" options={ACCOUNT_STATUSES} defaultValue={account.status} />
      {/* Until the plans are there its plan cannot be chosen, and stays. */}
      <Choice
        key={plans.data ? "plans" : "no plans"}
        name="plan"
        label="Plan"
        options={
          plans.data
            ? [["", "None"], ...plans.data.plans.map(({ slug, name }) => [slug, name] as const)]
            : [["", "Reading…"]]
        }
        defaultValue={account.plan ?? ""}
      />
      <Field
        name="stripe_customer"
        label="Customer at Stripe"
        placeholder="cus_…"
        defaultValue={account.stripe_customer ?? ""}
      />
    </ActDialog>
  );
}
