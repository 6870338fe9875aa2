/** States, events and rules for the tests of the reducer. Events and states refer to four sessions of three people. */

import type { ErrorClass, ErrorCode } from "../src/api.gen.js";
import { type ClientCode, ProblemError } from "../src/problem.js";
import {
  type Believed,
  type Effect,
  type Event,
  type Grant,
  initial,
  type Moment,
  type Tab,
  view,
} from "../src/session.js";
import type { SignedOutState } from "../src/types.js";

export const NOW = 1_800_000_000_000;
export const MINUTE = 60_000;
/** The device's clock is a day wrong: whoever mixes the clocks up is found out. */
export const WALL_ERROR = 86_400_000;
export const moment = (server = NOW, chance = 0.5): Moment => ({ server, wall: server + WALL_ERROR, chance });

/** A and B are sessions of ada, C is bob's, Z is an earlier one of ada's that is over. */
const OWNER: Readonly<Record<string, string>> = { A: "ada", B: "ada", C: "bob", Z: "ada" };
const BORN: Readonly<Record<string, number>> = { Z: -9, A: 0, B: 1, C: 2 };

export function grant(id: string, receivedAt = NOW): Grant {
  const owner = OWNER[id] ?? "";
  return {
    user: {
      id: owner,
      accountId: null,
      email: `${owner}@example.com`,
      name: owner,
      role: "user",
      createdAt: 0,
    },
    session: {
      id,
      remembered: true,
      createdAt: NOW + (BORN[id] ?? 0) * 1000,
      expiresAt: NOW + 20 * 1440 * MINUTE,
    },
    token: token(id, receivedAt),
  };
}

export const believed = (id: string, remembered = true): Believed => ({
  id,
  remembered,
  expiresAt: NOW + 20 * 1440 * MINUTE,
});

export const token = (id: string, receivedAt = NOW) => ({
  value: `secret-${id}-${receivedAt - NOW}`,
  receivedAt,
  refreshAt: receivedAt + 12 * MINUTE,
  expiresAt: receivedAt + 15 * MINUTE,
});

export function problem(
  code: ErrorCode | ClientCode,
  problemClass: ErrorClass,
  status: number,
  details: ProblemError["details"] = {},
): ProblemError {
  return new ProblemError(code, problemClass, status, code, details);
}

/** Written out once more, so that a change of the published list is noticed. */
export const CLOSED = [
  "session_expired",
  "session_revoked",
  "session_not_found",
  "no_session",
  "session_superseded",
] as const;

export const refusal = (code: ErrorCode, sessionId?: string) =>
  problem(code, "authentication", 401, sessionId ? { sessionId } : {});
export const lost = problem("unreachable", "transport", 0);
const outOf = (sessionId?: string): SignedOutState =>
  sessionId
    ? { status: "signedOut", reason: "admin_revoked", receipt: "rcp", sessionId }
    : { status: "signedOut", reason: "never_signed_in" };

/** `waiting`: whether a `wait` is pending in this state, or the server is being told of a sign-out. */
export interface Place {
  readonly tab: Tab;
  readonly waiting: boolean;
}

const trouble = (retryAfterMs?: number) => ({
  since: NOW + WALL_ERROR - 5000,
  failures: 3,
  nextAttemptAt: NOW + WALL_ERROR + 4000,
  error: problem("rate_limited", "transport", 429, retryAfterMs ? { retryAfterMs } : {}),
});
const a: Tab = { ...initial, grant: grant("A", NOW - MINUTE), over: ["Z"] };
const stale: Tab = { ...a, grant: grant("A", NOW - 20 * MINUTE) };
const refreshing = { refreshing: true };

const busy = (tab: Tab): Place => ({ tab: { ...tab, ...refreshing }, waiting: false });
const waits = (tab: Tab): Place => ({ tab, waiting: true });
const rests = (tab: Tab): Place => ({ tab, waiting: false });

