/** What is shown to whom. While the state is unknown, none of these shows a sign-in page or the app. */

import type { AuthState, Refusal, Session, SignedInState, User, UserRole } from "@tenure/client";
import { type Entitlement, type Needs, requirementOf } from "@tenure/client/entitlements";
import { Fragment, type ReactNode, useState } from "react";
import { useEntitlement } from "./entitlements.js";
import { isInvoluntary } from "./hooks.js";
import { useAuthState } from "./provider.js";

/** Children, or a function of the person who is signed in. */
type ForUser = ReactNode | ((user: User) => ReactNode);

/** Shows its children to whoever is signed in, also while the server cannot be reached. */
export function SignedIn({ children }: { children?: ForUser }): ReactNode {
  const state = useAuthState();
  return state.status === "signedIn" ? showTo(state.user, children) : null;
}

/** Shows its children when it is certain that nobody is signed in. */
export function SignedOut({ children }: { children?: ReactNode }): ReactNode {
  return useAuthState().status === "signedOut" ? children : null;
}

/** Shows its children until the server has been asked. */
export function Unknown({ children }: { children?: ReactNode }): ReactNode {
  return useAuthState().status === "unknown" ? children : null;
}

/** `account`, `plan`, `feature`, `limit` and `permission` are asked of the server; nothing is asked without them. */
export interface ProtectProps extends Needs {
  /** Lets in only people of this role, or of one of these. The server decides in earnest; this is about display. */
  role?: UserRole | readonly UserRole[] | undefined;
  /** Lets in only people for whom it says true. */
  when?: ((user: User, session: Session) => boolean) | undefined;
  /** For those who are signed out: a sign-in form, or what leads to one. */
  fallback?: ReactNode;
  /**
   * For those who are signed in and may not see this; `fallback` where it is left out. A function is given what the
   * server says to it, for a `BlockedNotice`, or null if it was `role` or `when`.
   */
  denied?: ReactNode | ((refusal: Refusal | null) => ReactNode);
  /** Until it is known, and while the server has never said and cannot be asked. Nothing by default. */
  unknown?: ReactNode;
  /**
   * Keeps what was shown when the session ends without the person's doing, so that nothing they typed is lost; put a
   * `LogoutNotice` over it. If the same person signs in again, it goes on; for anybody else it starts anew.
   * `useUser()` is null meanwhile. An answer of the server's that takes the right away takes it off the page all the same,
   * and so does another requirement, until the server has answered that.
   */
  keepAfterEnd?: boolean | undefined;
  children?: ForUser;
}

/** Who was shown the children, and which requirement they met. */
interface Seen {
  readonly state: SignedInState;
  readonly requirement: string;
}

/**
 * Shows its children to those who are signed in and allowed to see them, and says what the others see. Without `plan`
 * and the like it lets in everybody who is signed in.
 *
 * @throws {TypeError} if one of these is there and empty, as with `plan={[]}`.
 */
export function Protect(props: ProtectProps): ReactNode {
  const { fallback = null, denied = fallback, unknown = null, children } = props;
  const state = useAuthState();
  const requirement = requirementOf(props);
  const { status, refusal } = useEntitlement(requirement || {});
  const [last, setLast] = useState<Seen | null>(null);
  // What met another requirement says nothing about this one.
  const before = last?.requirement === requirement ? last.state : null;
  const seen = seenIn(state, status, props, before);
  if (seen !== before || (last && !before)) setLast(seen && { state: seen, requirement });

  if (seen) return showTo(seen.user, children);
  if (state.status === "signedOut") return fallback;
  const isDenied = state.status === "signedIn" && (status === "refused" || !isAllowed(state, props));
  if (!isDenied) return unknown;
  return typeof denied === "function" ? denied(refusal) : denied;
}

/** Whose view is shown: of whoever may see it, or of whoever saw it last and keeps it. */
function seenIn(
  state: AuthState,
  status: Entitlement["status"],
  props: ProtectProps,
  last: SignedInState | null,
): SignedInState | null {
  if (state.status === "signedIn") {
    if (!isAllowed(state, props)) return null;
    // The same person is back, and whether they still may is just being asked.
    const isKept = props.keepAfterEnd && status !== "refused" && last?.user.id === state.user.id;
    return status === "allowed" || isKept ? state : null;
  }
  // Also while it is found out who has signed in elsewhere: it may be the same person.
  return props.keepAfterEnd && last && !endedBySelf(state) && isAllowed(last, props) ? last : null;
}

/** Whoever signs out leaves nothing that another end could bring back. */
function endedBySelf(state: AuthState): boolean {
  return state.status === "signedOut" && !isInvoluntary(state.reason);
}

function isAllowed({ user, session }: SignedInState, { role, when }: ProtectProps): boolean {
  const roles = typeof role === "string" ? [role] : role;
  return (!roles || roles.includes(user.role)) && (!when || when(user, session));
}

/** The key starts everything anew for another person: nothing one of them typed or saw is left for the next. */
function showTo(user: User, children: ForUser): ReactNode {
  return <Fragment key={user.id}>{typeof children === "function" ? children(user) : children}</Fragment>;
}
