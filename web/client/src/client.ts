/** What an app calls. Each method is one request, or a look at the engine. */

import { Bearer } from "./bearer.js";
import { browserEdges } from "./edges.js";
import { Engine } from "./engine.js";
import { removeKeys } from "./memory.js";
import { registerClient } from "./registry.js";
import { type Call, failed, foreign } from "./transport.js";
import type {
  AuthEvent,
  AuthState,
  Client,
  ClientOptions,
  Credentials,
  Inspection,
  Result,
  SignedIn,
  SignedInState,
  SignedOutState,
} from "./types.js";
import { readSessions, readStatus, readToken, readUser } from "./wire.js";

/**
 * The session of this browser. One client per page and server is enough; every tab has its own.
 *
 * With no options it talks to the page's own origin. In a browser it asks at once whether somebody is signed in;
 * until it knows, the state is `unknown`.
 */
export function createClient(options: ClientOptions = {}): Client {
  return new TenureClient(options);
}

class TenureClient implements Client {
  readonly baseUrl: string;
  readonly #engine: Engine;
  readonly #bearer: Bearer;
  readonly #unregister: () => void;

  constructor(options: ClientOptions) {
    const edges = { ...browserEdges(), ...options.edges };
    this.baseUrl = (options.baseUrl ?? "").replace(/\/+$/, "");
    this.#engine = new Engine(this.baseUrl, edges);
    this.#bearer = new Bearer(this.#engine, this.baseUrl, options.apiOrigins ?? []);
    removeKeys(edges.storage, options.migrate?.removeKeys ?? []);
    this.#unregister = registerClient(this);
    if (options.start ?? typeof window !== "undefined") this.#engine.start();
  }

  getState = (): AuthState => this.#engine.state;

  subscribe = (listener: () => void): (() => void) => this.#engine.subscribe(listener);

  onAuthStateChange(listener: (event: AuthEvent, state: AuthState) => void): () => void {
    const stop = this.#engine.onEvent(listener);
    listener("INITIAL_STATE", this.getState());
    return stop;
  }

  async ready(): Promise<SignedInState | SignedOutState> {
    await this.#engine.until(() => this.getState().status !== "unknown");
    return this.getState() as SignedInState | SignedOutState;
  }

  readonly signIn = {
    password: async (credentials: Credentials): Promise<Result<SignedIn>> => {
      const { data, error } = await this.#signIn("login", credentials);
      if (error) return { data: null, error };
      return data.signedIn ? { data: data.signedIn, error: null } : notOurs();
    },
  };

  signUp({
    name,
    ...credentials
  }: Credentials & { name: string }): Promise<Result<{ signedIn: SignedIn | null }>> {
    return this.#signIn("register", credentials, { name });
  }

