/** The lists that more than one page shows. */

import type {
  ActRecord,
  ActRecords,
  AdminSession,
  AdminSessions,
  EventRecord,
  EventRecords,
  UnexplainedBy,
  UserRecord,
  UserRecords,
} from "@tenure/client/api.gen.js";
import type { JSX, ReactNode } from "react";
import type { Query } from "./api.js";
import { after, useList } from "./load.js";
import { Chip, Id, IdLink, Link, Moment, type People, Person, peopleOf, Subject } from "./parts.js";
import { Tree } from "./receipt.js";
import { type Column, List } from "./table.js";
import { count, eventName, readable, reasonName } from "./words.js";

export function UserState({ user }: { user: UserRecord }): JSX.Element {
  return user.disabled_at ? <Chip look="out">Disabled</Chip> : <Chip look="good">Active</Chip>;
}

/** How it stands, and beside it whether a browser signed somebody out of it by itself: the one says nothing of the other. */
export function SessionState({ session }: { session: AdminSession }): JSX.Element {
  return (
    <span className="chips">
      <Standing session={session} />
      {session.unexplained && <Unexplained by={session.unexplained} />}
    </span>
  );
}

/** A sign-out that nothing explains: one that came with the session's token, or one that anybody may have claimed. */
function Unexplained({ by }: { by: UnexplainedBy }): JSX.Element {
  if (by === "verified") return <Chip look="out">Unexplained</Chip>;
  return <Chip look="waiting">Unexplained, claimed</Chip>;
}

function Standing({ session: { end, expires_at } }: { session: AdminSession }): JSX.Element {
  if (end) return <Chip look="quiet">{reasonName(end.reason)}</Chip>;
  if (expires_at <= Date.now()) return <Chip look="quiet">Its time is over</Chip>;
  return <Chip look="good">Live</Chip>;
}

export function UserList({ query, empty }: { query: Query; empty: string }): JSX.Element {
  const list = useList("admin/users", query, ({ users, next }: UserRecords) => ({
    rows: users,
    next: after(next),
  }));
  const columns: Column<UserRecord>[] = [
    {
      name: "User",
      cell: (user) => (
        <span className="two">
          <Link page="user" id={user.id}>
            {user.name}
          </Link>
          <span>{user.email}</span>
        </span>
      ),
    },
    { name: "Role", cell: ({ role }) => readable(role) },
    { name: "State", cell: (user) => <UserState user={user} /> },
    { name: "Since", cell: ({ created_at }) => <Moment at={created_at} /> },
  ];
  return <List caption="Users" of={list} columns={columns} keyOf={({ id }) => id} empty={empty} />;
}

/** Sessions; `of` one user, or of anybody with whose it is. */
export function SessionList({ query, empty }: { query: Query; empty: string }): JSX.Element {
  const list = useList("admin/sessions", query, ({ sessions, next }: AdminSessions) => ({
    rows: sessions,
    next: after(next),
  }));
  const columns: Column<AdminSession>[] = [
    {
      name: "Session",
      cell: (session) => (
        <span className="two">
          <Link page="session" id={session.id}>
            {session.browser ?? "A browser"}
          </Link>
          <Id of={session.id} />
        </span>
      ),
    },
    { name: "State", cell: (session) => <SessionState session={session} /> },
    { name: "Signed in", cell: ({ created_at }) => <Moment at={created_at} /> },
    { name: "Last used", cell: ({ last_used_at }) => <Moment at={last_used_at} /> },
    { name: "Address", cell: ({ address }) => address },
  ];
  const owner: Column<AdminSession> = {
    name: "User",
    cell: ({ user, email }) => <Person id={user} of={peopleOf(user, email)} />,
  };
  const shown = query.user ? columns : [...columns.slice(0, 1), owner, ...columns.slice(1)];
  return <List caption="Sessions" of={list} columns={shown} keyOf={({ id }) => id} empty={empty} />;
}

/** Whom a row may name. */
interface Named {
  readonly people: People;
}

