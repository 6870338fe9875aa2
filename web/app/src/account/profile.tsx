import type { User } from "@tenure/client";
import { useClient } from "@tenure/react";
import { ErrorSummary, Field, SubmitButton, textOf, useForm } from "@tenure/react/form.js";
import { useMessages } from "@tenure/react/messages.js";
import { type JSX, useState } from "react";

const idOf = (name: string) => `profile-${name}`;

export function ProfileForm({ user }: { user: User }): JSX.Element {
  const client = useClient();
  const words = useMessages();
  const [saved, setSaved] = useState<string | null>(null);
  const form = useForm({
    check: (values): Record<string, string> =>
      textOf(values, "name").trim() ? {} : { name: words.nameMissing },
    async send(values) {
      setSaved(null);
      const { data, error } = await client.updateProfile({ name: textOf(values, "name").trim() });
      if (data) setSaved(`Saved. You are ${data.name} from now on.`);
      return error;
    },
  });
  const shared = { form, idOf };
  return (
    <form aria-label="Profile" method="post" noValidate onSubmit={form.onSubmit}>
      <ErrorSummary {...shared} />
      <div data-part="field">
        <span data-part="label">{words.email}</span>
        <span>{user.email}</span>
      </div>
      {/* Saved elsewhere, it is shown here as well; the key lets the field take the new name. */}
      <Field
        {...shared}
        key={user.name}
        name="name"
        label={words.name}
        autoComplete="name"
        autoCapitalize="words"
        defaultValue={user.name}
      />
      <Outcome text={saved} />
      <SubmitButton form={form} label="Save" pendingLabel="Saving…" />
    </form>
  );
}

/** A sentence that is read out when it appears. */
export function Outcome({ text }: { text: string | null }): JSX.Element {
  return (
    <p role="status" data-part="outcome">
      {text}
    </p>
  );
}
