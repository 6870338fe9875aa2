/** The account as it is now, and what becomes of a page that needs one with a plan. */

import { BlockedNotice, Protect, SignedIn, useAccount, useMessages } from "@tenure/react";
import { Facts } from "@tenure/react/parts.js";
import type { JSX } from "react";
import { featuresOf, limitsOf, nameOf, STATUS } from "../account-words.js";
import { NEEDED } from "./account.js";

export function Entitled(): JSX.Element {
  return (
    <section className="card" aria-labelledby="entitled-title">
      <h2 data-part="title" id="entitled-title">
        What the account may do
      </h2>
      <SignedIn>
        <AccountNow />
        <BlockedNotice needs={NEEDED} />
      </SignedIn>
      <Protect {...NEEDED} fallback={<p data-part="help">Nobody is signed in.</p>} denied={null}>
        <p className="verdict" data-look-state="good">
          This is only for accounts with the plan Pro.
        </p>
      </Protect>
    </section>
  );
}

function AccountNow(): JSX.Element {
  const { account, status } = useAccount();
  const { locale } = useMessages();
  const plan = account?.plan;
  const count = (amount: number) => new Intl.NumberFormat(locale).format(amount);
  return (
    <Facts
      of={[
        ["Account", account ? account.name : status === "known" ? "none" : status],
        ["Status", account && (STATUS[account.status]?.text ?? account.status)],
        ["Plan", account && (plan ? nameOf(plan) : "none")],
        ["Includes", plan && featuresOf(plan)],
        ["Allows", plan && limitsOf(plan, count)],
      ]}
    />
  );
}
