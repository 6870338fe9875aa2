/** What bears on a sign-out, of what the page sends and stores: refreshes, failed requests, times of tokens, clocks. */

import type { Settings } from "./options.js";
import type { Outbox, Sight } from "./outbox.js";
import { toldPath } from "./places.js";
import { type Profile, readJson } from "./profile.js";
import { type Answer, type Asked, type Hearing, quietly } from "./requests.js";
import { markOf, refreshTokenIn, type TokenTimes, timesIn, tokenIn } from "./tokens.js";

export interface Evidence {
  readonly hear: Hearing;
  /** Takes the times of the tokens in a value; `isNew` if somebody has just signed in by them. */
  learn(text: string, place: string, isNew: boolean): void;
  /** Since when somebody is signed in of whom no key tells: since a refresh was served, in this page or an earlier one. */
  signedInAt(): number | undefined;
  /** The members of a sign-out that are known here, as of now. */
  ofSignOut(): Readonly<Record<string, number | undefined>>;
  /** What failed not long ago. */
  failures(): Sight[];
  remember(failures: Sight[]): void;
  /** The page goes: what is under way will have no answer, and what breaks off now tells nothing. */
  leave(): void;
  /** The page is there again; `isRestored` if as it was before. */
  comeBack(isRestored: boolean): void;
  /** After a sign-out all of it is of no use. */
  forget(): void;
}

const FAILURES_MAX = 8;
const isMeant = (what: string | RegExp, { href }: URL) =>
  typeof what === "string" ? href.includes(what) : what.test(href);
const SIGN_OUT = /log[-_]?out|sign[-_]?out|log[-_]?off|blacklist|revoke/i;

