/** Requests of the app with the access token: `client.fetch` and axios. What an API answers never signs out. */

import type { Engine } from "./engine.js";
import { enlist, tell } from "./listeners.js";
import { isAuthorization, ProblemError, problemIn, type Refusal, readProblem } from "./problem.js";
import type { Grant } from "./session.js";
import { done, failure, unreachable } from "./transport.js";
import type { AxiosLike, Result } from "./types.js";

/** The codes with which a resource refuses an access token (docs/protocol.md section 8). */
const ABOUT_TOKEN = /^(access_token_|wrong_token_type)/;

export class Bearer {
  readonly #origins: readonly string[];
  /** Which grant an axios request went out with; not in its config, which error reports like to quote. */
  readonly #sent = new WeakMap<object, Grant>();
  readonly #refused = new Set<(refusal: Refusal) => void>();

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
  async held(): Promise<Result<Grant>> {
    const { engine } = this;
    const asker = engine.tab.grant?.user.id;
    const isSettled = () => {
      const { out, trouble, refreshing } = engine.tab;
      return engine.isUsable || !!out || (!!trouble && !refreshing);
    };
    if (!isSettled()) {
      engine.dispatch({ is: "wanted" });
      await engine.until(isSettled);
    }
    const { grant, trouble, out } = engine.tab;
    // Whoever asked is not signed in any more, and another person's token is not for them.
    if (asker && grant && grant.user.id !== asker) return failure(signedOut());
    if (grant && engine.isUsable) return done(grant);
    if (trouble) return failure(trouble.error);
    // Neither means that the client has been disposed of.
    return out ? failure(signedOut()) : unreachable();
  }

  /** Throws the token away and gets another. */
  renew(): Promise<Result<Grant>> {
    const token = this.engine.tab.grant?.token.value;
    if (token !== undefined) this.engine.dispatch({ is: "discard", token, force: true });
    return this.held();
  }

  /** Another token for the same session after the API has refused `refused`; undefined if there is none. */
  async another(refused: Grant): Promise<Grant | undefined> {
    this.engine.dispatch({ is: "discard", token: refused.token.value, force: false });
    const { data } = await this.held();
    // A call is only repeated for the person who made it.
    return data?.session.id === refused.session.id && data.token !== refused.token ? data : undefined;
  }

  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init);
    const { engine } = this;
    const held =
      this.mayCarry(request.url) && !request.headers.has("Authorization")
        ? await this.#grantOrThrow()
        : undefined;
    if (!held) return engine.edges.fetch(request);
    // A body can be sent once, so the repetition has a copy of its own.
    const copy = request.clone();
    const response = await engine.edges.fetch(authorized(request, held));
    if (response.status !== 401 || !(await refusesToken(response))) return this.#heard(response);
    const next = await this.another(held);
    return next ? this.#heard(await engine.edges.fetch(authorized(copy, next))) : response;
  }

  onRefusal(listener: (refusal: Refusal) => void): () => void {
    return enlist(this.#refused, listener);
  }

  /** Tells of a refusal beside the answer, which waits for nobody. */
  #heard(response: Response): Response {
    const mayRefuse = response.status === 402 || response.status === 403;
    if (mayRefuse && this.#refused.size) void readProblem(response).then((problem) => this.#tell(problem));
    return response;
  }

  #tell(problem: ProblemError | undefined): void {
    if (isAuthorization(problem)) for (const listener of [...this.#refused]) tell(() => listener(problem));
  }

  attachAxios(instance: AxiosLike): () => void {
    const { request, response } = instance.interceptors;
    const onRequest = request.use(async (config) => {
      if (config.headers.Authorization || !this.mayCarry(instance.getUri(config))) return config;
      const held = await this.#grantOrThrow();
      if (!held) return config;
      Object.assign(config.headers, authorization(held));
      this.#sent.set(config, held);
      return config;
    });
    const onError = response.use(undefined, async (error) => {
      const held = this.#sent.get(error?.config);
      // Error reports quote it, and an app that sends the request once more would send an old one.
      if (held) delete error.config.headers.Authorization;
      const answer = error?.response;
      if (!held || !answer) throw error;
      const { headers } = answer;
      this.#tell(problemIn(answer.status, headers["content-type"], answer.data));
      if (answer.status !== 401 || error.config.tenureRepeated) throw error;
      if (!isRefusal(headers["content-type"], answer.data, headers["www-authenticate"])) throw error;
      if (!(await this.another(held))) throw error;
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
  async #grantOrThrow(): Promise<Grant | undefined> {
    const { data, error } = await this.held();
    if (error && error.code !== "signed_out") throw error;
    return data ?? undefined;
  }
}

const signedOut = () => new ProblemError("signed_out", "authentication", 0, "Nobody is signed in.");

/** RFC 6750 section 2.1. */
export const authorization = ({ token }: Grant): { Authorization: string } => ({
  Authorization: `Bearer ${token.value}`,
});

function authorized(request: Request, grant: Grant): Request {
  request.headers.set("Authorization", authorization(grant).Authorization);
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
