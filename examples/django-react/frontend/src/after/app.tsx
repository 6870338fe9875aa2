/** The app's pages from step 7 on: what the client knows is what every tab shows. */

import type { Client } from "@tenure/client";
import { LogoutNotice, Protect, ReconnectingNotice, SessionProvider, SignInForm } from "@tenure/react";
import axios from "axios";
import { type JSX, useState } from "react";
import { Joining } from "../joining.js";
import { Tickets } from "../tickets.js";
import "@tenure/react/styles.css";

export function appOf(client: Client): () => JSX.Element {
  const api = axios.create();
  client.attachAxios(api);
  const signIn = (email: string, password: string) => client.signIn.password({ email, password });
  const signInPage = (
    <>
      <SignInForm />
      <Joining signIn={signIn} />
    </>
  );
  return function App() {
    const [signsInAgain, setSignsInAgain] = useState(false);
    return (
      <SessionProvider client={client}>
        <Protect fallback={signInPage} keepAfterEnd>
          {({ name }) => <Tickets api={api} name={name} onSignOut={() => void client.signOut()} />}
        </Protect>
        <LogoutNotice onContinue={() => setSignsInAgain(true)} />
        {signsInAgain && (
          <dialog open>
            <SignInForm idPrefix="again" onSignIn={() => setSignsInAgain(false)} />
          </dialog>
        )}
        <ReconnectingNotice />
      </SessionProvider>
    );
  };
}
