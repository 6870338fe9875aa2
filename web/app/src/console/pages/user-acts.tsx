/** What can be done to a user, each with its consequences and a reason. */

import { type ResetLink, type SessionsEnded, USER_ROLES, type UserRecord } from "@tenure/client/api.gen.js";
import type { Result } from "@tenure/client/types.js";
import type { JSX, ReactNode } from "react";
import { type Api, withQuery } from "../api.js";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Choice, Field, textOf } from "../form.js";
import { count } from "../words.js";

export type UserAct = "sign-out" | "password-reset" | "change" | "disable" | "enable" | "delete";

interface Deed {
  readonly title: (user: UserRecord) => string;
  readonly confirm: string;
  readonly danger?: true;
  readonly says: (user: UserRecord) => ReactNode;
  readonly send: (api: Api, user: UserRecord, values: FormData, reason: string) => Promise<Result<unknown>>;
  readonly did: (user: UserRecord, answer: unknown) => string;
}

const pathOf = ({ id }: UserRecord) => `admin/users/${encodeURIComponent(id)}`;
const post =
  (act: UserAct): Deed["send"] =>
  (api, user, _, reason) =>
    api.send("POST", `${pathOf(user)}/${act}`, { reason });

function endedIn(answer: unknown): string {
  const { ended_sessions: ended } = answer as SessionsEnded;
  if (ended === 0) return "They were signed in nowhere.";
  return ended === 1 ? "One session has ended." : `${count(ended)} sessions have ended.`;
}

const DEEDS: Readonly<Record<UserAct, Deed>> = {
  "sign-out": {
    title: ({ name }) => `Sign ${name} out everywhere`,
    confirm: "Sign out everywhere",
    danger: true,
    says: () => <p>All sessions end at once. They can sign in again.</p>,
    send: post("sign-out"),
    did: ({ name }, answer) => `${name} is signed out everywhere. ${endedIn(answer)}`,
  },
  "password-reset": {
    title: ({ name }) => `Reset the password of ${name}`,
    confirm: "Make a link",
    says: () => (
      <p>
        You get a link to hand over, with which the person chooses a new password; you never see it. Until
        they do, nothing changes; then all their sessions end.
      </p>
    ),
    send: post("password-reset"),
    did: ({ name }) => `There is a link with which ${name} can choose a new password.`,
  },
  change: {
    title: ({ name }) => `Change role or account of ${name}`,
    confirm: "Change",
    says: (user) => (
      <>
        <p>It holds from their next request on. They stay signed in.</p>
        <Choice name="role" label="Role" options={USER_ROLES} defaultValue={user.role} />
        <Field
          name="account_id"
          label="Account"
          placeholder="acc_…"
          defaultValue={user.account_id ?? ""}
          help="Empty takes them out of their account."
        />
      </>
    ),
    send: (api, user, values, reason) =>
      api.send("PATCH", pathOf(user), {
        role: textOf(values, "role"),
        account_id: textOf(values, "account_id") || null,
        reason,
      }),
    did: ({ name }) => `${name} is changed.`,
  },
  disable: {
    title: ({ name }) => `Disable ${name}`,
    confirm: "Disable",
    danger: true,
    says: () => (
      <p>
        All sessions end at once, and nobody can sign in as this user until they are enabled. API keys of
        their account stay.
      </p>
    ),
    send: post("disable"),
    did: ({ name }, answer) => `${name} is disabled. ${endedIn(answer)}`,
  },
  enable: {
    title: ({ name }) => `Enable ${name}`,
    confirm: "Enable",
    says: () => <p>They can sign in again. Sessions that have ended stay ended.</p>,
    send: post("enable"),
    did: ({ name }) => `${name} can sign in again.`,
  },
  delete: {
    title: ({ name }) => `Delete ${name}`,
    confirm: "Delete for ever",
    danger: true,
    says: ({ email }) => (
      <p>
        All sessions end at once, and <strong>{email}</strong> is gone for ever. There is no way back; to keep
        somebody out for a while, disable them.
      </p>
    ),
    send: (api, user, _, reason) => api.send("DELETE", withQuery(pathOf(user), { reason })),
    did: ({ name }, answer) => `${name} is deleted. ${endedIn(answer)}`,
  },
};

interface UserActDialogProps {
  user: UserRecord;
  act: UserAct;
  onDone: (sentence: string, link?: ResetLink) => void;
  onClose: () => void;
}

export function UserActDialog({ user, act, onDone, onClose }: UserActDialogProps): JSX.Element {
  const { api } = useConsole();
  const deed = DEEDS[act];
  return (
    <ActDialog<unknown>
      title={deed.title(user)}
      confirm={deed.confirm}
      look={deed.danger ? "danger" : "primary"}
      send={(values, reason) => deed.send(api, user, values, reason)}
      onDone={(answer) =>
        onDone(deed.did(user, answer), act === "password-reset" ? (answer as ResetLink) : undefined)
      }
      onClose={onClose}
    >
      {deed.says(user)}
    </ActDialog>
  );
}
