/** Signing in to the console, which is no session of a user and ends none. */

import type { ProblemError } from "@tenure/client";
import type { ConsoleAnswer } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type FormEvent, type JSX, useEffect, useState } from "react";
import type { Api } from "./api.js";
import { Dialog } from "./dialog.js";
import { Field, Secret, textOf } from "./form.js";
import { Trouble } from "./parts.js";

interface SignInProps {
  api: Api;
  onSignedIn: (answer: ConsoleAnswer) => void;
}

export function SignInPage(props: SignInProps): JSX.Element {
  useEffect(() => {
    document.title = "Sign in · Console · Tenure";
  }, []);
  return (
    <>
      <header className="masthead">
        <p className="brand">Tenure</p>
      </header>
      <main id="main" className="narrow" tabIndex={-1}>
        <div className="card">
          <h1 data-part="title">Console</h1>
          <p>
            For people who run this service. Signing in here is apart from signing in to your own account.
          </p>
          <SignInForm {...props} />
          <details>
            <summary data-part="summary">There is no account to sign in with yet</summary>
            <p>
              No account comes with the server. On its machine, <code>tenure admin create</code> makes the
              first one; it asks for an e-mail address and a password.
            </p>
          </details>
        </div>
      </main>
    </>
  );
}

interface SignInAgainProps extends SignInProps {
  email: string;
  onClose: () => void;
}

/** Above the page, which stays as it is. */
export function SignInAgain({ email, onClose, ...props }: SignInAgainProps): JSX.Element {
  return (
    <Dialog title="Your time in the console is over" onClose={onClose}>
      <p>Sign in again to go on. What you entered is still here.</p>
      <SignInForm {...props} email={email} onClose={onClose} />
    </Dialog>
  );
}

function SignInForm(props: SignInProps & { email?: string; onClose?: () => void }): JSX.Element {
  const { api, onSignedIn, email, onClose } = props;
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<ProblemError | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (pending) return;
    const values = new FormData(event.currentTarget);
    setPending(true);
    setError(null);
    const answer = await api.send<ConsoleAnswer>("POST", "admin/session", {
      email: textOf(values, "email"),
      // A password may begin or end with a space.
      password: String(values.get("password") ?? ""),
    });
    setPending(false);
    if (answer.data) onSignedIn(answer.data);
    else setError(answer.error);
  };
  return (
    <form method="post" aria-label="Sign in" onSubmit={(event) => void submit(event)}>
      {error && <Trouble error={error} says={{ invalid_credentials: "E-mail or password is wrong." }} />}
      <Field name="email" label="E-mail" type="email" autoComplete="username" required defaultValue={email} />
      <Secret name="password" label="Password" autoComplete="current-password" />
      <div data-part="actions">
        <Button type="submit" look="primary" busy={pending}>
          {pending ? "Signing in…" : "Sign in"}
        </Button>
        {onClose && <Button onClick={onClose}>Leave the console</Button>}
      </div>
    </form>
  );
}
