/** The account: who the person is, their password, where they are signed in, and the ways out. */

import type { User } from "@tenure/client";
import {
  BlockedNotice,
  DeviceList,
  isInvoluntary,
  LogoutNotice,
  LogoutReasonBanner,
  Protect,
  ReconnectingNotice,
  SignedOut,
  UserButton,
  useAuthState,
} from "@tenure/react";
import { type JSX, type ReactNode, useEffect, useReducer } from "react";
import { withReturn } from "../return-target.js";
import { PasswordForm } from "./password.js";
import { AccountAndPlan } from "./plan.js";
import { ProfileForm } from "./profile.js";
import { SignOut } from "./sign-out.js";

/** The way to the sign-in form and back to the part of the page that was asked for. */
function signInAddress(): string {
  return withReturn("sign-in", location.pathname + location.hash);
}

export function AccountPage(): JSX.Element {
  return (
    <>
      <header className="masthead">
        <p className="brand">Tenure</p>
        <UserButton />
      </header>
      <main id="main" className="column" tabIndex={-1} data-tenure="page">
        <h1>Your account</h1>
        <ReconnectingNotice />
        <SignedOut>
          <SignedOutHere />
        </SignedOut>
        <Protect keepAfterEnd unknown={<p role="status">Loading…</p>}>
          {(user) => <Account user={user} />}
        </Protect>
      </main>
      <LogoutNotice onContinue={() => location.assign(signInAddress())} />
    </>
  );
}

function Account({ user }: { user: User }): JSX.Element {
  // The list is fetched again when sessions were ended next to it.
  const [ended, count] = useReducer((before: number) => before + 1, 0);
  useEffect(() => {
    // The part that the address names was not there yet when the browser looked for it.
    const part = document.getElementById(location.hash.slice(1));
    part?.scrollIntoView();
    part?.querySelector<HTMLElement>("h2")?.focus();
  }, []);
  return (
    <>
      <BlockedNotice />
      <Part id="profile" title="Profile">
        <ProfileForm user={user} />
      </Part>
      <Part id="plan" title="Account and plan">
        <AccountAndPlan />
      </Part>
      <Part id="password" title="Password">
        <PasswordForm email={user.email} onChanged={count} />
      </Part>
      <DeviceList
        key={ended}
        className="card"
        id="devices"
        title={<Title of="devices">Your devices</Title>}
      />
      <Part id="sign-out" title="Sign out">
        <SignOut onOthersEnded={count} />
      </Part>
    </>
  );
}

function Part({ id, title, children }: { id: string; title: string; children: ReactNode }): JSX.Element {
  return (
    <section className="card" id={id} aria-labelledby={`${id}-title`}>
      <Title of={id}>{title}</Title>
      {children}
    </section>
  );
}

function Title({ of, children }: { of: string; children: ReactNode }): JSX.Element {
  return (
    <h2 data-part="title" id={`${of}-title`} tabIndex={-1}>
      {children}
    </h2>
  );
}

/**
 * Why nobody is signed in, and the way back; what was open when a session ended stays below it. Only whoever has
 * nothing to read here is sent on without a click.
 */
function SignedOutHere(): JSX.Element {
  const state = useAuthState();
  const reason = state.status === "signedOut" ? state.reason : undefined;
  useEffect(() => {
    if (reason === "never_signed_in") location.replace(signInAddress());
    // The button that was pressed is gone, and the focus with it. In an involuntary end the dialog has it.
    else if (reason && !isInvoluntary(reason)) document.getElementById("main")?.focus();
  }, [reason]);
  return (
    <div className="card">
      <LogoutReasonBanner closeAfterMs={null} />
      <p data-part="actions">
        <a data-part="button" data-look="primary" href={signInAddress()}>
          Sign in to your account
        </a>
      </p>
    </div>
  );
}