/** What happened, newest first. */
export function EventList({ query, empty }: { query: Query; empty: string }): JSX.Element {
  const list = useList("admin/events", query, ({ events, before, people }: EventRecords) => ({
    rows: events.map((event) => ({ ...event, people })),
    next: before ? { before } : null,
  }));
  const columns: Column<EventRecord & Named>[] = [
    { name: "When", cell: ({ at }) => <Moment at={at} exact /> },
    {
      name: "What",
      cell: (event) => <What event={event} />,
    },
    { name: "About", cell: (event) => about(event, query) },
    {
      name: "By",
      cell: ({ actor, browser, address, people }) => {
        const from = [browser, address].filter(Boolean).join(", ");
        return two(actor && <Actor name={actor} people={people} />, from && <span>{from}</span>);
      },
    },
  ];
  return <List caption="Events" of={list} columns={columns} keyOf={({ id }) => id} empty={empty} />;
}

/** What happened; of an act what was changed and why, of everything else what is known besides. */
function What({ event: { kind, cause, count: times, detail } }: { event: EventRecord }): JSX.Element {
  const name = kind === "act" && cause ? readable(cause) : eventName(kind);
  const { was, became, reason } = (detail ?? {}) as Partial<ActRecord>;
  return (
    <span className="two">
      <span>
        {name}
        {times > 1 && ` (${count(times)} times)`}
      </span>
      {kind === "act" && <Change what={cause} was={was} became={became} />}
      {kind === "act" && reason && <span>{reason}</span>}
      {kind !== "act" && cause && <code>{cause}</code>}
      {kind !== "act" && detail && (
        <details>
          <summary data-part="summary">Details</summary>
          <Tree of={detail} />
        </details>
      )}
    </span>
  );
}

/** Whom and what it concerns, but for what the whole list is about. */
function about({ user, session, subject, people }: EventRecord & Named, not: Query): ReactNode {
  return two(
    user && user !== not.user && <Person id={user} of={people} />,
    session && session !== not.session && <IdLink page="session" id={session} />,
    subject && subject !== user && subject !== session && <Subject of={subject} />,
  );
}

/** One below the other; nothing at all where there is none of them. */
function two(...parts: ReactNode[]): ReactNode {
  const there = parts.filter(Boolean);
  return there.length > 0 && <span className="two">{there}</span>;
}

type Told = string | null | undefined;

/** What becomes of somebody as a whole has no before, and of a password none is told. */
const WITHOUT_BEFORE = ["state", "password"];

/** What something was before, and is now. */
function Change({ what, was, became }: { what: Told; was: Told; became: Told }): ReactNode {
  const told = (of: Told) => (/^(acc|usr|ses)_/.test(of ?? "") ? <Subject of={of ?? ""} /> : of || "nothing");
  if (!was && !became) return null;
  if (WITHOUT_BEFORE.includes(what ?? "")) return <span>{told(became)}</span>;
  return (
    <span>
      {told(was)} → {told(became)}
    </span>
  );
}

/** Who did something, by the name that a filter takes: an address, a name of the command line's, or `user`. */
export function Actor({ name, people }: { name: string; people: People }): JSX.Element {
  const id = name.replace(/^admin:/, "");
  if (id === name) return <span>{name}</span>;
  return <span>administrator {id.startsWith("usr_") ? <Person id={id} of={people} /> : id}</span>;
}

export function ActList({ subject }: { subject: string }): JSX.Element {
  const list = useList("admin/acts", { subject }, ({ acts, people }: ActRecords) => ({
    rows: acts.map((act) => ({ ...act, people })),
    next: null,
  }));
  const columns: Column<ActRecord & Named>[] = [
    { name: "When", cell: ({ at }) => <Moment at={at} exact /> },
    {
      name: "What",
      cell: ({ what, was, became }) => (
        <span className="two">
          <span>{readable(what)}</span>
          <Change what={what} was={was} became={became} />
        </span>
      ),
    },
    { name: "Why", cell: ({ reason }) => reason },
    { name: "By", cell: ({ actor, people }) => <Actor name={actor} people={people} /> },
  ];
  return (
    <List
      caption="Acts"
      of={list}
      columns={columns}
      keyOf={({ id }) => id}
      empty="Nobody has changed anything."
    />
  );
}
