/** One request to the server and what came of it: its answer, its problem, or nothing that can be trusted. */

import type { Edges } from "./edges.js";
import { ProblemError, problemIn } from "./problem.js";
import type { Result } from "./types.js";
import { isTime } from "./wire.js";

/** F of the protocol: a request is given up after this long, and never sent again before. */
export const GIVE_UP_MS = 15_000;
/** How often it is looked whether that time is over. */
const LOOK_MS = 1000;

const JSON_BODY = { "Content-Type": "application/json" };

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly json?: object;
  readonly headers?: Record<string, string>;
  /** Lets the request outlive the page. */
  readonly keepalive?: boolean;
  /** Gives the request up early; it is also what the time limit uses. */
  readonly giveUp?: AbortController;
}

export class Transport {
  constructor(
    readonly baseUrl: string,
    private readonly edges: Pick<Edges, "fetch" | "setTimeout" | "clearTimeout" | "wallNow" | "monotonicNow">,
    /** Hears the server's clock from every answer of ours. */
    private readonly learn: (serverTime: number) => void,
  ) {}

  /** The parsed body of a 2xx (undefined for 204). Everything else is an error; nothing is thrown. */
  async send(call: Call): Promise<Result<unknown>> {
    const giveUp = call.giveUp ?? new AbortController();
    const { signal } = giveUp;
    const { edges } = this;
    const wall = edges.wallNow();
    const monotonic = edges.monotonicNow();
    // Timers may sleep with the device, and an answer that comes after it woke would put an old token into the jar:
    // the time is looked at often, on both clocks. Not by timers that set the next one: browsers hold those back for
    // up to a minute in tabs that are not seen.
    const look = () => {
      const passed = Math.max(edges.wallNow() - wall, edges.monotonicNow() - monotonic);
      if (passed > GIVE_UP_MS - 50) giveUp.abort();
    };
    const timers: unknown[] = [];
    for (let ms = LOOK_MS; ms <= GIVE_UP_MS; ms += LOOK_MS) timers.push(edges.setTimeout(look, ms));
    // A fetch that ignores its signal must not hold us either.
    const late = new Promise<Result<never>>((resolve) => {
      signal.addEventListener("abort", () => resolve(unreachable()));
    });
    const answer = await Promise.race([this.#exchange(call, signal), late]);
    for (const timer of timers) edges.clearTimeout(timer);
    return answer;
  }

  async #exchange(call: Call, signal: AbortSignal): Promise<Result<unknown>> {
    try {
      const response = await this.edges.fetch(this.baseUrl + call.path, {
        method: call.method,
        headers: { ...(call.json && JSON_BODY), ...call.headers },
        body: call.json ? JSON.stringify(call.json) : null,
        keepalive: !!call.keepalive,
        credentials: "include",
        cache: "no-store",
        redirect: "error",
        signal,
      });
      return await this.#read(response);
    } catch (cause) {
      return unreachable(cause);
    }
  }

  async #read(response: Response): Promise<Result<unknown>> {
    const { status } = response;
    if (status === 204) return done(undefined);
    const type = response.headers.get("content-type");
    const isJson = /^application\/(problem\+)?json\b/.test(type ?? "");
    // The body of anything else is not even read: a portal's page may be large and slow.
    const body = isJson ? await response.json().catch(() => undefined) : undefined;
    if (!isJson) void response.body?.cancel().catch(() => {});
    const problem = problemIn(status, type, body);
    const time: unknown = body?.server_time;
    if (isTime(time)) this.learn(time);
    if (problem) return failure(problem);
    if (response.ok && body !== undefined) return done(body);
    return failure(foreign(status));
  }
}

export const done = <T>(data: T): Result<T> => ({ data, error: null });
export const failure = (error: ProblemError): Result<never> => ({ data: null, error });

/** An answer that is not the server's. */
export const foreign = (status: number): ProblemError =>
  new ProblemError(
    "foreign_answer",
    "transport",
    status,
    `Something answered ${status} that is not the server.`,
  );

/** No answer: no network, too late, given up, or thrown away. */
export const unreachable = (cause?: unknown): Result<never> =>
  failure(new ProblemError("unreachable", "transport", 0, "The server cannot be reached.", { cause }));
