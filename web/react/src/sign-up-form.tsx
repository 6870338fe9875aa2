import type { SignedIn } from "@tenure/client";
import { type JSX, type ReactNode, useState } from "react";
import { ErrorSummary, Field, PasswordField, SubmitButton, textOf, useForm } from "./form.js";
import { useServerStatus } from "./hooks.js";
import { useMessages } from "./messages.js";
import type { RootProps } from "./parts.js";
import { useClient } from "./provider.js";
import { RememberMeCheckbox } from "./remember-me-checkbox.js";

export interface SignUpFormProps extends RootProps {
  /** Called once the account is there, with null if the person has yet to sign in. */
  onSignUp?: ((signedIn: SignedIn | null) => void) | undefined;
  /** What the person has typed already, in a form that stood here before this one or on the page before. */
  defaultValues?: { name?: string; email?: string; password?: string; rememberMe?: boolean } | undefined;
  /** Stands for the heading; null leaves it out. */
  title?: ReactNode;
  /** Begins the `id` of each field. Change it only where two of these forms share a page. */
  idPrefix?: string | undefined;
  /** Stands below the button, as a link to signing in does. */
  children?: ReactNode;
}

/** Registers with name, e-mail and password. Where registration is closed it says so instead. */
export function SignUpForm(props: SignUpFormProps): JSX.Element {
  const { onSignUp, defaultValues = {}, title, idPrefix = "tenure-sign-up", children, ...root } = props;
  const client = useClient();
  const words = useMessages();
  const closed = useServerStatus()?.registrationOpen === false;
  const [done, setDone] = useState(false);
  const idOf = (name: string) => `${idPrefix}-${name}`;
  const form = useForm({
    check: (values) => ({
      ...(!textOf(values, "name").trim() && { name: words.nameMissing }),
      ...(!textOf(values, "email").trim() && { email: words.emailMissing }),
      ...(!textOf(values, "password") && { password: words.passwordMissing }),
    }),
    send: async (values) => {
      const { data, error } = await client.signUp({
        name: textOf(values, "name").trim(),
        email: textOf(values, "email").trim(),
        password: textOf(values, "password"),
        rememberMe: values.has("remember_me"),
      });
      if (!error) {
        setDone(data.signedIn === null);
        onSignUp?.(data.signedIn);
      }
      return error;
    },
  });
  const shared = { form, idOf };
  return (
    <section data-tenure="sign-up-form" {...root}>
      {title === undefined ? <h2 data-part="title">{words.signUpTitle}</h2> : title}
      <p role="status" data-part="outcome">
        {done ? words.signedUp : closed ? words.signUpClosed : null}
      </p>
      {!done && !closed && (
        <form aria-label={words.signUpTitle} method="post" noValidate onSubmit={form.onSubmit}>
          <ErrorSummary {...shared} />
          <Field
            {...shared}
            name="name"
            label={words.name}
            autoComplete="name"
            autoCapitalize="words"
            defaultValue={defaultValues.name}
          />
          <Field
            {...shared}
            name="email"
            label={words.email}
            type="email"
            autoComplete="username"
            defaultValue={defaultValues.email}
          />
          <PasswordField
            {...shared}
            autoComplete="new-password"
            help={words.passwordAdvice}
            defaultValue={defaultValues.password}
          />
          <RememberMeCheckbox id={idOf("remember-me")} defaultChecked={defaultValues.rememberMe} />
          <SubmitButton form={form} label={words.signUp} pendingLabel={words.signingUp} />
        </form>
      )}
      {children}
    </section>
  );
}
