/** When somebody was signed out: their keys are gone and stay so, or the page went to where people sign in. */

import type { Evidence } from "./evidence.js";
import { hearKeys, type Removal } from "./keys.js";
import type { Outbox, Sight } from "./outbox.js";
import { hearNavigation, isAt, type Place, toldPath } from "./places.js";
import type { Presence } from "./presence.js";
import { type PlainStorage, type Profile, readJson } from "./profile.js";
import { quietly } from "./requests.js";

export interface Endings {
  /** The page goes away. */
  leave(): void;
  /** It is there again, as it was. */
  comeBack(): void;
}

export interface EndingsOptions {
  readonly signInPage: Place;
  readonly storageKeys?: readonly string[];
}

/** Between the removal of a sign-in and the moment when it is clear that no other follows. */
const SETTLE_MS = 400;
/** By then another tab has told of what it did, or it is none that tells. */
const OTHERS_MS = 2000;
/** A sign-in may be written to several keys. */
const SIGNING_IN_MS = 1000;
/** What failed so long before a sign-out is told with it. */
const RECENT_MS = 15_000;
/** What the next page of this tab has to know. */
const MEMO = "tenure:observed-page";

interface Memo {
  /** The sign-out that this page would have been, if the next does not say otherwise. */
  readonly out?: Sight;
  readonly failures?: Sight[];
  /** Whether keys held the sign-in. */
  readonly held?: boolean;
  /** The last sign-out that was known of. */
  readonly known?: number | undefined;
}

export function watchEndings(
  options: EndingsOptions,
  evidence: Evidence,
  presence: Presence,
  outbox: Outbox,
  profile: Profile,
  tab: PlainStorage,
  signal: AbortSignal,
): Endings {
  const loadedAt = Date.now();
  /** A sign-out that another sign-in may still undo. */
  let pending: { sight: Sight; timer: ReturnType<typeof setTimeout> } | undefined;
  const isSignInPage = () => isAt(options.signInPage, location);
  let wasAtSignIn = isSignInPage();
  /** The last sign-out that was told of when somebody was still signed in. */
  let known = profile.known().out;
  let signedInAt = 0;
  const isUntold = () => profile.known().out === known;
  const isOut = () => !keys.holds();

  function isSignedIn(): boolean {
    const at = evidence.signedInAt();
    return keys.holds() || (at !== undefined && at > (profile.known().out ?? 0));
  }

  function signOut(how: Removal | "vanished" | "navigated"): Sight {
    const at = Date.now();
    return {
      kind: "sign_out",
      at,
      how,
      path: toldPath(location.pathname),
      idleMs: presence.idleMs(),
      inputAgoMs: presence.inputAgoMs(),
      pageAgeMs: at - loadedAt,
      tabs: presence.tabs(),
      ...evidence.ofSignOut(),
    };
  }

  function settle(sight: Sight, isStill: () => boolean): void {
    if (pending) return;
    const decide = () => {
      pending = undefined;
      if (isStill()) tell(sight);
      else if (!isUntold()) evidence.forget();
    };
    const ms = sight.how === "vanished" ? OTHERS_MS : SETTLE_MS;
    pending = { sight, timer: setTimeout(() => void quietly(decide), ms) };
  }

  function settled(): Sight | undefined {
    clearTimeout(pending?.timer);
    const sight = pending?.sight;
    pending = undefined;
    return sight;
  }

  function tell(sight: Sight): void {
    for (const failure of evidence.failures()) if (sight.at - failure.at < RECENT_MS) outbox.add(failure);
    evidence.forget();
    known = sight.at;
    profile.note({ out: sight.at, isIn: false });
    outbox.add(sight);
    outbox.flush();
  }

  /** Nobody else tells of it: no tab that is observed did it. */
  const vanish = (sight: Sight) => settle(sight, () => isOut() && isUntold());

  const keys = hearKeys(
    options.storageKeys ?? [],
    {
      written(key, value, { wasHeld, isOtherTab }) {
        const isBack = !wasHeld && keys.holds();
        const undone = isBack && pending?.sight.how !== "navigated" ? settled() : undefined;
        const isReplaced = undone !== undefined && undone.how !== "vanished";
        if (isBack) known = profile.known().out;
        if (isBack && !isReplaced && !isOtherTab) {
          signedInAt = Date.now();
          outbox.add({ kind: "sign_in", at: signedInAt });
        }
        // A tab that slept hears late of what others have written; and what is written later is of a refresh.
        evidence.learn(value, key, !isOtherTab && Date.now() - signedInAt < SIGNING_IN_MS);
      },
      gone(how, isOtherTab) {
        if (isOtherTab) vanish(signOut("vanished"));
        else settle(signOut(how), isOut);
      },
      clearing: profile.clearing,
    },
    signal,
  );

  function moved(): void {
    keys.look();
    const isThere = isSignInPage();
    if (isThere && !wasAtSignIn && isSignedIn()) settle(signOut("navigated"), isSignInPage);
    wasAtSignIn = isThere;
  }

  function learnKeys(): void {
    for (const [key, value] of keys.values()) evidence.learn(value, key, false);
  }

  function arrived(): void {
    const memo = readJson(tab.get(MEMO)) as Memo;
    tab.remove(MEMO);
    learnKeys();
    const path = toldPath(location.pathname);
    outbox.add({ kind: "page", at: loadedAt, path, tabs: presence.tabs() });
    const { out, failures } = memo;
    // What another tab has told of since, as while this one was closed, is no news.
    if (typeof out?.at !== "number" || memo.known !== known) return;
    evidence.remember(Array.isArray(failures) ? failures : []);
    if (out.how === "vanished") vanish({ ...out, kind: "sign_out" });
    else if (wasAtSignIn) settle({ ...out, kind: "sign_out", how: "navigated" }, isSignInPage);
    else if (memo.held && isOut()) vanish(signOut("vanished"));
  }

  hearNavigation(moved, signal);
  signal.addEventListener("abort", settled);
  arrived();
  return {
    leave() {
      keys.look();
      const sight = settled();
      // One of before, of a page that came back from the browser's cache, is out of date.
      tab.remove(MEMO);
      if (sight && /removed|cleared/.test(String(sight.how))) return tell(sight);
      const out = sight ?? (isSignedIn() && !wasAtSignIn ? signOut("navigated") : undefined);
      if (!out) return;
      const memo: Memo = { out, failures: evidence.failures(), held: keys.holds(), known };
      tab.set(MEMO, JSON.stringify(memo));
    },
    comeBack() {
      settled();
      tab.remove(MEMO);
      keys.resync();
      learnKeys();
      known = profile.known().out;
      wasAtSignIn = isSignInPage();
    },
  };
}
