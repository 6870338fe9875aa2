/**
 * The feed: the server says at once that a session has ended, or that something about the person has changed
 * (docs/protocol.md section 11). Loaded only where somebody is signed in, and nothing depends on it: whatever is heard is a
 * reason to ask, and that nothing is heard is no reason for anything.
 *
 * One tab of a browser listens for all, the one that holds a lock: browsers have six connections to a server. It asks, and
 * tells the others what came of it as it always does. Without locks no tab listens.
 *
 * It imports types alone, so that nobody's bundler takes the rest apart for it.
 */

import type { Presence } from "./edges.js";
import type { Engine } from "./engine.js";
import type { ProblemError, problemIn } from "./problem.js";
import type { Grant } from "./session.js";

const PATH = "/api/v1/auth/events";
const PROBLEM = "application/problem+json";

/** Full jitter below a ceiling that doubles. */
const BACKOFF_FIRST_MS = 1000;
const BACKOFF_MAX_MS = 120_000;
/** A longer Retry-After is cut. */
const RETRY_AFTER_MAX_MS = 300_000;
/** A stream that did not last longer once it had begun has failed, whatever it said. */
const WORKED_MS = 10_000;
/** By then a stream has begun, or it never will: something on the way collects it. */
const BEGIN_WITHIN_MS = 10_000;
/** So many heartbeats may be missing. */
const PATIENCE = 2.5;
/** A tab that has not been seen for so long leaves the feed to others, and to nobody if none is seen. */
const HIDDEN_MAX_MS = 300_000;
/** All browsers that hear of a change do not ask in the same instant, and none asks more often than this. */
const SPREAD_MS = 2000;
const ASK_AGAIN_MS = 10_000;
/** No event is as long. */
const TEXT_MAX = 65_536;

/** Listens until the client is disposed of. */
export function listen(engine: Engine, readProblem: typeof problemIn): void {
  if (engine.edges.locks) new Feed(engine, readProblem);
}

/** What the server sends with an event. */
interface Told {
  readonly server_time?: unknown;
  readonly heartbeat?: unknown;
  readonly state?: unknown;
}

