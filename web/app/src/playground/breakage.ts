/**
 * How the playground breaks the world: edges for `createClient` that lose answers, give false ones, refuse tokens and
 * set the clock. The client cannot tell them from the real thing, and is not told.
 */

import type { Edges } from "@tenure/client";

/** What a request is about. */
export type Kind = "refresh" | "sign-in" | "sign-out" | "api";

/** An answer that does not come from the server: a status, or the page of a captive portal. */
export type Staged = 401 | 402 | 403 | 500 | "html";

/** One request and what came of it. It holds no token, and nothing of a body but the code of a problem. */
export interface Exchange {
  readonly id: number;
  /** Unix milliseconds, by the clock of this device, whatever the playground makes of it. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly kind: Kind;
  /** `lost`: the server answered, and nobody heard it. `failed`: no answer came, or it was not waited for. */
  readonly outcome: "waiting" | "answered" | "staged" | "lost" | "offline" | "failed";
  readonly status?: number;
  /** The code of the problem, if the answer is one. */
  readonly code?: string;
  readonly tookMs?: number;
}

/** What is broken just now, and what was sent. */
export interface Broken {
  readonly isOffline: boolean;
  /** By how much the clock of this device is wrong, in milliseconds. */
  readonly jumpedMs: number;
  /** The last requests, newest first. */
  readonly exchanges: readonly Exchange[];
}

/** What is broken: the real network and clock, and how a browser says that the network is back. */
export interface Reality extends Pick<Edges, "fetch" | "wallNow"> {
  wake(): void;
}

const EXCHANGES_MAX = 40;

export class Breakage {
  /** To be given to `createClient`. */
  readonly edges: Pick<Edges, "fetch" | "wallNow"> = {
    fetch: (input, init) => this.#fetch(new Request(input, init)),
    wallNow: () => this.#reality.wallNow() + this.#state.jumpedMs,
  };

  readonly #reality: Reality;
  #state: Broken = { isOffline: false, jumpedMs: 0, exchanges: [] };
  #refused: string | undefined;
  readonly #drops = new Set<Kind>();
  readonly #staged = new Map<Kind, Staged>();
  #lastId = 0;
  readonly #listeners = new Set<() => void>();

  constructor(reality: Reality) {
    this.#reality = reality;
  }

  /** A snapshot that stays the same object until something changes. */
  readonly state = (): Broken => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Nothing is sent from now on, or everything is again. */
  setOffline(isOffline: boolean): void {
    this.#set({ isOffline });
    if (!isOffline) this.#reality.wake();
  }

  /** The next request of the kind reaches the server, and its answer is thrown away. */
  dropNext(kind: Kind): void {
    this.#drops.add(kind);
  }

  /** The next request of the kind is not sent, and answered like this. */
  answerNext(kind: Kind, answer: Staged): void {
    this.#staged.set(kind, answer);
  }

  /** Forgets what was to happen to a next request that never came. */
  forgetNext(): void {
    this.#drops.clear();
    this.#staged.clear();
  }

  /** From now on this access token is spoilt on its way, so that the server itself refuses it. */
  refuse(token: string): void {
    this.#refused = token;
  }

  /** Sets the clock of this device on or back, as far as this page sees it; 0 sets it right. The client notices. */
  jump(ms: number): void {
    this.#set({ jumpedMs: ms === 0 ? 0 : this.#state.jumpedMs + ms });
    this.#reality.wake();
  }

  async #fetch(request: Request): Promise<Response> {
    const kind = kindOf(request);
    const exchange = this.#note(request, kind);
    const began = this.#reality.wallNow();
    const end = (outcome: Exchange["outcome"], more: Partial<Exchange> = {}) =>
      this.#amend(exchange, { outcome, tookMs: this.#reality.wallNow() - began, ...more });

    if (this.#state.isOffline) {
      end("offline");
      throw new TypeError("The playground is offline.");
    }
    const staged = this.#staged.get(kind);
    if (staged !== undefined) {
      this.#staged.delete(kind);
      const answer = stagedAnswer(staged);
      end("staged", { status: answer.status, ...(await codeOf(answer)) });
      return answer;
    }
    const isDropped = this.#drops.delete(kind);
    if (this.#refused && request.headers.get("Authorization") === `Bearer ${this.#refused}`) {
      request.headers.set("Authorization", `Bearer ${spoilt(this.#refused)}`);
    }
    const response = await this.#reality.fetch(request).catch((error: unknown) => {
      end("failed");
      throw error;
    });
    const heard = { status: response.status, ...(await codeOf(response)) };
    if (isDropped) {
      end("lost", heard);
      throw new TypeError("The playground threw the answer away.");
    }
    end("answered", heard);
    return response;
  }

  #note(request: Request, kind: Kind): number {
    this.#lastId += 1;
    const { method, url } = request;
    const exchange: Exchange = {
      id: this.#lastId,
      at: this.#reality.wallNow(),
      method,
      path: new URL(url).pathname,
      kind,
      outcome: "waiting",
    };
    this.#set({ exchanges: [exchange, ...this.#state.exchanges].slice(0, EXCHANGES_MAX) });
    return exchange.id;
  }

  #amend(id: number, more: Partial<Exchange>): void {
    const amended = (exchange: Exchange) => (exchange.id === id ? { ...exchange, ...more } : exchange);
    this.#set({ exchanges: this.#state.exchanges.map(amended) });
  }

  #set(more: Partial<Broken>): void {
    this.#state = { ...this.#state, ...more };
    for (const listener of this.#listeners) listener();
  }
}

function kindOf({ method, url }: Request): Kind {
  const path = new URL(url).pathname;
  if (/\/auth\/(login|register)$/.test(path)) return "sign-in";
  if (/\/auth\/logout$/.test(path)) return "sign-out";
  if (!/\/auth\/refresh$/.test(path)) return "api";
  return method === "DELETE" ? "sign-out" : "refresh";
}

/** The code of a problem in an answer. Answers that bring tokens are not read here at all. */
async function codeOf(response: Response): Promise<{ code?: string }> {
  if (response.ok || !response.headers.get("content-type")?.includes("json")) return {};
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const code = (body as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? { code } : {};
}

/** The same token with a signature that is not right. */
function spoilt(token: string): string {
  const middle = token.lastIndexOf(".") + 5;
  return token.slice(0, middle) + (token[middle] === "A" ? "B" : "A") + token.slice(middle + 1);
}

const PROBLEMS = {
  402: ["plan_inactive", "authorization", "The account's plan is not active"],
  403: ["permission_denied", "authorization", "You may not do this"],
  500: ["internal_error", "transport", "Something went wrong here"],
} as const;

function stagedAnswer(staged: Staged): Response {
  if (staged === "html") {
    const page = "<!doctype html><title>Welcome to this network</title><h1>Please accept our terms</h1>";
    return new Response(page, { status: 200, headers: { "Content-Type": "text/html" } });
  }
  if (staged === 401) {
    // As another API's framework says it, which knows nothing of sessions here.
    const body = { detail: "Authentication credentials were not provided." };
    return Response.json(body, { status: 401, headers: { "WWW-Authenticate": 'Basic realm="api"' } });
  }
  const [code, problemClass, title] = PROBLEMS[staged];
  const problem = {
    type: "about:blank",
    title,
    status: staged,
    detail: `${title}.`,
    code,
    class: problemClass,
  };
  return new Response(JSON.stringify(problem), {
    status: staged,
    headers: { "Content-Type": "application/problem+json" },
  });
}
