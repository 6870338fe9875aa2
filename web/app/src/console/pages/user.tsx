/** One user: who they are, where they are signed in, what happened, and what can be done. */

import type { ResetLink, UserRecord } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { useConsole } from "../context.js";
import { Dialog } from "../dialog.js";
import { ActList, EventList, SessionList, UserState } from "../lists.js";
import { useLoad } from "../load.js";
import { Awaited, Copy, Heading, IdLink, Link, Moment, Section, Terms } from "../parts.js";
import { moment, readable } from "../words.js";
import { type UserAct, UserActDialog } from "./user-acts.js";

export function UserPage({ id }: { id: string }): JSX.Element {
  const { can, href, go, say } = useConsole();
  const user = useLoad<UserRecord>(`admin/users/${encodeURIComponent(id)}`);
  const [act, setAct] = useState<UserAct | null>(null);
  const [link, setLink] = useState<ResetLink | null>(null);
  /** The lists below are read again when something was done. */
  const [acts, setActs] = useState(0);
  const { data } = user;
  const done = (sentence: string, reset?: ResetLink) => {
    if (act === "delete") go(href("users"));
    setAct(null);
    say(sentence);
    if (reset) setLink(reset);
    if (act === "delete") return;
    setActs((before) => before + 1);
    user.reload();
  };
  return (
    <>
      <Heading title={data?.name ?? "User"} above={<Link page="users">Users</Link>} />
      <Awaited of={user} ready={data !== null}>
        {data && (
          <>
            <Section title="Profile" aside={<UserState user={data} />}>
              <Profile user={data} />
              {can("admin.users") && <Acts user={data} onAct={setAct} />}
            </Section>
            <Section title="Sessions">
              <SessionList
                key={acts}
                query={{ user: id, state: "all" }}
                empty="No session of theirs is kept."
              />
            </Section>
            <Section
              title="Events"
              aside={
                <Link page="audit" query={{ user: id }}>
                  In the audit log
                </Link>
              }
            >
              <EventList key={acts} query={{ user: id }} empty="Nothing has happened yet." />
            </Section>
            <Section title="What administrators did">
              <ActList key={acts} subject={id} />
            </Section>
            {act && <UserActDialog user={data} act={act} onDone={done} onClose={() => setAct(null)} />}
          </>
        )}
      </Awaited>
      {link && <ResetLinkDialog link={link} onClose={() => setLink(null)} />}
    </>
  );
}

function Profile({ user }: { user: UserRecord }): JSX.Element {
  return (
    <Terms
      of={{
        "E-mail": user.email,
        Role: readable(user.role),
        Account: user.account_id ? <IdLink page="account" id={user.account_id} /> : "None",
        Password: user.has_password ? "Set" : "None yet",
        Registered: <Moment at={user.created_at} />,
        Disabled: user.disabled_at && <Moment at={user.disabled_at} />,
        Id: <code className="id">{user.id}</code>,
      }}
    />
  );
}

function Acts({ user, onAct }: { user: UserRecord; onAct: (act: UserAct) => void }): JSX.Element {
  return (
    <div className="buttons">
      <Button onClick={() => onAct("sign-out")}>Sign out everywhere</Button>
      <Button onClick={() => onAct("password-reset")}>Reset the password</Button>
      <Button onClick={() => onAct("change")}>Change role or account</Button>
      {user.disabled_at ? (
        <Button onClick={() => onAct("enable")}>Enable</Button>
      ) : (
        <Button onClick={() => onAct("disable")}>Disable</Button>
      )}
      <Button className="careful" onClick={() => onAct("delete")}>
        Delete
      </Button>
    </div>
  );
}

function ResetLinkDialog({ link, onClose }: { link: ResetLink; onClose: () => void }): JSX.Element {
  return (
    <Dialog title="The link for a new password" onClose={onClose}>
      <p>
        Give it to the person, and to nobody else: whoever has it chooses the password. It works once, until{" "}
        {moment(link.expires_at)}, and is shown only now.
      </p>
      <Copy text={link.link} label="The link" />
      <div data-part="actions">
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}
