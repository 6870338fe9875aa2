/** Who is signed in to the console, and around every page what is always there. */

import type { ProblemError } from "@tenure/client";
import type { ConsoleAnswer } from "@tenure/client/api.gen.js";
import { type JSX, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Api } from "./api.js";
import { type Console, ConsoleContext } from "./context.js";
import { Trouble } from "./parts.js";
import { linkTo, placeOf } from "./router.js";
import { type Said, Shell } from "./shell.js";
import { SignInAgain, SignInPage } from "./sign-in.js";

export function App({ base }: { base: string }): JSX.Element {
  const { api, me, isOver, isOut, error, ask, enter, leave } = useStanding(base);
  if (isOut) return <SignInPage api={api} onSignedIn={enter} />;
  if (!me) {
    return <Bare>{error ? <Trouble error={error} onRetry={ask} /> : <p data-part="help">Reading…</p>}</Bare>;
  }
  return (
    <>
      {/* Another person begins anew. */}
      <Pages key={me.user.id} {...{ api, base, me, leave }} />
      {isOver && <SignInAgain api={api} email={me.user.email} onSignedIn={enter} onClose={leave} />}
    </>
  );
}

/**
 * Nobody is taken for signed out but by a 401 of `admin/session` itself: whatever else is answered, and if nothing is,
 * the page stays as it is.
 */
function useStanding(base: string) {
  const [me, setMe] = useState<ConsoleAnswer | null>(null);
  const [standing, setStanding] = useState<"unknown" | "in" | "over" | "out">("unknown");
  const [error, setError] = useState<ProblemError | null>(null);
  // Whoever reports a doubt is made before it can be asked about.
  const asking = useRef<() => void>(() => {});
  const api = useMemo(() => new Api(base, () => asking.current()), [base]);
  const enter = useCallback((answer: ConsoleAnswer) => {
    setMe(answer);
    setStanding("in");
    setError(null);
  }, []);
  const ask = useCallback(async () => {
    setError(null);
    const answer = await api.get<ConsoleAnswer>("admin/session");
    if (answer.data) enter(answer.data);
    else if (answer.error.status === 401)
      setStanding((before) => (before === "in" || before === "over" ? "over" : "out"));
    else setError(answer.error);
  }, [api, enter]);
  const leave = useCallback(() => {
    setMe(null);
    setStanding("out");
  }, []);
  asking.current = () => void ask();
  useEffect(() => void ask(), [ask]);
  return {
    api,
    me,
    isOver: standing === "over",
    isOut: standing === "out",
    error,
    ask: () => void ask(),
    enter,
    leave,
  };
}

function Bare({ children }: { children: JSX.Element }): JSX.Element {
  return (
    <>
      <header className="masthead">
        <p className="brand">Tenure</p>
      </header>
      <main id="main" className="narrow" tabIndex={-1}>
        <h1 data-part="title">Console</h1>
        {children}
      </main>
    </>
  );
}

function Pages(props: { api: Api; base: string; me: ConsoleAnswer; leave: () => void }): JSX.Element {
  const { api, base, me, leave } = props;
  const [address, setAddress] = useState(location.href);
  const [said, setSaid] = useState<Said | null>(null);
  const place = placeOf(new URL(address), base);
  useEffect(() => {
    const follow = () => setAddress(location.href);
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  const context = useMemo<Console>(
    () => ({
      api,
      me,
      can: (right) => me.permissions.includes(right),
      href: (page, id, query) => linkTo(base, page, id, query),
      go(to) {
        history.pushState(null, "", to);
        setAddress(location.href);
        setSaid(null);
      },
      say: (sentence) => setSaid({ sentence }),
    }),
    [api, base, me],
  );
  const page = `${place.page} ${place.id}`;
  const shown = useRef(page);
  useEffect(() => {
    if (shown.current === page) return;
    shown.current = page;
    scrollTo(0, 0);
    // What was said of an act has the focus, if it led here.
    if (said === null) document.querySelector<HTMLElement>("main h1")?.focus();
  }, [page, said]);
  return (
    <ConsoleContext.Provider value={context}>
      <Shell place={place} said={said} onSignedOut={leave} />
    </ConsoleContext.Provider>
  );
}
