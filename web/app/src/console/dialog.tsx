/** Dialogs, above all for what is done to somebody: with a reason, and if need be the password once more. */

import type { ProblemError } from "@tenure/client";
import type { Result } from "@tenure/client/types.js";
import { Button } from "@tenure/react/parts.js";
import { type FormEvent, type JSX, type ReactNode, useId, useLayoutEffect, useRef, useState } from "react";
import { useConsole } from "./context.js";
import { FaultsContext, Secret, TextArea } from "./form.js";
import { Trouble } from "./parts.js";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
}

/** Takes the focus, and gives it back to where it was. Escape closes it. */
export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement | null>(null);
  const heading = useRef<HTMLHeadingElement | null>(null);
  const id = useId();
  // Before it leaves the page, because only closing it gives the focus back.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  // The heading, not a button: nobody is to do something by the next space. Under another title it is another dialog.
  useLayoutEffect(() => heading.current?.focus(), [title]);
  return (
    <dialog
      ref={(element) => {
        dialog.current = element;
      }}
      className="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2
        ref={(element) => {
          heading.current = element;
        }}
        id={id}
        data-part="title"
        tabIndex={-1}
      >
        {title}
      </h2>
      {children}
    </dialog>
  );
}

interface ActDialogProps<T> {
  title: string;
  /** What it does, and what it does not. */
  children?: ReactNode;
  confirm: string;
  look?: "primary" | "danger";
  send: (values: FormData, reason: string) => Promise<Result<T>>;
  onDone: (data: T) => void;
  onClose: () => void;
}

const REASON_MAX = 500;

/** Asks why, and does it. Whatever goes wrong, what was typed stays. */
export function ActDialog<T>(props: ActDialogProps<T>): JSX.Element {
  const { api } = useConsole();
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<ProblemError | null>(null);
  /** What waits for the password. */
  const [waiting, setWaiting] = useState<FormData | null>(null);
  const [refused, setRefused] = useState<ProblemError | null>(null);

  const perform = async (values: FormData) => {
    setPending(true);
    setError(null);
    const reason = String(values.get("reason") ?? "").trim();
    const answer = await props.send(values, reason);
    setPending(false);
    if (!answer.error) props.onDone(answer.data);
    else if (isAskedForPassword(answer.error)) setWaiting(values);
    else setError(answer.error);
  };
  const confirm = async (password: string) => {
    if (!waiting) return;
    setPending(true);
    setRefused(null);
    const { error: refusal } = await api.send<unknown>("POST", "admin/session/confirm", { password });
    setPending(false);
    if (refusal) return setRefused(refusal);
    setWaiting(null);
    await perform(waiting);
  };
  const submit = (then: (values: FormData) => Promise<void>) => (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!pending) void then(new FormData(event.currentTarget));
  };
  const faults = Object.fromEntries(
    (error?.details.fields ?? []).map(({ field, message }) => [field, capital(message)]),
  );

  return (
    <Dialog title={waiting ? "Confirm that it is you" : props.title} onClose={props.onClose}>
      {waiting && (
        <form
          method="post"
          aria-label="Confirm that it is you"
          onSubmit={submit((values) => confirm(String(values.get("password"))))}
        >
          <p>
            “{props.title}” asks for the password of whoever is signed in, unless it was typed in the last ten
            minutes.
          </p>
          {refused && (
            <Trouble error={refused} says={{ invalid_credentials: "That is not your password." }} />
          )}
          <Secret name="password" label="Your password" autoComplete="current-password" />
          <Actions confirm="Go on" pending={pending} onClose={props.onClose} />
        </form>
      )}
      {/* It stays in the page: what was typed in it is still needed. */}
      <form method="post" aria-label={props.title} hidden={waiting !== null} onSubmit={submit(perform)}>
        <FaultsContext.Provider value={faults}>
          {error && <Trouble error={error} />}
          {props.children}
          <TextArea
            name="reason"
            label="Reason"
            help="For whoever asks later. It is kept with your name."
            maxLength={REASON_MAX}
          />
          <Actions confirm={props.confirm} look={props.look} pending={pending} onClose={props.onClose} />
        </FaultsContext.Provider>
      </form>
    </Dialog>
  );
}

const capital = (sentence: string) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

/** A code of the server; an older one never says it. */
function isAskedForPassword(error: ProblemError): boolean {
  return error.code === "fresh_password_required";
}

function Actions(props: {
  confirm: string;
  look?: "primary" | "danger" | undefined;
  pending: boolean;
  onClose: () => void;
}): JSX.Element {
  return (
    <div data-part="actions">
      <Button type="submit" look={props.look ?? "primary"} busy={props.pending}>
        {props.confirm}
      </Button>
      <Button onClick={props.onClose}>Cancel</Button>
    </div>
  );
}
