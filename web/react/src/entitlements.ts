/** What the person may do, for what is shown to them. The server decides in any case, and no answer ends a session. */

import type { Account, ProblemError, Refusal } from "@tenure/client";
import {
  type AccountState,
  type Entitlement,
  entitlementsOf,
  type Needs,
  requirementOf,
} from "@tenure/client/entitlements";
import { useCallback, useSyncExternalStore } from "react";
import { useClient } from "./provider.js";

interface Reloadable {
  /** Why the server cannot be asked just now; what else is told is what it said last. */
  readonly error: ProblemError | null;
  /** Asks anew, as after a purchase. */
  reload(): Promise<void>;
}

/** A requirement with every member always there. */
export interface UseEntitlement extends Reloadable {
  /** `unknown` until the first answer; `unavailable` if there has never been one and none can be had now. */
  readonly status: Entitlement["status"];
  /** What stands in the way, if it is `refused`. */
  readonly refusal: Refusal | null;
}

/**
 * Whether a requirement is met, as in `{ plan: "pro" }` or `"permission:reports.read"`. Components share one question.
 *
 * @throws {TypeError} for an empty text, and for a member of `needs` that is there and names nothing.
 */
export function useEntitlement(needs: Needs | string): UseEntitlement {
  if (needs === "") throw new TypeError("An empty text is no requirement; `{}` is what needs nothing.");
  const client = useClient();
  const requirement = typeof needs === "string" ? needs : requirementOf(needs);
  const watch = useCallback(
    (listener: () => void) => (requirement ? entitlementsOf(client).watch(requirement, listener) : () => {}),
    [client, requirement],
  );
  // Who needs nothing is not asked about.
  const look = () => (requirement ? entitlementsOf(client).of(requirement) : ALLOWED);
  const known = useSyncExternalStore(watch, look, requirement ? unknownOnServers : look);
  return {
    status: known.status,
    refusal: known.status === "refused" ? known.refusal : null,
    error: errorOf(known),
    reload: useReload(),
  };
}

export interface UseAccount extends Reloadable {
  readonly status: AccountState["status"];
  /** Null also where there is none, and where the server cannot read it. */
  readonly account: Account | null;
}

/** The account that the person belongs to, with its status and plan. */
export function useAccount(): UseAccount {
  const client = useClient();
  const watch = useCallback((listener: () => void) => entitlementsOf(client).watch("", listener), [client]);
  const known = useSyncExternalStore(watch, () => entitlementsOf(client).account(), noAccountOnServers);
  return { status: known.status, account: known.account, error: errorOf(known), reload: useReload() };
}

const ALLOWED: Entitlement = { status: "allowed" };
const UNKNOWN: Entitlement = { status: "unknown" };
const NO_ACCOUNT: AccountState = { status: "unknown", account: null };
const unknownOnServers = () => UNKNOWN;
const noAccountOnServers = () => NO_ACCOUNT;

function useReload(): () => Promise<void> {
  const client = useClient();
  return useCallback(() => entitlementsOf(client).reload(), [client]);
}

function errorOf(known: Entitlement | AccountState): ProblemError | null {
  return ("error" in known && known.error) || null;
}
