import type { Account } from "@tenure/client";
import { useAccount } from "@tenure/react";
import { useMessages } from "@tenure/react/messages.js";
import { Button } from "@tenure/react/parts.js";
import type { JSX, ReactNode } from "react";
import { featuresOf, limitsOf, nameOf, STATUS } from "../account-words.js";

/** Whom the person belongs to, and what that account has. */
export function AccountAndPlan(): JSX.Element {
  const words = useMessages();
  const { status, account, reload } = useAccount();
  if (account) return <AccountFacts account={account} />;
  return (
    <p role="status" data-part={status === "unavailable" ? "actions" : undefined}>
      {status === "unknown" && words.unknown}
      {status === "known" && "You do not belong to an account."}
      {status === "unavailable" && (
        <>
          Your account cannot be shown just now. <Button onClick={() => void reload()}>{words.retry}</Button>
        </>
      )}
    </p>
  );
}

function AccountFacts({ account: { name, status, plan } }: { account: Account }): JSX.Element {
  const { locale } = useMessages();
  const count = (amount: number) => new Intl.NumberFormat(locale).format(amount);
  const { text, look } = STATUS[status] ?? { text: status, look: "waiting" };
  const features = plan && featuresOf(plan);
  const limits = plan && limitsOf(plan, count);
  return (
    <dl className="terms">
      <Term name="Account">{name}</Term>
      <Term name="Status">
        <span className="chip" data-look-state={look}>
          {text}
        </span>
      </Term>
      <Term name="Plan">{plan ? nameOf(plan) : "None"}</Term>
      {features && <Term name="Includes">{features}</Term>}
      {limits && <Term name="Allows">{limits}</Term>}
    </dl>
  );
}

function Term({ name, children }: { name: string; children: ReactNode }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
