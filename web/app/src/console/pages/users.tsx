import { USER_ROLES, type UserRecord } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Choice, Field, Filters, textOf } from "../form.js";
import { UserList } from "../lists.js";
import { Heading, Section } from "../parts.js";

const ANY = ["", "Any"] as const;

export function UsersPage({ query }: { query: Readonly<Record<string, string>> }): JSX.Element {
  const { can } = useConsole();
  const [creating, setCreating] = useState(false);
  const { q, role, state, account } = query;
  return (
    <>
      <Heading title="Users">
        {can("admin.users") && <Button onClick={() => setCreating(true)}>Create a user</Button>}
      </Heading>
      <Section title="All users">
        <Filters page="users" query={query}>
          <Field name="q" label="Name or e-mail" type="search" defaultValue={q} />
          <Choice name="role" label="Role" options={[ANY, ...USER_ROLES]} defaultValue={role} />
          <Choice name="state" label="State" options={[ANY, "active", "disabled"]} defaultValue={state} />
          <Field name="account" label="Account" placeholder="acc_…" defaultValue={account} />
        </Filters>
        <UserList query={{ q, role, state, account }} empty="Nobody fits these filters." />
      </Section>
      {creating && <CreateUser onClose={() => setCreating(false)} />}
    </>
  );
}

function CreateUser({ onClose }: { onClose: () => void }): JSX.Element {
  const { api, href, go, say } = useConsole();
  return (
    <ActDialog<UserRecord>
      title="Create a user"
      confirm="Create"
      send={(values, reason) =>
        api.send("POST", "admin/users", {
          email: textOf(values, "email"),
          name: textOf(values, "name"),
          role: textOf(values, "role"),
          ...(textOf(values, "account_id") && { account_id: textOf(values, "account_id") }),
          reason,
        })
      }
      onDone={({ id, email }) => {
        go(href("user", id));
        say(`${email} is there. Make a link with which they choose their password.`);
      }}
      onClose={onClose}
    >
      <Field name="email" label="E-mail" type="email" required />
      <Field name="name" label="Name" autoCapitalize="words" required />
      <Choice name="role" label="Role" options={USER_ROLES} defaultValue="user" />
      <Field
        name="account_id"
        label="Account"
        placeholder="acc_…"
        help="Left empty, they get an account of their own."
      />
    </ActDialog>
  );
}
