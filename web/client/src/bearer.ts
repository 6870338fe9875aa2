/** Requests of the app with the access token: `client.fetch` and axios. What an API answers never signs out. */

import type { Engine } from "./engine.js";
import { problemIn } from "./problem.js";
import { done, failed, failure } from "./transport.js";
import type { AxiosLike, Result } from "./types.js";

/** The codes with which a resource refuses an access token (docs/protocol.md section 8). */
const ABOUT_TOKEN = /^(access_token_|wrong_token_type)/;

/** A token and whose session it opens: a call is only repeated for the person who made it. */
interface Held {
  readonly value: string;
  readonly sessionId: string;
}

export class Bearer {
  readonly #origins: readonly string[];

  constructor(
    private readonly engine: Engine,
    baseUrl: string,
    apiOrigins: readonly string[],
  ) {
    const own = globalThis.location?.origin;
    this.#origins = [own, ...[baseUrl, ...apiOrigins].map((url) => originOf(url, own))].filter(
      (url) => url !== undefined,
    );
  }

  /** A usable token; waits for a refresh that is under way or due. */
  async held(): Promise<Result<Held>> {
    const { engine } = this;
    const isSettled = () => {
      const { out, trouble, refreshing } = engine.tab;
      return engine.isUsable || !!out || (!!trouble && !refreshing);
    };
    if (!isSettled()) {
      engine.dispatch({ is: "wanted" });
      await engine.until(isSettled);
    }
    const { grant, trouble, out } = engine.tab;
    if (grant && engine.isUsable) return done({ value: grant.token.value, sessionId: grant.session.id });
    if (trouble) return failure(trouble.error);
    return out
      ? failed("signed_out", "Nobody is signed in.")
      : failed("unreachable", "This client is disposed of.");
  }

  /** Another token for the same session after the API has refused `refused`; undefined if there is none. */
  async another(refused: Held): Promise<Held | undefined> {
    this.engine.dispatch({ is: "discard", token: refused.value, force: false });
    const { data } = await this.held();
    return data && data.sessionId === refused.sessionId && data.value !== refused.value ? data : undefined;
  }

  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init);
    const { engine } = this;
    const held =
      this.mayCarry(request.url) && !request.headers.has("Authorization")
        ? await this.#heldOrThrow()
        : undefined;
    if (!held) return engine.edges.fetch(request);
    // A body can be sent once, so the repetition has a copy of its own.
    const copy = request.clone();
    const response = await engine.edges.fetch(authorized(request, held));
    if (response.status !== 401 || !(await refusesToken(response))) return response;
    const next = await this.another(held);
    return next ? engine.edges.fetch(authorized(copy, next)) : response;
  }

  attachAxios(instance: AxiosLike): () => void {
    const { request, response } = instance.interceptors;
    const onRequest = request.use(async (config) => {
      const held = this.mayCarry(instance.getUri(config)) ? await this.#heldOrThrow() : undefined;
      if (!held || config.headers.Authorization) return config;
      config.headers.Authorization = `Bearer ${held.value}`;
      config.tenure = held;
      return config;
    });
    const onError = response.use(undefined, async (error) => {
      const held: Held | undefined = error?.config?.tenure;
      const answer = error?.response;
      if (!held || answer?.status !== 401 || error.config.tenureRepeated) throw error;
      const { headers } = answer;
      if (!isRefusal(headers["content-type"], answer.data, headers["www-authenticate"])) throw error;
      if (!(await this.another(held))) throw error;
      delete error.config.headers.Authorization;
      return instance.request({ ...error.config, tenureRepeated: true });
    });
    return () => {
      request.eject(onRequest);
      response.eject(onError);
    };
  }

  /** The token is for this page's own servers and for nobody else. */
  mayCarry(url: string): boolean {
    const origin = originOf(url, globalThis.location?.href);
    return origin !== undefined && this.#origins.includes(origin);
  }

  /** Undefined when signed out: the call goes without, and the API says what it thinks of that. */
  async #heldOrThrow(): Promise<Held | undefined> {
    const { data, error } = await this.held();
    if (error && error.code !== "signed_out") throw error;
    return data ?? undefined;
  }
}

function authorized(request: Request, held: Held): Request {
  request.headers.set("Authorization", `Bearer ${held.value}`);
  return request;
}

/** Reads a copy: the answer itself stays whole for the caller. */
async function refusesToken(response: Response): Promise<boolean> {
  const type = response.headers.get("content-type");
  const body = type?.includes("json")
    ? await response
        .clone()
        .json()
        .catch(() => undefined)
    : undefined;
  return isRefusal(type, body, response.headers.get("www-authenticate"));
}

/** Our problem about the token, or RFC 6750's `invalid_token` from an API that does not speak ours. */
function isRefusal(
  type: string | null | undefined,
  body: unknown,
  challenge: string | null | undefined,
): boolean {
  const problem = problemIn(401, type ?? null, body);
  return problem ? ABOUT_TOKEN.test(problem.code) : /\berror="?invalid_token/.test(challenge ?? "");
}

function originOf(url: string, base: string | undefined): string | undefined {
  try {
    return new URL(url, base).origin;
  } catch {
    return undefined;
  }
}
