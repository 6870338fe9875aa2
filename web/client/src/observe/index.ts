/**
 * Observes an application that keeps its sign-ins by itself, and reports why it signs people out. It changes nothing: no
 * request, no error, no stored value of the application is another for it. No token leaves the page.
 */

import { watchEndings } from "./endings.js";
import { createEvidence } from "./evidence.js";
import { plainStorage } from "./keys.js";
import { type Settings, settingsOf } from "./options.js";
import { type Outbox, outboxOf } from "./outbox.js";
import type { Place } from "./places.js";
import { watchPresence } from "./presence.js";
import { drawn, type PlainStorage, type Profile, profileIn } from "./profile.js";
import { type AxiosLike, hearRequests, quietly } from "./requests.js";

export type { Place } from "./places.js";
export type { AxiosLike } from "./requests.js";

export interface ObserveOptions {
  /** The address of the Tenure server, whose `observe.origins` names the origin of this application. */
  reportTo: string;
  /** Which requests trade a token for another. A text is a part of the address. */
  refreshUrl: string | RegExp;
  /** Where people sign in. */
  signInPage: Place;
  /** The keys of `localStorage` or `sessionStorage` that hold the sign-in; none where it is in memory or in cookies. */
  storageKeys?: readonly string[];
  /** Which requests tell the back end that somebody signs out. Left out, those whose path says so. */
  signOutUrl?: string | RegExp;
  /** An instance that sends by other ways than `fetch` and `XMLHttpRequest`, which are heard of anyway. */
  axios?: AxiosLike;
  /** Which part of all browsers is observed, from 0 to 1; all of them if left out. */
  sample?: number;
  /** The release of your application, sent along. */
  release?: string;
}

export interface Observer {
  /** What this browser is called: `tenure explain obs_...`. */
  readonly profile: string;
  /** Stops observing, and undoes what nobody has wrapped since. */
  stop(): void;
}

/** The server keeps no more of it. */
const RELEASE_MAX = 64;

/** What there is once in a page, however many copies of this module are in it. */
interface Here {
  running?: Observer | undefined;
  /** What this load of the page is called. */
  readonly page: string;
  /** The number of what it has seen last. */
  seen: number;
}

const HERE = Symbol.for("@tenure/client/observe");
const IDLE: Observer = { profile: "", stop() {} };
let hasWarned = false;

/** Observes from now on. Called again, or on a server, it does nothing. Call it before the application sends or stores anything. */
export function observe(options: ObserveOptions): Observer {
  if (typeof window === "undefined") return IDLE;
  const listening = new AbortController();
  try {
    const host = window as { [HERE]?: Here };
    host[HERE] ??= { page: drawn(6), seen: 0 };
    const here = host[HERE];
    here.running ??= start(settingsOf(options), here, listening);
    return here.running;
  } catch (error) {
    // What was begun is undone.
    listening.abort();
    if (!hasWarned) console.warn(`@tenure/client/observe does not observe: ${error}`);
    hasWarned = true;
    return IDLE;
  }
}

function start(options: Settings, here: Here, listening: AbortController): Observer {
  const local = plainStorage("localStorage");
  const tab = plainStorage("sessionStorage");
  const profile = profileIn(local);
  const { signal } = listening;
  const observer = { profile: profile.id, stop };
  let outbox: Outbox | undefined;

  /** Everything of ours listens to the signal, also what somebody has wrapped since and holds on to. */
  function stop(): void {
    quietly(() => outbox?.flush());
    listening.abort();
    if (here.running === observer) here.running = undefined;
  }

  if (profile.share < (options.sample ?? 1)) outbox = watch(options, here, profile, { local, tab }, signal);
  return observer;
}

function watch(
  options: Settings,
  here: Here,
  profile: Profile,
  storage: { readonly local: PlainStorage; readonly tab: PlainStorage },
  signal: AbortSignal,
): Outbox {
  const { page } = here;
  const { url, release } = options;
  const head = {
    profile: profile.id,
    page,
    ...(release && { release: String(release).slice(0, RELEASE_MAX) }),
  };
  const number = () => ++here.seen;
  const outbox = outboxOf(url, head, number, window.fetch.bind(window), storage.local, signal);
  const presence = watchPresence(page, storage.local, signal);
  const evidence = createEvidence(options, profile, outbox, signal);
  hearRequests(evidence.hear, options.axios, signal);
  const endings = watchEndings(options, evidence, presence, outbox, profile, storage.tab, signal);

  function leave(): void {
    evidence.leave();
    endings.leave();
    outbox.flush();
  }

  const on = <E extends Event>(target: EventTarget, name: string, work: (event: E) => void) =>
    target.addEventListener(name, (event) => void quietly(() => work(event as E)), { signal });
  on(window, "pagehide", leave);
  on<PageTransitionEvent>(window, "pageshow", ({ persisted }) => {
    evidence.comeBack(persisted);
    if (persisted) endings.comeBack();
  });
  on(window, "online", outbox.resend);
  on(document, "visibilitychange", () => document.visibilityState === "hidden" && outbox.flush());
  outbox.resend();
  return outbox;
}
