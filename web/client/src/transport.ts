/** One request to the server and what came of it: its answer, its problem, or nothing that can be trusted. */

import type { Edges } from "./edges.js";
import { type ClientCode, ProblemError, problemIn } from "./problem.js";
import type { Result } from "./types.js";

/** F of the protocol: a request is given up after this long, and never sent again before. */
export const GIVE_UP_MS = 15_000;

export interface Call {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly json?: unknown;
  readonly bearer?: string | undefined;
  readonly headers?: Record<string, string>;
  /** Lets the request outlive the page. */
  readonly keepalive?: boolean;
  /** Gives the request up early. */
  readonly signal?: AbortSignal;
}

export class Transport {
  constructor(
    private readonly baseUrl: string,
    private readonly edges: Pick<Edges, "fetch" | "setTimeout" | "clearTimeout">,
    /** Hears the server's clock from every answer of ours. */
    private readonly learn: (serverTime: number) => void,
  ) {}

  /** The parsed body of a 2xx (undefined for 204). Everything else is an error; nothing is thrown. */
  async send(call: Call): Promise<Result<unknown>> {
    const giveUp = new AbortController();
    const stop = () => giveUp.abort();
    call.signal?.addEventListener("abort", stop);
    let timer: unknown;
    // A fetch that ignores its signal must not hold us either, so time is also raced against it.
    const late = new Promise<Result<unknown>>((resolve) => {
      const end = () => resolve(failed("unreachable", "No answer came in time."));
      giveUp.signal.addEventListener("abort", end);
      timer = this.edges.setTimeout(stop, GIVE_UP_MS);
      if (call.signal?.aborted) stop();
    });
    try {
      return await Promise.race([this.#exchange(call, giveUp.signal), late]);
    } finally {
      this.edges.clearTimeout(timer);
      call.signal?.removeEventListener("abort", stop);
    }
  }

  async #exchange(call: Call, signal: AbortSignal): Promise<Result<unknown>> {
    try {
      const response = await this.edges.fetch(this.baseUrl + call.path, {
        method: call.method,
        headers: {
          ...(call.json === undefined ? {} : { "Content-Type": "application/json" }),
          ...(call.bearer === undefined ? {} : { Authorization: `Bearer ${call.bearer}` }),
          ...call.headers,
        },
        ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
        ...(call.keepalive ? { keepalive: true } : {}),
        credentials: "include",
        cache: "no-store",
        redirect: "error",
        signal,
      });
      return await this.#read(response);
    } catch (cause) {
      return failed("unreachable", "The server cannot be reached.", cause);
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
    const time = problem
      ? problem.details.serverTime
      : (body as { server_time?: unknown } | undefined)?.server_time;
    if (typeof time === "number") this.learn(time);
    if (problem) return failure(problem);
    if (response.ok && body !== undefined) return done(body);
    return failure(foreign(status));
  }
}

export const done = <T>(data: T): Result<T> => ({ data, error: null });
export const failure = (error: ProblemError): Result<never> => ({ data: null, error });

/** An answer that is not the server's. */
export function foreign(status: number): ProblemError {
  return ownError("foreign_answer", status, `Something answered ${status} that is not the server.`);
}

/** An error of the client's own. */
export function failed(code: ClientCode, message: string, cause?: unknown): Result<never> {
  return failure(ownError(code, 0, message, cause));
}

function ownError(code: ClientCode, status: number, message: string, cause?: unknown): ProblemError {
  const problemClass = code === "signed_out" ? "authentication" : "transport";
  return new ProblemError(code, problemClass, status, message, { cause });
}
