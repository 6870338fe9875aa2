/** The frame of every page: where one can go, a box for what one has in hand, and who is signed in. */

import type { ProblemError } from "@tenure/client";
import type { EventRecords } from "@tenure/client/api.gen.js";
import { Button, Icon } from "@tenure/react/parts.js";
import { type FormEvent, type JSX, useEffect, useRef, useState } from "react";
import { useConsole } from "./context.js";
import { lookUp } from "./lookup.js";
import { AccountPage } from "./pages/account.js";
import { AccountsPage } from "./pages/accounts.js";
import { ApiKeysPage } from "./pages/api-keys.js";
import { AuditPage } from "./pages/audit.js";
import { OverviewPage } from "./pages/overview.js";
import { PlansPage } from "./pages/plans.js";
import { ReportsPage } from "./pages/reports.js";
import { SessionPage } from "./pages/session.js";
import { SessionsPage } from "./pages/sessions.js";
import { SettingsPage } from "./pages/settings.js";
import { SigningKeysPage } from "./pages/signing-keys.js";
import { UserPage } from "./pages/user.js";
import { UsersPage } from "./pages/users.js";
import { Heading, Link, Trouble } from "./parts.js";
import type { PageName, Place } from "./router.js";

const MENU: readonly (readonly [page: PageName, label: string, others?: PageName])[] = [
  ["overview", "Overview"],
  ["users", "Users", "user"],
  ["sessions", "Sessions", "session"],
  ["accounts", "Accounts", "account"],
  ["plans", "Plans"],
  ["apiKeys", "API keys"],
  ["signingKeys", "Signing keys"],
  ["reports", "Client reports"],
  ["audit", "Audit log"],
  ["settings", "Settings"],
];

/** What was done. Said twice it is twice done. */
export interface Said {
  readonly sentence: string;
}

export function Shell(props: { place: Place; said: Said | null; onSignedOut: () => void }): JSX.Element {
  const { place, said, onSignedOut } = props;
  const { can } = useConsole();
  const [open, setOpen] = useState(false);
  // Whoever has gone somewhere is done with the menu.
  useEffect(() => setOpen(false), [place.page, place.id]);
  const outcome = useRef<HTMLParagraphElement | null>(null);
  // The button that was pressed may be far below, or gone with what it did.
  useEffect(() => {
    if (said) outcome.current?.focus();
  }, [said]);
  return (
    <>
      <header className="masthead">
        <p className="brand">
          <Link page="overview">Tenure</Link>
        </p>
        <Lookup />
        <button
          type="button"
          data-part="button"
          className="menu-button"
          aria-expanded={open}
          aria-controls="menu"
          onClick={() => setOpen(!open)}
        >
          Menu
        </button>
      </header>
      <div className="frame">
        <div className="side" id="menu" data-open={open}>
          <nav aria-label="Console">
            <ul>
              {MENU.map(([page, label, other]) => (
                <li key={page}>
                  <Link page={page} current={place.page === page || place.page === other}>
                    {label}
                  </Link>
                </li>
              ))}
            </ul>
          </nav>
          <Who onSignedOut={onSignedOut} />
        </div>
        <main id="main" tabIndex={-1}>
          <p ref={outcome} role="status" className="said" tabIndex={-1}>
            {said?.sentence}
          </p>
          {can("admin.read") ? <Page key={`${place.page} ${place.id}`} place={place} /> : <NothingToRead />}
        </main>
      </div>
    </>
  );
}

function Page({ place }: { place: Place }): JSX.Element {
  const { page, id, query } = place;
  switch (page) {
    case "overview":
      return <OverviewPage />;
    case "users":
      return <UsersPage query={query} />;
    case "user":
      return <UserPage id={id} />;
    case "sessions":
      return <SessionsPage query={query} />;
    case "session":
      return <SessionPage id={id} />;
    case "accounts":
      return <AccountsPage />;
    case "account":
      return <AccountPage id={id} />;
    case "plans":
      return <PlansPage />;
    case "apiKeys":
      return <ApiKeysPage query={query} />;
    case "signingKeys":
      return <SigningKeysPage />;
    case "reports":
      return <ReportsPage query={query} />;
    case "audit":
      return <AuditPage query={query} />;
    case "settings":
      return <SettingsPage />;
    case null:
      return (
        <>
          <Heading title="There is no such page" />
          <p>
            The address leads nowhere. <Link page="overview">Go to the overview</Link>
          </p>
        </>
      );
  }
}

function NothingToRead(): JSX.Element {
  return (
    <>
      <Heading title="Nothing to show" />
      <p>
        You are signed in, but the permission <code>admin.read</code> is not yours, and every page needs it.
      </p>
    </>
  );
}

function Lookup(): JSX.Element {
  const { api, href, go } = useConsole();
  const [error, setError] = useState<ProblemError | null>(null);
  const [unknown, setUnknown] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const target = lookUp(String(new FormData(form).get("lookup")));
    setError(null);
    setUnknown("");
    if (!target) return;
    if ("to" in target) go(href(target.to, target.id));
    else if ("search" in target) go(href("users", "", { q: target.search }));
    else {
      const asked = { kind: "session_ended", subject: target.receipt, limit: 1 };
      const answer = await api.get<EventRecords>("admin/events", asked);
      const session = answer.data?.events[0]?.session;
      if (answer.error) return setError(answer.error);
      if (!session) return setUnknown(`No end of a session has the receipt ${target.receipt}.`);
      go(href("session", session));
    }
    form.reset();
  };
  return (
    <form aria-label="Look up" className="lookup" onSubmit={(event) => void submit(event)}>
      <input
        data-part="input"
        type="search"
        name="lookup"
        aria-label="Receipt, session, user or e-mail"
        placeholder="Receipt, session, user or e-mail"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
      />
      <button type="submit" data-part="button" aria-label="Look up">
        <Icon name="search" />
      </button>
      <div role="status">{unknown && <p data-part="error">{unknown}</p>}</div>
      {error && <Trouble error={error} />}
    </form>
  );
}

function Who({ onSignedOut }: { onSignedOut: () => void }): JSX.Element {
  const { api, me } = useConsole();
  const [error, setError] = useState<ProblemError | null>(null);
  const leave = async () => {
    const answer = await api.send<unknown>("DELETE", "admin/session");
    setError(answer.error);
    if (!answer.error) onSignedOut();
  };
  return (
    <aside className="who" aria-label="You">
      <p>
        <strong>{me.user.name}</strong>
        <span>{me.user.email}</span>
      </p>
      <Button onClick={() => void leave()}>Sign out</Button>
      {error && <Trouble error={error} />}
    </aside>
  );
}
