/** Carries out what `session.ts` decides: requests, timers, messages to the other tabs. The only place with effects. */

import { ServerClock } from "./clock.js";
import type { Edges } from "./edges.js";
import { enlist, tell } from "./listeners.js";
import { Memory } from "./memory.js";
import { isRecord } from "./problem.js";
import {
  type Believed,
  type Effect,
  type Event,
  type Grant,
  initial,
  isUsable,
  type Moment,
  step,
  type Tab,
  view,
} from "./session.js";
import { type Hearing, isEnd, Tabs } from "./tabs.js";
import { type Call, done, failure, foreign, Transport } from "./transport.js";
import type { AuthEvent, AuthState, Result, SignedOutState, Trade } from "./types.js";
import { readGrant } from "./wire.js";

const REFRESH = "/api/v1/auth/refresh";
const PING = "/api/v1/system/ping";
/** Longer waits are cut, so that a device that slept without a word is noticed. */
const SLICE_MS = 30_000;
/** A slice that took this much longer than it should was a sleep. */
const SLEPT_MS = 5000;
/** The part of a token's life by which tabs that were given it hold back, so that few ask at the same time. */
const HOLD_BACK = 0.01;

export class Engine implements Hearing {
  readonly clock: ServerClock;
  readonly memory: Memory;
  readonly transport: Transport;
  readonly tabs: Tabs;
  /** Requests for a new token that this tab has sent, and tokens that other tabs gave to it. */
  refreshesSent = 0;
  tokensFromTabs = 0;
  /** What may stand in for a session, where a migration knows of something. */
  trade: Trade | undefined;

  #tab: Tab = initial;
  #view: AuthState = view(initial, { server: 0, wall: 0, chance: 0 });
  readonly #queue: Event[] = [];
  #busy = false;
  #disposed = false;
  #timer: unknown;
  #attempt: AbortController | undefined;
  #delivering = false;
  readonly #stopWake: () => void;
  readonly #watchers = new Set<() => void>();
  readonly #listeners = new Set<() => void>();
  readonly #named = new Set<(event: AuthEvent, state: AuthState) => void>();

  constructor(
    baseUrl: string,
    readonly edges: Edges,
  ) {
    this.clock = new ServerClock(edges);
    this.memory = new Memory(baseUrl, edges);
    this.transport = new Transport(baseUrl, edges, (time) => this.clock.learn(time));
    this.tabs = new Tabs(edges, this.memory, this);
    this.#stopWake = edges.onWake(() => this.#wake());
  }

  get tab(): Tab {
    return this.#tab;
  }

  get state(): AuthState {
    return this.#view;
  }

