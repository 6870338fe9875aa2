/**
 * The console's way to the admin API: by the console's own cookie, which the browser keeps from scripts and from every other
 * route. Nothing here knows a session of `@tenure/client`.
 */

import { browserEdges, type Edges } from "@tenure/client/edges.js";
import { type Call, Transport } from "@tenure/client/transport.js";
import type { Result } from "@tenure/client/types.js";

/** What an address asks for; what is empty is left out. */
export type Query = Readonly<Record<string, string | number | null | undefined>>;

const SESSION = /^\/api\/v1\/admin\/session(\/|$)/;

export class Api {
  readonly #base: string;
  readonly #transport: Transport;
  readonly #onDoubt: () => void;

  /** `onDoubt` hears of every 401: only `admin/session` itself can say that nobody is signed in. */
  constructor(base: string, onDoubt: () => void = () => {}, edges: Partial<Edges> = {}) {
    this.#base = base;
    this.#onDoubt = onDoubt;
    this.#transport = new Transport(base, { ...browserEdges(), ...edges }, () => {});
  }

  get<T>(path: string, query: Query = {}, giveUp?: AbortController): Promise<Result<T>> {
    return this.#ask<T>({
      method: "GET",
      path: withQuery(`/api/v1/${path}`, query),
      ...(giveUp && { giveUp }),
    });
  }

  send<T>(method: Exclude<Call["method"], "GET">, path: string, json?: object): Promise<Result<T>> {
    return this.#ask<T>({ method, path: `/api/v1/${path}`, ...(json && { json }) });
  }

  /** Where something can be downloaded. */
  address(path: string, query: Query): string {
    return this.#base + withQuery(`/api/v1/${path}`, query);
  }

  async #ask<T>(call: Call): Promise<Result<T>> {
    const answer = await this.#transport.send(call);
    if (answer.error?.status === 401 && !SESSION.test(call.path)) this.#onDoubt();
    // The shape is the contract's: an answer of another would have come with another status.
    return answer as Result<T>;
  }
}

export function withQuery(path: string, query: Query): string {
  const said = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const text = new URLSearchParams(said.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}