export const places: Readonly<Record<string, Place>> = {
  "before the start": rests(initial),
  "asking, nothing remembered": busy(initial),
  "asking, A remembered": busy({ ...initial, remembered: believed("A") }),
  "in doubt, A known from before, which was not to be remembered": waits({
    ...initial,
    remembered: believed("A", false),
    doubt: problem("no_session", "authentication", 401),
  }),
  "in trouble, nothing remembered": waits({ ...initial, trouble: trouble() }),
  "in trouble, A remembered": waits({ ...initial, remembered: believed("A"), trouble: trouble() }),
  "in doubt, A remembered": waits({
    ...initial,
    remembered: believed("A"),
    doubt: refusal("session_revoked", "A"),
  }),
  "in doubt, nothing remembered": waits({ ...initial, doubt: refusal("session_not_found") }),
  "A, live": waits(a),
  "A, live, refreshing": busy(a),
  "A, just received": waits({ ...a, grant: grant("A", NOW - 100) }),
  "A, token refused, refreshing": busy({ ...a, discarded: true }),
  "A, stale": waits(stale),
  "A, stale, refreshing": busy(stale),
  "A, in trouble": waits({ ...a, trouble: trouble() }),
  "A, in trouble, asked to wait": waits({ ...a, trouble: trouble(60_000) }),
  "A, in trouble, refreshing": busy({ ...stale, trouble: trouble() }),
  "A, in doubt": waits({ ...a, doubt: refusal("session_revoked", "A") }),
  "A, in doubt, refreshing": busy({ ...a, doubt: refusal("session_revoked", "A") }),
  "A, in doubt and trouble": waits({ ...stale, doubt: refusal("no_session"), trouble: trouble() }),
  "A, told of B, refreshing": busy({ ...a, remembered: believed("B") }),
  "out, never in": rests({ ...initial, out: outOf() }),
  "out of A": rests({ ...initial, out: outOf("A"), over: ["Z", "A"] }),
  "out of A, telling the server": waits({ ...initial, out: outOf("A"), leaving: 0, over: ["A"] }),
  "out of A, server not told": waits({ ...initial, out: outOf("A"), leaving: 3, over: ["A"] }),
};

const SESSIONS = ["A", "B", "C", "Z"];
const ages: readonly (readonly [string, number])[] = [
  ["", 0],
  [", an older token", -5 * MINUTE],
];

export const events: Readonly<Record<string, Event>> = {
  "the feed says that A is over": {
    is: "hint",
    error: problem("session_revoked", "authentication", 401, {
      sessionId: "A",
      reason: "admin_revoked",
      receipt: "rcp",
    }),
  },
  "the feed says that B is over": { is: "hint", error: refusal("session_revoked", "B") },
  "the feed says that something is wrong": { is: "hint", error: lost },
  "start, nothing remembered": { is: "start", remembered: undefined, leaving: undefined },
  "start, A remembered": { is: "start", remembered: believed("A"), leaving: undefined },
  "start, leaving A": { is: "start", remembered: undefined, leaving: "A" },
  "start, leaving somebody": { is: "start", remembered: undefined, leaving: "" },
  ...named(
    (["sign-in", "refresh", "tab"] as const).flatMap((by) =>
      SESSIONS.flatMap((id) =>
        ages.map(([words, age]): [string, Event] => [
          `granted ${id} by ${by}${words}`,
          { is: "granted", grant: grant(id, NOW + age), by },
        ]),
      ),
    ),
  ),
  ...named(
    CLOSED.flatMap((code) =>
      [undefined, "A", "B"].map((about): [string, Event] => [
        `refused, 401 ${code}${about ? ` about ${about}` : ""}`,
        { is: "refused", error: refusal(code, about) },
      ]),
    ),
  ),
  ...named(
    [
      problem("session_revoked", "authentication", 403, { sessionId: "A" }),
      problem("session_revoked", "transport", 401, { sessionId: "A" }),
      problem("access_token_expired", "authentication", 401, { sessionId: "A" }),
      problem("invalid_credentials", "request", 401),
      problem("permission_denied", "authorization", 403),
      problem("refresh_superseded", "transport", 409, { sessionId: "A" }),
      problem("request_stale", "transport", 409),
      problem("rate_limited", "transport", 429, { retryAfterMs: 20_000 }),
      problem("maintenance", "transport", 503, { retryAfterMs: 90_000_000 }),
      problem("internal_error", "transport", 500),
      problem("foreign_answer", "transport", 401),
      lost,
    ].map((error): [string, Event] => [
      `refused, ${error.status} ${error.code} (${error.problemClass})`,
      { is: "refused", error },
    ]),
  ),
  "refused, 401 no_session, and a sign-in of another system is not taken": {
    is: "refused",
    error: problem("no_session", "authentication", 401, { reason: "not_carried_over" }),
  },
  "refused, an exchange that is heard for the first time": {
    is: "refused",
    error: problem("exchange_used", "transport", 409, { retryAfterMs: 2000 }),
  },
  spared: { is: "spared" },
  outdate: { is: "outdate" },
  due: { is: "due" },
  wake: { is: "wake" },
  wanted: { is: "wanted" },
  "discard what is held": { is: "discard", token: "secret-A--60000", force: false },
  "discard what is just received": { is: "discard", token: "secret-A--100", force: false },
  "discard what is held, by force": { is: "discard", token: "secret-A--60000", force: true },
  "discard another token": { is: "discard", token: "secret-B-0", force: true },
  "sign-out": { is: "sign-out" },
  "left, heard": { is: "left", heard: true },
  "left, not heard": { is: "left", heard: false },
  ...named(SESSIONS.map((id) => [`told out of ${id}`, { is: "told-out", out: outOf(id) }])),
  ...named(SESSIONS.map((id) => [`told in as ${id}`, { is: "told-in", session: believed(id) }])),
  "password of A changed": { is: "token", sessionId: "A", token: token("A", NOW + 1) },
  "password of C changed": { is: "token", sessionId: "C", token: token("C", NOW + 1) },
};

