import type { ApiKeyRecord, ApiKeyRecords } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import type { Query } from "../api.js";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Field, Filters } from "../form.js";
import { after, useList } from "../load.js";
import { Chip, Heading, Id, IdLink, Moment, Section } from "../parts.js";
import { type Column, List } from "../table.js";

export function ApiKeysPage({ query }: { query: Readonly<Record<string, string>> }): JSX.Element {
  return (
    <>
      <Heading title="API keys" />
      <Section title="Keys of all accounts">
        <Filters page="apiKeys" query={query}>
          <Field name="account" label="Account" placeholder="acc_…" defaultValue={query.account} />
        </Filters>
        <ApiKeyList query={{ account: query.account }} />
      </Section>
    </>
  );
}

export function ApiKeyList({ query }: { query: Query }): JSX.Element {
  const { can, say } = useConsole();
  const [revoking, setRevoking] = useState<ApiKeyRecord | null>(null);
  const list = useList("admin/api-keys", query, ({ api_keys, next }: ApiKeyRecords) => ({
    rows: api_keys,
    next: after(next),
  }));
  const columns: Column<ApiKeyRecord>[] = [
    {
      name: "Key",
      cell: ({ id, name }) => (
        <span className="two">
          <strong>{name}</strong>
          <Id of={id} />
        </span>
      ),
    },
    { name: "State", cell: (key) => <KeyState of={key} /> },
    { name: "Scopes", cell: ({ scopes }) => scopes.join(", ") || "None" },
    {
      name: "Last used",
      cell: ({ last_used_at }) => (last_used_at ? <Moment at={last_used_at} /> : "Never"),
    },
  ];
  if (!query.account)
    columns.splice(1, 0, { name: "Account", cell: ({ account }) => <IdLink page="account" id={account} /> });
  if (can("admin.accounts")) {
    columns.push({
      name: "Act",
      cell: (key) =>
        !key.revoked_at && (
          <Button aria-label={`Revoke ${key.name}`} onClick={() => setRevoking(key)}>
            Revoke
          </Button>
        ),
    });
  }
  return (
    <>
      <List caption="API keys" of={list} columns={columns} keyOf={({ id }) => id} empty="There is no key." />
      {revoking && (
        <RevokeKey
          of={revoking}
          onDone={() => {
            say(`The key ${revoking.name} is revoked.`);
            setRevoking(null);
            list.reload();
          }}
          onClose={() => setRevoking(null)}
        />
      )}
    </>
  );
}

function KeyState({ of: { revoked_at, expires_at, retires_at } }: { of: ApiKeyRecord }): JSX.Element {
  const now = Date.now();
  if (revoked_at) return <Chip look="out">Revoked</Chip>;
  if (expires_at && expires_at <= now) return <Chip look="out">Expired</Chip>;
  if (retires_at && retires_at <= now) return <Chip look="out">Replaced</Chip>;
  const until = Math.min(expires_at ?? Number.POSITIVE_INFINITY, retires_at ?? Number.POSITIVE_INFINITY);
  return (
    <span className="two">
      <Chip look="good">Opens</Chip>
      {Number.isFinite(until) && (
        <span>
          until <Moment at={until} />
        </span>
      )}
    </span>
  );
}

function RevokeKey(props: { of: ApiKeyRecord; onDone: () => void; onClose: () => void }): JSX.Element {
  const { api } = useConsole();
  return (
    <ActDialog<unknown>
      title={`Revoke the key ${props.of.name}`}
      confirm="Revoke"
      look="danger"
      send={(_, reason) =>
        api.send("POST", `admin/api-keys/${encodeURIComponent(props.of.id)}/revoke`, { reason })
      }
      onDone={props.onDone}
      onClose={props.onClose}
    >
      <p>Whatever program shows it is refused from its next request on. There is no way back.</p>
    </ActDialog>
  );
}
