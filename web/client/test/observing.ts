/** A page that is observed, and what it reports, for the tests of the observer. */

import { afterEach, beforeEach, type Mock, vi } from "vitest";
import { type ObserveOptions, type Observer, observe } from "../src/observe/index.js";
import type { Sight } from "../src/observe/outbox.js";

export const REPORT_TO = "https://auth.example.com";
const URL_OF_REPORTS = `${REPORT_TO}/api/v1/observations`;

/** A JWT as simplejwt makes them. */
export const jwt = (claims: object): string =>
  `eyJhbGciOiJIUzI1NiJ9.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.c2lnbmF0dXJlLW9mLXRva2Vu`;

/** What the network does: reports are taken, and everything else is answered as a test says. */
export let network: Mock<typeof fetch>;
let answers: typeof fetch;
let observers: Observer[] = [];

/** What requests of the page are answered from now on. */
export function answering(how: typeof fetch): void {
  answers = how;
}

beforeEach(() => {
  vi.useFakeTimers();
  answers = async () => Response.json({ ok: true });
  network = vi.fn<typeof fetch>(async (input, init) =>
    String(input) === URL_OF_REPORTS ? new Response(null, { status: 202 }) : answers(input, init),
  );
  vi.stubGlobal("fetch", network);
});

afterEach(() => {
  for (const observer of observers) observer.stop();
  observers = [];
  vi.useRealTimers();
  vi.unstubAllGlobals();
  localStorage.clear();
  sessionStorage.clear();
  history.replaceState(null, "", "/");
});

export function watch(options: Partial<ObserveOptions> = {}): Observer {
  const observer = observe({
    reportTo: REPORT_TO,
    refreshUrl: /token\/refresh/,
    signInPage: "/login",
    storageKeys: ["access_token", "refresh_token"],
    ...options,
  });
  observers.push(observer);
  return observer;
}

/** The bodies of all reports until now. */
export const reports = (): string[] =>
  network.mock.calls.filter(([url]) => url === URL_OF_REPORTS).map(([, init]) => String(init?.body));

/** What was reported until now, after all that waits. */
export async function reported(): Promise<Sight[]> {
  await vi.advanceTimersByTimeAsync(3000);
  return reports().flatMap((body) => (JSON.parse(body) as { seen: Sight[] }).seen);
}

export const kindsOf = async (): Promise<string[]> => (await reported()).map(({ kind }) => kind);

/** The page goes to another one of the same tab: what is observed there begins anew. */
export function goTo(path: string, observer: Observer, options: Partial<ObserveOptions> = {}): Observer {
  window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: false }));
  observer.stop();
  // As a load of a page does: nothing of the one before is left.
  Reflect.deleteProperty(window, Symbol.for("@tenure/client/observe"));
  history.replaceState(null, "", path);
  return watch(options);
}