function named(entries: readonly (readonly [string, Event])[]): Record<string, Event> {
  return Object.fromEntries(entries);
}

/** The session that the tab shows, or that its browser remembers. */
export const known = (tab: Tab): string | undefined => (tab.grant?.session ?? tab.remembered)?.id;

/** Events that only follow on a refresh; the engine sends them while one is under way and never otherwise. */
export const endsRefresh = (event: Event): boolean =>
  event.is === "refused" || event.is === "spared" || (event.is === "granted" && event.by === "refresh");

/** Whether this event may sign out here: section 8 of the protocol in the tests' own words. */
export function maySignOut(before: Tab, event: Event): boolean {
  switch (event.is) {
    case "sign-out":
      return true;
    case "start":
      return event.leaving !== undefined;
    case "told-out":
      return event.out.sessionId === known(before);
    case "refused": {
      const { status, problemClass, code, details } = event.error;
      const isOurs = status === 401 && problemClass === "authentication";
      if (!isOurs || !CLOSED.some((one) => one === code)) return false;
      const ours = known(before);
      if (!ours && code === "no_session") return true;
      return before.doubt !== undefined && (!ours || !details.sessionId || details.sessionId === ours);
    }
    default:
      return false;
  }
}

/** An `expect` that costs nothing, for what is checked hundreds of thousands of times. */
export function must(holds: boolean, words: string): void {
  if (!holds) throw new Error(words);
}

/** What holds for every step, whatever the state and the event. */
export function checkStep(
  { tab: before }: Place,
  event: Event,
  [after, effects]: readonly [Tab, readonly Effect[]],
): void {
  const count = (name: Effect["do"]) => effects.filter((effect) => effect.do === name).length;
  const emitted = effects.flatMap((effect) => (effect.do === "emit" ? [effect.event] : []));

  must(count("wait") <= 1, "two waits");
  for (const effect of effects)
    if (effect.do === "wait") must(effect.ms >= 0 && effect.ms < 1e10, `waits ${effect.ms} ms`);
  const wasBusy = before.refreshing && !endsRefresh(event);
  const goesOn = wasBusy && count("abort") === 0;
  must(count("refresh") === (!goesOn && after.refreshing ? 1 : 0), "refreshes begun do not match the state");
  must(!wasBusy || after.refreshing || count("abort") === 1, "a refresh that is not wanted any more goes on");
  const isNew = !!after.out && after.out !== before.out;
  must(!isNew || maySignOut(before, event), "signed out without a cause");
  // Whoever signs out hears that they are, even if they were before.
  const told = isNew || event.is === "sign-out" ? 1 : 0;
  must(
    emitted.filter((name) => name === "SIGNED_OUT").length === told,
    "SIGNED_OUT does not match the state",
  );
  if (isNew && after.out?.sessionId)
    must(after.over.includes(after.out.sessionId), "an end that is not kept");
  checkState(after);
  must(
    before.over.every((id) => after.over.includes(id)),
    "a session that was over is forgotten",
  );
  const person = before.grant?.user.id;
  const changed = !!person && !!after.grant && person !== after.grant.user.id;
  must(emitted.includes("USER_CHANGED") === changed, "USER_CHANGED does not match the state");
  const kept = effects.filter((effect) => effect.do !== "tell-grant");
  must(!JSON.stringify([kept, after.out]).includes("secret-"), "a token leaves the memory");
}

function checkState(tab: Tab): void {
  if (tab.out) {
    const { grant, trouble, doubt, refreshing, discarded } = tab;
    must(!grant && !trouble && !doubt && !refreshing && !discarded, "signed out, and something is left");
  } else must(tab.leaving === undefined, "a sign-out to deliver while signed in");
  if (!tab.grant) return;
  const { user, session, token } = tab.grant;
  must(!tab.over.includes(session.id), "a session that is over is shown");
  must(user.id === OWNER[session.id], "another's user");
  must(token.value.startsWith(`secret-${session.id}-`), "another's token");
  must(!JSON.stringify(view(tab, moment())).includes("secret-"), "a token in the state");
}

/** Whether something will come: a refresh under way, a wait, or an attempt to tell the server. */
export function isAlive(
  waiting: boolean,
  event: Event,
  [after, effects]: readonly [Tab, readonly Effect[]],
): boolean {
  if (effects.some(({ do: what }) => what === "wait" || what === "leave")) return true;
  if (waiting && event.is !== "due") return true;
  // A sign-in is under way, which itself brings `granted` or `due`; and one that is out waits for nobody.
  if (event.is === "outdate") return true;
  return after.refreshing || (after.out !== undefined && after.leaving === undefined);
}
