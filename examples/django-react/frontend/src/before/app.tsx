/** The app's own pages around a session, until step 7. */

import { type FormEvent, type JSX, useEffect, useState } from "react";
import { Joining } from "../joining.js";
import { Tickets } from "../tickets.js";
import { leave, type Session } from "./session.js";

interface Options {
  /** Whether the form asks how long somebody wants to stay (step 6). */
  asksHowLong?: boolean;
  /** Whether people join by way of Tenure (step 5). */
  joins?: boolean;
}

export function appWith(session: Session, options: Options = {}): () => JSX.Element | null {
  return function App() {
    const [name, setName] = useState<string | null>();
    useEffect(() => {
      void session.name().then(setName);
    }, []);
    const isSignIn = location.pathname === "/sign-in";
    useEffect(() => {
      if (name === null && !isSignIn) leave();
      if (name && isSignIn) location.replace("/");
    }, [name, isSignIn]);
    if (isSignIn && name === null) return <SignIn session={session} {...options} />;
    if (!name || isSignIn) return null;
    const signOut = () => void session.signOut().finally(leave);
    return <Tickets api={session.api} name={name} onSignOut={signOut} />;
  };
}

function SignIn({ session, asksHowLong, joins }: Options & { session: Session }): JSX.Element {
  const [said, setSaid] = useState<string>();
  const signIn = async (email: string, password: string, rememberMe: boolean) => {
    const error = await session.signIn(email, password, rememberMe);
    if (error) setSaid(error);
    else location.assign("/");
  };
  const onSubmit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const typed = new FormData(event.currentTarget);
    const rememberMe = !asksHowLong || typed.has("remember");
    await signIn(`${typed.get("email")}`, `${typed.get("password")}`, rememberMe);
  };
  const form = (
    <form onSubmit={onSubmit} aria-label="Sign in">
      <h1>Sign in</h1>
      <label>
        Email <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      {asksHowLong && (
        <label>
          <input name="remember" type="checkbox" /> Remember me for 20 days
        </label>
      )}
      <button type="submit">Sign in</button>
      <p role="alert">{said}</p>
    </form>
  );
  const signInNew = (email: string, password: string) => signIn(email, password, !asksHowLong);
  return (
    <>
      {form}
      {joins && <Joining signIn={signInNew} />}
    </>
  );
}