  async signOut({
    scope = "this",
  }: {
    scope?: "this" | "others" | "everywhere";
  } = {}): Promise<Result<{ delivered: boolean }>> {
    let elsewhere: Result<unknown> = { data: null, error: null };
    if (scope !== "this")
      elsewhere = await this.#send({ method: "POST", path: "auth/logout", json: { scope } });
    const delivered = scope === "others" || (await this.#engine.signOut());
    // The person is signed out here in any case; that other devices are not must be said.
    return elsewhere.error ? { data: null, error: elsewhere.error } : { data: { delivered }, error: null };
  }

  async getAccessToken(): Promise<Result<string>> {
    const { data, error } = await this.#bearer.held();
    return error ? { data: null, error } : { data: data.value, error: null };
  }

  async refresh(): Promise<Result<SignedIn>> {
    const token = this.#engine.tab.grant?.token.value;
    if (token !== undefined) this.#engine.dispatch({ is: "discard", token, force: true });
    const { error } = await this.#bearer.held();
    return error ? { data: null, error } : this.#signedIn();
  }

  fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
    this.#bearer.fetch(input, init);

  attachAxios(instance: Parameters<Client["attachAxios"]>[0]): () => void {
    return this.#bearer.attachAxios(instance);
  }

  readonly sessions = {
    list: () => this.#read({ method: "GET", path: "auth/sessions" }, readSessions),
    end: (id: string) =>
      this.#read({ method: "DELETE", path: `auth/sessions/${encodeURIComponent(id)}` }, () => ({
        ended: id,
      })),
  };

  async changePassword(change: {
    current: string;
    next: string;
  }): Promise<Result<{ endedSessions: number }>> {
    const json = { current_password: change.current, new_password: change.next };
    const sessionId = this.#engine.tab.grant?.session.id;
    return this.#read({ method: "POST", path: "auth/password/change", json }, (body) => {
      // All earlier access tokens of the person are dead; this one takes their place.
      const token = readToken(body, this.#engine.edges.random());
      if (!token) return undefined;
      if (this.#engine.tab.grant?.session.id === sessionId) this.#engine.dispatch({ is: "token", token });
      return { endedSessions: (body as { ended_sessions: number }).ended_sessions };
    });
  }

  updateProfile(change: { name: string }) {
    return this.#read({ method: "PATCH", path: "auth/profile", json: change }, (body) => {
      const user = readUser(body);
      if (user) this.#engine.dispatch({ is: "profile", user });
      return user;
    });
  }

  async serverStatus() {
    return readAs(
      await this.#engine.transport.send({ method: "GET", path: "/api/v1/system/status" }),
      readStatus,
    );
  }

  inspect(): Inspection {
    const { tab, clock, memory, tabs, edges, state } = this.#engine;
    const now = clock.now();
    return {
      state,
      accessExpiresInMs: tab.grant ? tab.grant.token.expiresAt - now : null,
      sessionExpiresInMs: tab.grant ? tab.grant.session.expiresAt - now : null,
      clockOffsetMs: clock.offset(),
      refreshesSent: this.#engine.refreshesSent,
      tokensFromTabs: this.#engine.tokensFromTabs,
      locks: edges.locks !== undefined,
      channel: tabs.channelKind,
      storage: memory.works,
    };
  }

  serverNow(): number {
    return this.#engine.clock.now();
  }

  dispose(): void {
    this.#unregister();
    this.#engine.dispose();
  }

  async #signIn(
    path: "login" | "register",
    { email, password, rememberMe = false }: Credentials,
    more: { name?: string } = {},
  ): Promise<Result<{ signedIn: SignedIn | null }>> {
    const device_id = this.#engine.memory.deviceId;
    const json = { email, password, remember_me: rememberMe, device_id, ...more };
    const { data, error } = await this.#engine.signIn({ path: `/api/v1/auth/${path}`, json });
    if (error) return { data: null, error };
    const { grant } = data;
    return { data: { signedIn: grant ? { user: grant.user, session: grant.session } : null }, error: null };
  }

  #signedIn(): Result<SignedIn> {
    const { grant } = this.#engine.tab;
    if (!grant) return failed("signed_out", "Nobody is signed in.");
    return { data: { user: grant.user, session: grant.session }, error: null };
  }

  async #read<T>(call: Call, read: (body: unknown) => T | undefined): Promise<Result<T>> {
    return readAs(await this.#send(call), read);
  }

  /** A call to Tenure's own API with the token; repeated once if the token is refused. */
  async #send(call: Call): Promise<Result<unknown>> {
    const { data: held, error } = await this.#bearer.held();
    if (error) return { data: null, error };
    const send = (bearer: string) =>
      this.#engine.transport.send({ ...call, path: `/api/v1/${call.path}`, bearer });
    const answer = await send(held.value);
    if (answer.error?.status !== 401 || answer.error.problemClass !== "authentication") return answer;
    const next = await this.#bearer.another(held);
    return next ? send(next.value) : answer;
  }
}

function readAs<T>(answer: Result<unknown>, read: (body: unknown) => T | undefined): Result<T> {
  if (answer.error) return answer;
  const data = read(answer.data);
  return data === undefined ? notOurs() : { data, error: null };
}

function notOurs(): Result<never> {
  return { data: null, error: foreign(200) };
}
