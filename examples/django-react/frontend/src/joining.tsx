/** Below the sign-in form from step 5 on, for whoever cannot use it: Django's own views, which ask Tenure. */

import axios, { isAxiosError } from "axios";
import { type FormEvent, type JSX, useState } from "react";

interface Props {
  /** Called with what somebody has just signed up with. */
  signIn: (email: string, password: string) => Promise<unknown>;
}

export function Joining({ signIn }: Props): JSX.Element {
  const [wants, setWants] = useState<"a link" | "to join">();
  const [said, setSaid] = useState("");

  const sending = (work: (typed: (name: string) => string) => Promise<string>) => {
    return async (event: FormEvent<HTMLFormElement>) => {
      event.preventDefault();
      const values = new FormData(event.currentTarget);
      setSaid(await work((name) => `${values.get(name)}`).catch(inWords));
    };
  };
  const sendLink = sending(async (typed) => {
    await axios.post("/api/password/forgotten/", { email: typed("email") });
    return "If somebody has that address, a link is on its way.";
  });
  const join = sending(async (typed) => {
    const [name, email, password] = [typed("name"), typed("email"), typed("password")];
    await axios.post("/api/sign-up/", { name, email, password });
    await signIn(email, password);
    return "";
  });
  const email = (
    <label>
      Your email <input name="email" type="email" required />
    </label>
  );
  return (
    <aside>
      <button type="button" onClick={() => setWants("a link")}>
        Forgot password?
      </button>
      <button type="button" onClick={() => setWants("to join")}>
        New here?
      </button>
      {wants === "a link" && (
        <form onSubmit={sendLink} aria-label="Forgot password">
          {email}
          <button type="submit">Send a link</button>
        </form>
      )}
      {wants === "to join" && (
        <form onSubmit={join} aria-label="Sign up">
          <label>
            Your name <input name="name" required />
          </label>
          {email}
          <label>
            A password <input name="password" type="password" autoComplete="new-password" required />
          </label>
          <button type="submit">Sign up</button>
        </form>
      )}
      <p role="status">{said}</p>
    </aside>
  );
}

function inWords(error: unknown): string {
  const data = isAxiosError(error) ? error.response?.data : undefined;
  return data?.detail ?? "Please try again.";
}