class Feed {
  /** Lets go of the lock and of the stream; there is none while the tab is hidden for long, or gone. */
  #turn: AbortController | undefined;
  #stream: AbortController | undefined;
  /** The session that the stream is about. */
  #about: string | undefined;
  #failures = 0;
  #hiddenTimer: unknown;
  #askTimer: unknown;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Ends a pause early. */
  #hurry = () => {};
  #heardAt = 0;
  /** When the stream began; no number before it has. */
  #begunAt = Number.NaN;
  #silenceMaxMs = BEGIN_WITHIN_MS;
  /** A token that the server has said to be no more. */
  #spent: string | undefined;
  /** What was told last, and of which session. */
  #state: string | undefined;
  #stateOf: string | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly readProblem: typeof problemIn,
  ) {
    const { edges } = engine;
    const stops = [
      (edges.onPresence ?? onPresence)((presence) => this.#present(presence)),
      edges.onWake(() => this.#wake()),
      engine.subscribe(() => this.#follow()),
    ];
    // Nothing ever holds, so that it is over when the client is.
    void engine
      .until(() => false)
      .then(() => {
        for (const stop of stops) stop();
        this.#leave();
        edges.clearTimeout(this.#askTimer);
      });
  }

  #present(presence: Presence): void {
    const { edges } = this.engine;
    edges.clearTimeout(this.#hiddenTimer);
    if (presence === "gone") this.#leave();
    if (presence === "hidden") this.#hiddenTimer = edges.setTimeout(() => this.#leave(), HIDDEN_MAX_MS);
    if (presence === "gone" || this.#turn) return;
    this.#turn = new AbortController();
    const { signal } = this.#turn;
    try {
      const name = this.engine.memory.keyOf("events");
      // A lock that is refused: this tab does without.
      edges.locks?.request(name, { signal }, () => this.#listen(signal)).catch(() => {});
    } catch {
      // A browser that throws: likewise.
    }
  }

  #leave(): void {
    this.engine.edges.clearTimeout(this.#hiddenTimer);
    this.#turn?.abort();
    this.#turn = undefined;
    this.#stream?.abort();
    this.#hurry();
  }

  /** For as long as this tab has its turn. */
  async #listen(turn: AbortSignal): Promise<void> {
    const { engine } = this;
    const left = aborted(turn);
    while (!turn.aborted) {
      // While there is doubt about the session, somebody asks already.
      const isReady = () =>
        engine.isUsable && !engine.tab.doubt && engine.tab.grant?.token.value !== this.#spent;
      await Promise.race([engine.until(() => turn.aborted || isReady()), left]);
      const { grant } = engine.tab;
      if (turn.aborted || !grant || !isReady()) continue;
      this.#begunAt = Number.NaN;
      const refusal = await this.#hear(grant).catch(() => undefined);
      if (turn.aborted) return;
      const worked = engine.edges.monotonicNow() - this.#begunAt > WORKED_MS && !refusal;
      this.#failures = worked ? 0 : this.#failures + 1;
      const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.#failures, 16));
      const asked = Math.min(refusal?.details.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
      await this.#sleep(asked, false);
      await this.#sleep(engine.edges.random() * ceiling, true);
    }
  }

  /** One stream, to its end. Gives the problem with which it was refused; throws if it was cut. */
  async #hear(grant: Grant): Promise<ProblemError | undefined> {
    const { edges, transport } = this.engine;
    const stream = new AbortController();
    this.#stream = stream;
    this.#about = grant.session.id;
    this.#silenceMaxMs = BEGIN_WITHIN_MS;
    let timer: unknown;
    const heard = () => {
      this.#heardAt = edges.monotonicNow();
      edges.clearTimeout(timer);
      timer = edges.setTimeout(() => stream.abort(), this.#silenceMaxMs);
    };
    heard();
    try {
      const response = await edges.fetch(transport.baseUrl + PATH, {
        headers: { Authorization: `Bearer ${grant.token.value}` },
        credentials: "include",
        cache: "no-store",
        redirect: "error",
        signal: stream.signal,
      });
      const type = response.headers.get("content-type");
      if (!response.ok || !type?.startsWith("text/event-stream") || !response.body)
        return await this.#refused(response, type, grant);
      const reader = response.body.getReader();
      // A fetch that ignores its signal must not hold us.
      void aborted(stream.signal).then(() => reader.cancel().catch(() => {}));
      const decoder = new TextDecoder();
      let text = "";
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        const events = (text + decoder.decode(piece.value, { stream: true })).split("\n\n");
        text = events.pop() ?? "";
        for (const event of events) this.#told(event, grant);
        // Only now: it may have been told for how long it may be silent.
        heard();
        if (text.length > TEXT_MAX) break;
      }
      return undefined;
    } finally {
      edges.clearTimeout(timer);
      stream.abort();
      this.#about = undefined;
    }
  }

  async #refused(response: Response, type: string | null, grant: Grant): Promise<ProblemError | undefined> {
    const body = type?.startsWith(PROBLEM) ? await response.json() : undefined;
    const problem = this.readProblem(response.status, type, body);
    // As any API's refusal of a token: a refresh tells whether anything is over.
    if (problem?.problemClass === "authentication")
      this.engine.dispatch({ is: "discard", token: grant.token.value, force: false });
    return problem;
  }

  #told(event: string, grant: Grant): void {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
    const told = parse(data);
    if (!told) return;
    if (name === "begin") {
      this.#begunAt = this.engine.edges.monotonicNow();
      if (typeof told.heartbeat === "number")
        this.#silenceMaxMs = Math.max(BEGIN_WITHIN_MS, told.heartbeat * PATIENCE);
      // Something has changed while nobody listened.
      const missed = this.#stateOf === grant.session.id && this.#state !== told.state;
      if (missed) this.#ask(told.server_time);
    } else if (name === "changed") {
      if (typeof told.state !== "string") this.#spent = grant.token.value;
      this.#ask(told.server_time);
    } else if (name === "ended") {
      const error = this.readProblem(401, PROBLEM, told);
      if (error) this.engine.dispatch({ is: "hint", error });
    }
    if (typeof told.state === "string") {
      this.#state = told.state;
      this.#stateOf = grant.session.id;
    }
  }

  /** Has a token renewed that was handed out before `since`, and what is said with it. */
  #ask(since: unknown): void {
    const { engine } = this;
    const { edges } = engine;
    edges.clearTimeout(this.#askTimer);
    const soonest = this.#askedAt + ASK_AGAIN_MS - edges.monotonicNow();
    this.#askTimer = edges.setTimeout(
      () => {
        const token = engine.tab.grant?.token;
        if (!token || (typeof since === "number" && token.receivedAt > since)) return;
        this.#askedAt = edges.monotonicNow();
        engine.dispatch({ is: "discard", token: token.value, force: true });
      },
      Math.max(soonest, edges.random() * SPREAD_MS),
    );
  }

  /** Whether a wake cuts it short: it does not if the server asked for it. */
  #sleep(ms: number, isShort: boolean): Promise<void> {
    const { edges } = this.engine;
    const turn = this.#turn?.signal;
    return new Promise((resolve) => {
      const timer = edges.setTimeout(resolve, ms);
      this.#hurry = () => {
        if (!isShort && turn?.aborted === false) return;
        edges.clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The network or the page is back. A stream that has been silent since may be no more. */
  #wake(): void {
    const silentMs = this.engine.edges.monotonicNow() - this.#heardAt;
    if (silentMs > this.#silenceMaxMs / 2) this.#stream?.abort();
    this.#hurry();
  }

  /** A stream is about one session: another one, or none, is another stream. */
  #follow(): void {
    const id = this.engine.tab.grant?.session.id;
    if (this.#about && this.#about !== id) this.#stream?.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

function parse(text: string | undefined): Told | undefined {
  try {
    const told: unknown = text && JSON.parse(text);
    return typeof told === "object" && told !== null ? told : undefined;
  } catch {
    return undefined;
  }
}

function onPresence(heard: (presence: Presence) => void): () => void {
  const look = (event?: globalThis.Event) =>
    heard(event?.type === "pagehide" ? "gone" : document.visibilityState === "visible" ? "seen" : "hidden");
  const names = ["pagehide", "pageshow", "visibilitychange"];
  // At the window and in the capture phase, where events of the document are heard as well.
  for (const name of names) window.addEventListener(name, look, true);
  look();
  return () => {
    for (const name of names) window.removeEventListener(name, look, true);
  };
}
