import { ACCOUNT_STATUSES, type AccountRecord, type AccountRecords } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { STATUS } from "../../account-words.js";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Choice, Field, textOf } from "../form.js";
import { after, useList } from "../load.js";
import { Chip, Heading, Link, Moment, Section } from "../parts.js";
import { List } from "../table.js";

export function AccountStatus({ account: { status } }: { account: AccountRecord }): JSX.Element {
  const { text, look } = STATUS[status];
  return <Chip look={look}>{text}</Chip>;
}

export function AccountsPage(): JSX.Element {
  const { can } = useConsole();
  const [creating, setCreating] = useState(false);
  const list = useList("admin/accounts", {}, ({ accounts, next }: AccountRecords) => ({
    rows: accounts,
    next: after(next),
  }));
  return (
    <>
      <Heading title="Accounts">
        {can("admin.accounts") && <Button onClick={() => setCreating(true)}>Create an account</Button>}
      </Heading>
      <Section title="All accounts">
        <List
          caption="Accounts"
          of={list}
          keyOf={({ id }) => id}
          empty="There is no account yet."
          columns={[
            {
              name: "Account",
              cell: ({ id, name, is_system }) => (
                <span className="two">
                  <Link page="account" id={id}>
                    {name}
                  </Link>
                  {is_system && <span>Yours: belongs to whoever runs the service</span>}
                </span>
              ),
            },
            { name: "Status", cell: (account) => <AccountStatus account={account} /> },
            { name: "Plan", cell: ({ plan }) => plan ?? "None" },
            { name: "Since", cell: ({ created_at }) => <Moment at={created_at} /> },
          ]}
        />
      </Section>
      {creating && <CreateAccount onClose={() => setCreating(false)} />}
    </>
  );
}

function CreateAccount({ onClose }: { onClose: () => void }): JSX.Element {
  const { api, href, go, say } = useConsole();
  return (
    <ActDialog<AccountRecord>
      title="Create an account"
      confirm="Create"
      send={(values, reason) =>
        api.send("POST", "admin/accounts", {
          name: textOf(values, "name"),
          status: textOf(values, "status"),
          ...(textOf(values, "plan") && { plan: textOf(values, "plan") }),
          reason,
        })
      }
      onDone={({ id, name }) => {
        go(href("account", id));
        say(`${name} is there.`);
      }}
      onClose={onClose}
    >
      <Field name="name" label="Name" autoCapitalize="words" required />
      <Choice name="status" label="Status" options={ACCOUNT_STATUSES} defaultValue="active" />
      <Field name="plan" label="Plan" help="The plan's short name; empty for none." />
    </ActDialog>
  );
}