export function createEvidence(
  options: Settings,
  profile: Profile,
  outbox: Outbox,
  signal: AbortSignal,
): Evidence {
  const { salt } = profile;
  const isWithoutKeys = !options.storageKeys?.length;
  let tokens: { access?: TokenTimes; refresh?: TokenTimes } = {};
  let clockAheadMs: number | undefined;
  let askedAt: number | undefined;
  let failures: Sight[] = [];
  const knownIn = () => (isWithoutKeys && profile.known().isIn ? Date.now() : undefined);
  let inAt = knownIn();
  let isLeaving = false;
  /** How to tell that a refresh under way gets no answer. */
  const underWay = new Set<(status: number, code?: string) => Sight>();

  /** What fails elsewhere, such as a counter of visits that is blocked, says nothing of the sign-in. */
  const origins = new Set([location.origin]);
  for (const url of [options.refreshUrl, options.signOutUrl, options.axios?.defaults?.baseURL])
    if (typeof url === "string") quietly(() => origins.add(new URL(url, document.baseURI).origin));

  function learn(text: string, place: string, isNew: boolean): void {
    for (const times of timesIn(text, place)) {
      const isKnown = tokens[times.kind]?.iat === times.iat;
      tokens[times.kind] = times;
      // The first token tells what time its maker had. One that is written again does not, and those of a refresh may say
      // when the first was made.
      if (isNew && !isKnown && times.kind === "access" && times.iat !== undefined)
        clockAheadMs = Date.now() - times.iat;
    }
  }

  function measure({ leftAt }: Answer): void {
    // To the second, and some time under way: enough to see a clock that is wrong.
    if (leftAt) clockAheadMs = Date.now() - leftAt;
  }

  function hear(asked: Asked): ((answer: Answer) => void) | undefined {
    const { href, origin, pathname } = asked.url;
    if (signal.aborted || href === options.url) return undefined;
    const isRefresh = isMeant(options.refreshUrl, asked.url);
    const { signOutUrl } = options;
    const isNamed = signOutUrl !== undefined && isMeant(signOutUrl, asked.url);
    if (isRefresh || isNamed || asked.isAuthorized) origins.add(origin);
    if (isRefresh) return refreshing(asked);
    if (!origins.has(origin)) return undefined;
    if (isNamed || (signOutUrl === undefined && SIGN_OUT.test(pathname))) askedToSignOut();
    return (answer) => {
      // What is only read may come from some cache.
      if (!/^(get|head)$/i.test(asked.method)) measure(answer);
      const { status, isAborted, isOpaque } = answer;
      if (isAborted || isOpaque || isLeaving || (status > 0 && status < 400)) return;
      const sight: Sight = { kind: "failure", at: Date.now(), status, path: toldPath(pathname) };
      failures = [...failures, sight].slice(-FAILURES_MAX);
      void codeOf(answer).then((code) => Object.assign(sight, { code }));
    };
  }

  function askedToSignOut(): void {
    askedAt = Date.now();
    // Wherever this page goes now: to the next one nobody is signed in.
    if (isWithoutKeys) profile.note({ isIn: false });
  }

  function refreshing(asked: Asked): (answer: Answer) => void {
    const sentAt = Date.now();
    let token: string | undefined;
    const presented = Promise.resolve(asked.body())
      .catch(() => undefined)
      .then((body) => {
        const found = tokenIn(body ?? "");
        token = found && markOf(found, salt);
      });
    const done = (status: number, code?: string): Sight => {
      underWay.delete(done);
      const at = Date.now();
      const path = toldPath(asked.url.pathname);
      const sight: Sight = { kind: "refresh", at, status, path, tookMs: at - sentAt, token, code };
      outbox.add(sight);
      return sight;
    };
    underWay.add(done);
    return (answer) => {
      measure(answer);
      if (!underWay.has(done)) return;
      if (answer.isOpaque) return void underWay.delete(done);
      const sight = done(answer.status, answer.isAborted ? "aborted" : undefined);
      void presented.then(() => Object.assign(sight, { token }));
      if (answer.status >= 200 && answer.status < 300) void served(answer, sight);
      else void codeOf(answer).then((code) => code && Object.assign(sight, { code }));
    };
  }

  async function served(answer: Answer, sight: Sight): Promise<void> {
    inAt = Date.now();
    if (isWithoutKeys) profile.note({ isIn: true });
    const text = await textOf(answer);
    learn(text, "", false);
    const next = refreshTokenIn(text);
    if (next) Object.assign(sight, { next: markOf(next, salt) });
  }

  function forget(): void {
    tokens = {};
    askedAt = undefined;
    failures = [];
    inAt = undefined;
  }

  return {
    hear,
    learn,
    signedInAt: () => (isWithoutKeys ? inAt : undefined),
    ofSignOut() {
      const now = Date.now();
      const { access, refresh } = tokens;
      return {
        askedAgoMs: askedAt === undefined ? undefined : now - askedAt,
        accessLeftMs: access && access.exp - now,
        refreshLeftMs: refresh && refresh.exp - now,
        refreshLifetimeMs: refresh?.iat === undefined ? undefined : refresh.exp - refresh.iat,
        clockAheadMs,
      };
    },
    failures: () => failures,
    remember(known) {
      failures = known;
    },
    leave() {
      isLeaving = true;
      for (const done of underWay) done(0, "left");
    },
    comeBack(isRestored) {
      isLeaving = false;
      if (!isRestored) return;
      forget();
      inAt = knownIn();
    },
    forget,
  };
}

async function textOf({ text }: Answer): Promise<string> {
  try {
    return (await text?.()) ?? "";
  } catch {
    return "";
  }
}

/** The word by which a problem, or REST framework, says what is wrong. Of two that simplejwt has one for, which of them. */
async function codeOf(answer: Answer): Promise<string | undefined> {
  const { code, detail } = readJson(await textOf(answer)) as { code?: unknown; detail?: unknown };
  if (typeof code !== "string" || !/^[a-z0-9_]{1,40}$/.test(code)) return undefined;
  if (code !== "token_not_valid") return code;
  if (/blacklisted/i.test(String(detail))) return "token_blacklisted";
  return /is expired/i.test(String(detail)) ? "token_expired" : code;
}
