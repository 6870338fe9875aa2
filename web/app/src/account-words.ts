/** An account and its plan in words, for the pages that show them. */

import type { Account, Plan } from "@tenure/client";

/** What a status is called, and how it looks. */
export const STATUS: Readonly<Record<Account["status"], { text: string; look: "good" | "waiting" | "out" }>> =
  {
    trial: { text: "Trial", look: "good" },
    active: { text: "Active", look: "good" },
    pending_payment: { text: "A payment is due", look: "waiting" },
    suspended: { text: "Suspended", look: "out" },
    cancelled: { text: "Cancelled", look: "out" },
  };

/** What it is called, for people. */
export function nameOf({ name, isActive }: Plan): string {
  return isActive ? name : `${name} (not active)`;
}

/** What it includes, as in `export, single sign-on`. */
export function featuresOf({ features }: Plan): string {
  return features.map(readable).join(", ");
}

/** How much it allows, as in `5 seats, unlimited projects`. */
export function limitsOf({ limits }: Plan, count: (amount: number) => string): string {
  const told = ([name, most]: [string, number | null]) =>
    `${most === null ? "unlimited" : count(most)} ${readable(name)}`;
  return Object.entries(limits).map(told).join(", ");
}

/** A program's name for something, without what only programs need. */
function readable(name: string): string {
  return name.replace(/[._-]+/g, " ");
}
