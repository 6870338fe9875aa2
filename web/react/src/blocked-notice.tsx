import type { Refusal } from "@tenure/client";
import type { Needs } from "@tenure/client/entitlements";
import { type JSX, type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import { useEntitlement } from "./entitlements.js";
import { refusalWords, useMessages } from "./messages.js";
import { Button, Facts, Icon, type RootProps } from "./parts.js";

export interface BlockedNoticeProps extends RootProps {
  /** What was refused just now, as `readProblem` finds it in an answer; null for nothing. */
  refusal?: Refusal | null | undefined;
  /** Or what is needed: the notice asks by itself, and goes when it is met. By default an account that is served. */
  needs?: Needs | string | undefined;
  /** Where plans are chosen and paid. It is offered where that would help. */
  upgradeHref?: string | undefined;
  /** Called instead of following `upgradeHref`. */
  onUpgrade?: ((refusal: Refusal) => void) | undefined;
  /** Where people reach you, as in `mailto:help@example.com`. It is offered where nothing else would help. */
  supportHref?: string | undefined;
  /** What else can be done about it. */
  children?: ReactNode;
}

/**
 * Says what keeps a person from something, and what they can do. They stay signed in, and whatever else is on the page
 * goes on. Its place stays in the page while there is nothing to say.
 */
export function BlockedNotice(props: BlockedNoticeProps): JSX.Element {
  const {
    refusal: told,
    needs = { account: true },
    upgradeHref,
    onUpgrade,
    supportHref,
    children,
    ...root
  } = props;
  // What was refused just now is told at once; what stands in the way anyway interrupts nobody.
  const isAnswer = told !== undefined;
  const { refusal: found, reload } = useEntitlement(isAnswer ? {} : needs);
  const refusal = told ?? found;
  const place = useRef<HTMLDivElement | null>(null);
  const wasChecked = useRef(false);
  useEffect(() => {
    // The button that was pressed is gone, and the focus with it, unless it is somewhere else by now.
    const isLost = wasChecked.current && document.activeElement === document.body;
    if (!refusal && isLost) place.current?.focus();
  }, [refusal]);
  const check = () => {
    wasChecked.current = true;
    return reload();
  };
  return (
    <div
      ref={place as RefObject<HTMLDivElement>}
      tabIndex={-1}
      data-tenure="blocked-notice"
      data-open={refusal !== null}
      {...root}
    >
      <div role={isAnswer ? "alert" : "status"}>{refusal && <Told refusal={refusal} />}</div>
      {refusal && (
        <div data-part="actions">
          <Ways {...{ refusal, upgradeHref, onUpgrade, supportHref }} />
          {!isAnswer && <CheckAgain check={check} />}
          {children}
        </div>
      )}
      {refusal && <Details refusal={refusal} />}
    </div>
  );
}

function Told({ refusal }: { refusal: Refusal }): JSX.Element {
  const { title, help } = refusalWords(useMessages(), refusal);
  return (
    <div data-part="message">
      <Icon name={refusal.status === 402 ? "info" : "lock"} />
      <p>
        <strong>{title}</strong> {help}
      </p>
    </div>
  );
}

type WaysProps = Pick<BlockedNoticeProps, "upgradeHref" | "onUpgrade" | "supportHref"> & { refusal: Refusal };

/** What would help: another plan against 402, and somebody to talk to about an account. */
function Ways({ refusal, upgradeHref, onUpgrade, supportHref }: WaysProps): ReactNode {
  const words = useMessages();
  if (refusal.status === 402) {
    if (onUpgrade)
      return (
        <Button look="primary" onClick={() => onUpgrade(refusal)}>
          {words.seePlans}
        </Button>
      );
    return upgradeHref && <Way href={upgradeHref}>{words.seePlans}</Way>;
  }
  const isAboutAccount = refusal.code.startsWith("account_");
  return isAboutAccount && supportHref && <Way href={supportHref}>{words.contactSupport}</Way>;
}

function Way({ href, children }: { href: string; children: ReactNode }): JSX.Element {
  return (
    <a data-part="button" data-look="primary" href={href}>
      {children}
    </a>
  );
}

function CheckAgain({ check }: { check: () => Promise<void> }): JSX.Element {
  const words = useMessages();
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (busy) return;
    setBusy(true);
    await check();
    setBusy(false);
  };
  return (
    <Button busy={busy} onClick={() => void press()}>
      {words.checkAgain}
    </Button>
  );
}

/** For whoever helps: what the server said, in its own words. */
function Details({ refusal: { code, message, details } }: { refusal: Refusal }): JSX.Element {
  const words = useMessages();
  return (
    <details>
      <summary data-part="summary">{words.details}</summary>
      <Facts
        of={[
          [words.detailReason, code],
          [words.detailServer, message],
          [words.detailRequest, details.requestId],
        ]}
      />
    </details>
  );
}
