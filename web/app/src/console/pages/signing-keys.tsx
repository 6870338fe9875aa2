import type { SigningKeyRecord, SigningKeys } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Check } from "../form.js";
import { useLoad } from "../load.js";
import { Awaited, Chip, Heading, type Look, Moment, Section } from "../parts.js";
import { type Column, Table } from "../table.js";

const STATES: Readonly<Record<string, readonly [Look, string]>> = {
  signs: ["good", "Signs"],
  published: ["waiting", "Published, signs later"],
  verifies: ["waiting", "Verifies what it signed"],
  retired: ["out", "Retired"],
};

export function SigningKeysPage(): JSX.Element {
  const { can, say } = useConsole();
  const keys = useLoad<SigningKeys>("admin/signing-keys");
  const [act, setAct] = useState<"rotate" | SigningKeyRecord | null>(null);
  const mayAct = can("admin.keys");
  const columns: Column<SigningKeyRecord>[] = [
    { name: "Key", cell: ({ kid }) => <code className="id">{kid}</code> },
    {
      name: "State",
      cell: ({ state }) => {
        const [look, says] = STATES[state] ?? ["waiting", state];
        return <Chip look={look}>{says}</Chip>;
      },
    },
    { name: "Made", cell: ({ created_at }) => <Moment at={created_at} /> },
    { name: "Signs from", cell: ({ activates_at }) => <Moment at={activates_at} /> },
    { name: "Retires", cell: ({ retires_at }) => (retires_at ? <Moment at={retires_at} /> : "–") },
  ];
  if (mayAct) {
    columns.push({
      name: "Act",
      cell: (key) =>
        key.may_retire && (
          <Button aria-label={`Retire ${key.kid}`} onClick={() => setAct(key)}>
            Retire
          </Button>
        ),
    });
  }
  const done = (sentence: string) => {
    setAct(null);
    say(sentence);
    keys.reload();
  };
  return (
    <>
      <Heading title="Signing keys">
        {mayAct && <Button onClick={() => setAct("rotate")}>Rotate</Button>}
      </Heading>
      <Section title="Keys that sign access tokens">
        <p data-part="help">
          Nobody is signed out by a new key: what the old one has signed stands until it expires. If somebody
          else may have a key, rotate so that the new one signs at once, and then retire it: it can be retired
          as long as another goes on signing.
        </p>
        <Awaited of={keys} ready={keys.data !== null}>
          <Table
            caption="Signing keys"
            columns={columns}
            rows={keys.data?.keys ?? []}
            keyOf={({ kid }) => kid}
          />
        </Awaited>
      </Section>
      {act === "rotate" && <Rotate onDone={() => done("There is a new key.")} onClose={() => setAct(null)} />}
      {act && act !== "rotate" && (
        <Retire of={act} onDone={() => done(`The key ${act.kid} is retired.`)} onClose={() => setAct(null)} />
      )}
    </>
  );
}

interface ActProps {
  onDone: () => void;
  onClose: () => void;
}

function Rotate(props: ActProps): JSX.Element {
  const { api } = useConsole();
  return (
    <ActDialog<unknown>
      title="Rotate the signing key"
      confirm="Rotate"
      send={(values, reason) =>
        api.send("POST", "admin/signing-keys/rotate", { now: values.has("now"), reason })
      }
      {...props}
    >
      <p>
        A new key is published, and signs once everybody had time to fetch it. The old one goes on verifying.
      </p>
      <Check
        name="now"
        label="Sign with it at once"
        help="For a key that somebody else may have: the old one can be retired right afterwards. Services that have not fetched the new one yet refuse its tokens for a while."
      />
    </ActDialog>
  );
}

function Retire({ of: { kid }, ...props }: ActProps & { of: SigningKeyRecord }): JSX.Element {
  const { api } = useConsole();
  return (
    <ActDialog<unknown>
      title="Retire a signing key"
      confirm="Retire"
      look="danger"
      send={(_, reason) =>
        api.send("POST", `admin/signing-keys/${encodeURIComponent(kid)}/retire`, { reason })
      }
      {...props}
    >
      <p>
        Access tokens that <code className="id">{kid}</code> has signed are refused from now on. Browsers
        refresh, and nobody is signed out. It is for a key that somebody else may have.
      </p>
    </ActDialog>
  );
}
