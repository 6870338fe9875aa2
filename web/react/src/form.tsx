/** What the forms share: fields that keep what a password manager put in, and errors that can be found and read. */

import type { ProblemError } from "@tenure/client";
import {
  type FormEvent,
  type InputHTMLAttributes,
  type JSX,
  type MouseEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useRef,
  useState,
} from "react";
import { useMessages, type Words } from "./messages.js";
import { Button, Icon } from "./parts.js";
import { useTick } from "./time.js";

/** Sentences by the name of the field that is at fault. */
export type Faults = Readonly<Record<string, string>>;

interface Failure {
  readonly fields: Faults;
  readonly error: ProblemError | null;
  /** By this device's clock; the past where the person may try again at once. */
  readonly retryAt: number;
}

interface Intent {
  /** What the form can see by itself to be at fault. */
  check(values: FormData): Faults;
  /** Sends it, and tells how that failed. */
  send(values: FormData): Promise<ProblemError | null>;
}

export interface FormState {
  readonly pending: boolean;
  readonly failure: Failure | null;
  readonly summary: RefObject<HTMLDivElement | null>;
  onSubmit(event: FormEvent<HTMLFormElement>): void;
}

export function useForm({ check, send }: Intent): FormState {
  const words = useMessages();
  const [pending, setPending] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const summary = useRef<HTMLDivElement | null>(null);
  useEffect(() => {
    if (failure) summary.current?.focus();
  }, [failure]);

  const submit = async (values: FormData) => {
    const faults = check(values);
    if (Object.keys(faults).length > 0) return setFailure({ fields: faults, error: null, retryAt: 0 });
    setPending(true);
    try {
      const error = await send(values);
      setFailure(error && failureOf(error, words));
    } finally {
      setPending(false);
    }
  };
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (pending) return;
    // The server has said how long it will not listen, and asking sooner may prolong it.
    if (failure && failure.retryAt > Date.now()) summary.current?.focus();
    else void submit(new FormData(event.currentTarget));
  };
  return { pending, failure, summary, onSubmit };
}

function failureOf(error: ProblemError, words: Words): Failure {
  const faults = (error.details.fields ?? []).map(
    ({ field, code, message }) => [field, words.fields[code] ?? message] as const,
  );
  return {
    fields: Object.fromEntries(faults),
    error,
    retryAt: Date.now() + (error.details.retryAfterMs ?? 0),
  };
}

/** What went wrong, above the form and focused: first as a whole, then as links to the fields. */
export function ErrorSummary({ form, idOf }: { form: FormState; idOf: (name: string) => string }) {
  const words = useMessages();
  const { failure } = form;
  const wait = failure ? failure.retryAt - Date.now() : 0;
  useTick(wait > 0 ? 1000 : null);
  if (!failure) return null;

  const goTo = (name: string) => (event: MouseEvent) => {
    // Following the link would write into the address, where a router may listen.
    event.preventDefault();
    document.getElementById(idOf(name))?.focus();
  };
  const { error, fields } = failure;
  const asked = error?.details.retryAfterMs;
  const title = idOf("error-title");
  const body = idOf("error-body");
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset groups fields; this groups what is wrong with them.
    <div
      ref={form.summary as RefObject<HTMLDivElement>}
      data-part="error-summary"
      role="group"
      tabIndex={-1}
      aria-labelledby={title}
      aria-describedby={body}
    >
      <p data-part="error-title" id={title}>
        {words.errorTitle}
      </p>
      <div id={body}>
        {error && <p>{words.sentence(error)}</p>}
        {asked !== undefined && (
          <p>{wait > 0 ? words.tryAgainIn(words.duration(wait)) : words.tryAgainNow}</p>
        )}
        {Object.keys(fields).length > 0 && (
          <ul>
            {Object.entries(fields).map(([name, sentence]) => (
              <li key={name}>
                <a href={`#${idOf(name)}`} onClick={goTo(name)}>
                  {sentence}
                </a>
              </li>
            ))}
          </ul>
        )}
        {error?.problemClass === "transport" && error.details.requestId && (
          <p data-part="help">{words.reference(error.details.requestId)}</p>
        )}
      </div>
    </div>
  );
}

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "form"> {
  form: FormState;
  idOf: (name: string) => string;
  name: string;
  label: string;
  help?: string | undefined;
  /** Stands beside the input. */
  after?: ReactNode;
}

/** A labelled input. It is uncontrolled: the page's script may arrive after the person or their password manager. */
export function Field({ form, idOf, name, label, help, after, ...input }: FieldProps): JSX.Element {
  const id = idOf(name);
  const fault = form.failure?.fields[name];
  const describedBy = [fault && `${id}-error`, help && `${id}-help`].filter(Boolean).join(" ");
  return (
    <div data-part="field">
      <label data-part="label" htmlFor={id}>
        {label}
      </label>
      {fault && (
        <p data-part="error" id={`${id}-error`}>
          {fault}
        </p>
      )}
      <div data-part="control">
        <input
          data-part="input"
          id={id}
          name={name}
          required
          autoCapitalize="none"
          spellCheck={false}
          aria-invalid={fault ? true : undefined}
          aria-describedby={describedBy || undefined}
          {...input}
        />
        {after}
      </div>
      {help && (
        <p data-part="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

/** A password that can be looked at. While it is sent it is hidden again, or the browser would remember it as text. */
export function PasswordField(props: Omit<FieldProps, "label" | "name" | "after" | "type">): JSX.Element {
  const words = useMessages();
  const [shown, setShown] = useState(false);
  const does = shown ? words.hidePassword : words.showPassword;
  const toggle = (
    <Button
      look="bare"
      data-part="reveal"
      aria-label={does}
      title={does}
      aria-controls={props.idOf("password")}
      onClick={() => setShown(!shown)}
    >
      <Icon name={shown ? "eyeOff" : "eye"} />
    </Button>
  );
  return (
    <Field
      {...props}
      name="password"
      label={words.password}
      after={toggle}
      type={shown && !props.form.pending ? "text" : "password"}
    />
  );
}

/** A value of a form as text. */
export function textOf(values: FormData, name: string): string {
  const value = values.get(name);
  return typeof value === "string" ? value : "";
}

/** The button that sends. It stays focusable while an answer is awaited, so that the focus is not lost. */
export function SubmitButton({
  form,
  label,
  pendingLabel,
}: {
  form: FormState;
  label: string;
  pendingLabel: string;
}) {
  return (
    <Button type="submit" look="primary" busy={form.pending}>
      {form.pending ? pendingLabel : label}
    </Button>
  );
}
