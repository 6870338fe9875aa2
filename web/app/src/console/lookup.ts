/** What somebody has in hand, and which page is about it. */

import type { PageName } from "./router.js";

export type Target =
  | { readonly to: PageName; readonly id: string }
  /** A receipt, as it is written: the session is yet to be asked for. */
  | { readonly receipt: string }
  /** Part of a name or an address. */
  | { readonly search: string };

const PAGES: readonly (readonly [RegExp, PageName])[] = [
  [/^ses_[0-9a-f]{32}$/, "session"],
  [/^usr_[0-9a-f]{32}$/, "user"],
  [/^acc_[0-9a-f]{32}$/, "account"],
];

/** Null for what is empty. */
export function lookUp(typed: string): Target | null {
  const text = typed.trim();
  if (!text) return null;
  const id = text.toLowerCase();
  for (const [form, to] of PAGES) if (form.test(id)) return { to, id };
  const receipt = receiptIn(text);
  return receipt ? { receipt } : { search: text };
}

/** A receipt as somebody reads or types it: in small letters, without its dashes, with letters that look like digits. */
function receiptIn(text: string): string | null {
  const plain = text.toUpperCase().replaceAll("-", "");
  if (!/^R[0-9A-TV-Z]{8}$/.test(plain)) return null;
  const digits = plain.slice(1).replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  // Words of eight letters after an R would otherwise be receipts.
  if (!text.includes("-") && !/\d/.test(digits)) return null;
  return `R-${digits.slice(0, 4)}-${digits.slice(4)}`;
}
