import type { SignedIn } from "@tenure/client";
import type { JSX, ReactNode } from "react";
import { ErrorSummary, Field, PasswordField, SubmitButton, textOf, useForm } from "./form.js";
import { LogoutReasonBanner } from "./logout-reason-banner.js";
import { useMessages } from "./messages.js";
import type { RootProps } from "./parts.js";
import { useClient } from "./provider.js";
import { RememberMeCheckbox } from "./remember-me-checkbox.js";

export interface SignInFormProps extends RootProps {
  /** Called once the person is signed in. The state has changed by then. */
  onSignIn?: ((signedIn: SignedIn) => void) | undefined;
  /** What the person has typed already, in a form that stood here before this one or on the page before. */
  defaultValues?: { email?: string; password?: string; rememberMe?: boolean } | undefined;
  /** Stands for the heading; null leaves it out. */
  title?: ReactNode;
  /** Where the form is posted to by a browser that runs no script. */
  action?: string | undefined;
  /** Begins the `id` of each field. Change it only where two of these forms share a page. */
  idPrefix?: string | undefined;
  /** Stands below the button, as a link to registration does. */
  children?: ReactNode;
}

/** Signs in with e-mail and password. If the person was signed out, it first says why. */
export function SignInForm(props: SignInFormProps): JSX.Element {
  const {
    onSignIn,
    defaultValues = {},
    title,
    action,
    idPrefix = "tenure-sign-in",
    children,
    ...root
  } = props;
  const client = useClient();
  const words = useMessages();
  const idOf = (name: string) => `${idPrefix}-${name}`;
  const form = useForm({
    check: (values) => ({
      ...(!textOf(values, "email").trim() && { email: words.emailMissing }),
      ...(!textOf(values, "password") && { password: words.passwordMissing }),
    }),
    send: async (values) => {
      const { data, error } = await client.signIn.password({
        email: textOf(values, "email").trim(),
        password: textOf(values, "password"),
        rememberMe: values.has("remember_me"),
      });
      if (data) onSignIn?.(data);
      return error;
    },
  });
  const shared = { form, idOf };
  return (
    <section data-tenure="sign-in-form" {...root}>
      <LogoutReasonBanner onClose={() => document.getElementById(idOf("email"))?.focus()} />
      {title === undefined ? <h2 data-part="title">{words.signInTitle}</h2> : title}
      <form aria-label={words.signInTitle} action={action} method="post" noValidate onSubmit={form.onSubmit}>
        <ErrorSummary {...shared} />
        <Field
          {...shared}
          name="email"
          label={words.email}
          type="email"
          autoComplete="username"
          defaultValue={defaultValues.email}
        />
        <PasswordField {...shared} autoComplete="current-password" defaultValue={defaultValues.password} />
        <RememberMeCheckbox id={idOf("remember-me")} defaultChecked={defaultValues.rememberMe} />
        <SubmitButton form={form} label={words.signIn} pendingLabel={words.signingIn} />
      </form>
      {children}
    </section>
  );
}