  get isUsable(): boolean {
    return isUsable(this.#tab, { server: this.clock.now() });
  }

  start(): void {
    this.dispatch({
      is: "start",
      remembered: this.#believed(),
      leaving: this.memory.read("leaving"),
    });
  }

  subscribe(listener: () => void): () => void {
    return enlist(this.#listeners, listener);
  }

  onEvent(listener: (event: AuthEvent, state: AuthState) => void): () => void {
    return enlist(this.#named, listener);
  }

  /** One event after the other, also when a listener causes the next while it is called. */
  dispatch(event: Event): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      if (this.#disposed) continue;
      const now = this.#moment();
      const [tab, effects] = step(this.#tab, next, now);
      this.#tab = tab;
      const changed = this.#look(now);
      for (const effect of effects) this.#run(effect);
      if (changed) for (const listener of [...this.#listeners]) tell(listener);
    }
    this.#busy = false;
  }

  /** Waits until something holds; it is looked at after every event. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.#disposed && !holds()) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  /**
   * A sign-in: it outdates a refresh under way, and a sign-out that the server has not heard of goes first, because
   * it would end the new session with the old ones.
   */
  async signIn(call: Omit<Call, "method">): Promise<Result<{ grant: Grant | undefined }>> {
    this.dispatch({ is: "outdate" });
    const result = await this.tabs.exclusively(async (): Promise<Result<{ grant: Grant | undefined }>> => {
      const { error } = await this.#tellServer();
      // What the server cannot find, or refuses for what it is, must not keep anybody from signing in: waiting mends neither.
      if (error?.problemClass === "transport" && error.code !== "session_unverifiable") return failure(error);
      const answer = await this.transport.send({ ...call, method: "POST" });
      if (answer.error) return answer;
      const grant = readGrant(answer.data, this.edges.random());
      if (grant) this.dispatch({ is: "granted", grant, by: "sign-in" });
      return done({ grant });
    });
    if (!result.data?.grant) this.dispatch({ is: "due" });
    return result;
  }

  /** Signs out of this browser. Answers whether the server has heard of it already. */
  async signOut(): Promise<boolean> {
    this.dispatch({ is: "sign-out" });
    await this.until(() => this.#tab.leaving !== 0);
    return !this.#disposed && this.#tab.leaving === undefined;
  }

  dispose(): void {
    this.#disposed = true;
    this.#attempt?.abort();
    this.edges.clearTimeout(this.#timer);
    this.#stopWake();
    this.tabs.dispose();
    this.#tab = initial;
    for (const look of [...this.#watchers]) look();
  }

  // === Hearing: what the other tabs say ===

  grant({ token, ...rest }: Grant, serverNow: number): void {
    // Late by the message's way, so it is never ahead of the server; if this tab is behind it, or not sure of its
    // own time (the device slept, the clock was set), it knows better.
    if (serverNow > this.clock.sentAt()) this.clock.learn(serverNow);
    const before = this.#tab.grant;
    // Whoever got the token renews it; the others step in a little later, if nothing has come by then.
    const heldBackMs = (token.expiresAt - token.receivedAt) * HOLD_BACK * (0.5 + this.edges.random());
    const grant = { ...rest, token: { ...token, refreshAt: token.refreshAt + heldBackMs } };
    this.dispatch({ is: "granted", grant, by: "tab" });
    if (this.#tab.grant !== before) this.tokensFromTabs += 1;
  }

  out(out: SignedOutState): void {
    this.dispatch({ is: "told-out", out });
  }

  /** Reads what other tabs wrote down while this one could not hear them. */
  stored(): void {
    const out = parse(this.memory.read("out"));
    if (isEnd(out)) this.out(out);
    const session = this.#believed();
    const shown = this.#tab.grant?.session ?? this.#tab.remembered;
    if (session && session.id !== shown?.id) this.dispatch({ is: "told-in", session });
  }

  /** The session that this browser was signed in with when a tab last knew. */
  #believed(): Believed | undefined {
    const kept = parse(this.memory.read("session"));
    return isRecord(kept) && typeof kept.id === "string" ? (kept as unknown as Believed) : undefined;
  }

  /** Whoever is not sure of the time would pass its error on, and a wrong time makes old requests look young. */
  share(): { grant: Grant; serverNow: number } | undefined {
    const { grant } = this.#tab;
    const serverNow = this.clock.sentAt();
    return grant && serverNow && this.isUsable ? { grant, serverNow } : undefined;
  }

  // === Effects ===

  #run(effect: Effect): void {
    switch (effect.do) {
      case "refresh":
        void this.#refresh();
        break;
      case "abort":
        this.#attempt?.abort();
        this.#attempt = undefined;
        break;
      case "wait":
        this.#wait(effect.ms);
        break;
      case "leave":
        void this.#leave();
        break;
      case "note-leaving":
        this.memory.write("leaving", effect.sessionId);
        break;
      case "remember":
        this.memory.write("session", effect.session && JSON.stringify(effect.session));
        break;
      case "tell-grant":
        this.tabs.tell({ is: "grant", grant: effect.grant, serverNow: this.clock.sentAt() });
        break;
      case "tell-out":
        this.memory.write("out", JSON.stringify(effect.out));
        this.tabs.tell({ is: "out", out: effect.out });
        break;
      case "emit":
        for (const listener of [...this.#named]) tell(() => listener(effect.event, this.#view));
    }
  }

  async #refresh(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    const before = this.#tab.grant?.token;
    if (!before) await this.tabs.ask();
    const isSpared = () => attempt.signal.aborted || (this.#tab.grant?.token !== before && this.isUsable);
    const spared: Event = { is: "spared" };
    const refreshed = async (waited: boolean) => {
      // Its message may still be on the way, although its lock is free.
      if (waited && !isSpared()) await this.tabs.ask();
      return isSpared() ? spared : await this.#request(attempt);
    };
    const event = isSpared() ? spared : await this.tabs.exclusively(refreshed);
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    this.dispatch(event);
  }

  async #request(giveUp: AbortController): Promise<Event> {
    const send = () => {
      this.refreshesSent += 1;
      const headers = { "Tenure-Sent-At": String(this.clock.sentAt()) };
      return this.transport.send({ method: "POST", path: REFRESH, headers, giveUp });
    };
    // A refresh says when it was sent, in the server's time. Who does not know that asks first.
    if (!this.clock.sentAt()) {
      const { error } = await this.transport.send({ method: "GET", path: PING, giveUp });
      if (error) return { is: "refused", error };
    }
    let answer = await send();
    // The clock has been set right by this very answer.
    if (answer.error?.code === "request_stale") answer = await send();
    const trade = (call: Call) => this.transport.send({ ...call, giveUp });
    if (answer.error) answer = (await this.trade?.(answer.error, trade, giveUp.signal)) ?? answer;
    if (answer.error) return { is: "refused", error: answer.error };
    const grant = readGrant(answer.data, this.edges.random());
    // What is over here cannot be what the server still serves: it is asked again, as if it had not answered.
    if (!grant || this.#tab.over.includes(grant.session.id)) return { is: "refused", error: foreign(200) };
    return { is: "granted", grant, by: "refresh" };
  }

  async #leave(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    const { error } = await this.tabs.exclusively(() => this.#tellServer());
    this.#delivering = false;
    this.dispatch({ is: "left", heard: !error });
  }

  /** Delivers the sign-out, unless another tab has done so, or somebody has signed in since. */
  async #tellServer(): Promise<Result<unknown>> {
    const { memory } = this;
    // Apps clear the storage when they sign out, and our note with it; then it is sent, once too often at worst.
    const isCleared = memory.read("out") === undefined && memory.read("session") === undefined;
    const isWanted = memory.read("leaving") !== undefined || (this.#tab.leaving !== undefined && isCleared);
    if (!isWanted) return done(undefined);
    // Delivered late, it does not mean sign-ins that came after it, perhaps on another page of this site.
    const upTo = this.#tab.leaving !== 0 && memory.read("leaving");
    const path = upTo ? `${REFRESH}?up_to=${upTo}` : REFRESH;
    const answer = await this.transport.send({ method: "DELETE", path, keepalive: true });
    if (answer.error) return answer;
    // The server has nothing to say to it; whatever says something is not the server.
    if (answer.data !== undefined) return failure(foreign(200));
    memory.write("leaving", undefined);
    return answer;
  }

  #wait(ms: number): void {
    this.edges.clearTimeout(this.#timer);
    const slice = Math.min(ms, SLICE_MS);
    const began = this.clock.now();
    this.#timer = this.edges.setTimeout(() => {
      if (slice === ms) this.dispatch({ is: "due" });
      else this.#wait(ms - slice);
      if (this.clock.now() - began - slice > SLEPT_MS) this.#wake();
    }, slice);
  }

  #wake(): void {
    this.stored();
    this.dispatch({ is: "wake" });
    // The tab that signed out may be gone.
    if (this.#tab.out && this.memory.read("leaving") !== undefined) void this.#leave();
  }

  #moment(): Moment {
    return { server: this.clock.now(), wall: this.edges.wallNow(), chance: this.edges.random() };
  }

  /** Takes a new snapshot if it says something else, and lets the waiting look. */
  #look(now: Moment): boolean {
    const next = view(this.#tab, now);
    const keys = Object.keys({ ...this.#view, ...next }) as (keyof AuthState)[];
    const changed = keys.some((key) => this.#view[key] !== next[key]);
    if (changed) this.#view = next;
    for (const look of [...this.#watchers]) look();
    return changed;
  }
}

function parse(text: string | undefined): unknown {
  try {
    return text && JSON.parse(text);
  } catch {
    return undefined;
  }
}
