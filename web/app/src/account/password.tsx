import { ProblemError } from "@tenure/client";
import { useClient } from "@tenure/react";
import { ErrorSummary, Field, SubmitButton, textOf, useForm } from "@tenure/react/form.js";
import { useMessages } from "@tenure/react/messages.js";
import { Button, Icon } from "@tenure/react/parts.js";
import { type ComponentProps, type JSX, useState } from "react";
import { Outcome } from "./profile.js";

const idOf = (name: string) => `password-${name}`;

export function PasswordForm({ email, onChanged }: { email: string; onChanged: () => void }): JSX.Element {
  const client = useClient();
  const words = useMessages();
  const [changes, setChanges] = useState<{ count: number; ended: number }>({ count: 0, ended: 0 });
  const form = useForm({
    check: (values) => ({
      ...(!textOf(values, "current_password") && { current_password: "Enter your current password." }),
      ...(!textOf(values, "new_password") && { new_password: "Enter a new password." }),
    }),
    async send(values) {
      const { data, error } = await client.changePassword({
        current: textOf(values, "current_password"),
        next: textOf(values, "new_password"),
      });
      if (data) {
        setChanges(({ count }) => ({ count: count + 1, ended: data.endedSessions }));
        onChanged();
      }
      return error?.code === "invalid_credentials" ? wrongPassword(error) : error;
    },
  });
  const shared = { form, idOf };
  return (
    <form aria-label="Password" method="post" noValidate onSubmit={form.onSubmit}>
      <ErrorSummary {...shared} />
      {/* So that password managers know whose password it is. */}
      <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />
      {/* The keys empty both fields once the password is changed. */}
      <Secret
        {...shared}
        key={`current ${changes.count}`}
        name="current_password"
        label="Current password"
        autoComplete="current-password"
      />
      <Secret
        {...shared}
        key={`new ${changes.count}`}
        name="new_password"
        label="New password"
        autoComplete="new-password"
        help={words.passwordAdvice}
      />
      <p data-part="help">Your other devices are signed out; this browser stays signed in.</p>
      <Outcome
        text={changes.count > 0 ? `Your password is changed. ${endedSessions(changes.ended)}` : null}
      />
      <SubmitButton form={form} label="Change password" pendingLabel="Changing…" />
    </form>
  );
}

/** A password that can be looked at, until it is sent. */
function Secret(props: Omit<ComponentProps<typeof Field>, "after" | "type">): JSX.Element {
  const words = useMessages();
  const [shown, setShown] = useState(false);
  const does = `${shown ? words.hidePassword : words.showPassword}: ${props.label}`;
  const toggle = (
    <Button
      look="bare"
      data-part="reveal"
      aria-label={does}
      aria-controls={props.idOf(props.name)}
      onClick={() => setShown(!shown)}
    >
      <Icon name={shown ? "eyeOff" : "eye"} />
    </Button>
  );
  return <Field {...props} after={toggle} type={shown && !props.form.pending ? "text" : "password"} />;
}

/** At sign-in the server does not say which of the two is wrong; here it can only be one. */
function wrongPassword(error: ProblemError): ProblemError {
  const message = "That is not your current password.";
  return new ProblemError("validation_failed", "request", error.status, message, {
    ...error.details,
    fields: [{ field: "current_password", code: "wrong", message }],
  });
}

function endedSessions(count: number): string {
  if (count === 0) return "You were signed in nowhere else.";
  return count === 1 ? "One other session has ended." : `${count} other sessions have ended.`;
}
