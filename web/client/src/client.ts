/** What an app calls. Each method is one request, or a look at the engine. */

import { accountCalls, readAs } from "./account.js";
import { Bearer } from "./bearer.js";
import { browserEdges } from "./edges.js";
import { Engine } from "./engine.js";
import { removeKeys } from "./memory.js";
import { problemIn } from "./problem.js";
import { registerClient } from "./registry.js";
import type { Grant } from "./session.js";
import { done, failure, foreign } from "./transport.js";
import type {
  Client,
  ClientOptions,
  Credentials,
  Result,
  SignedIn,
  SignedInState,
  SignedOutState,
} from "./types.js";
import { readStatus } from "./wire.js";

/**
 * The session of this browser. One client per page and server is enough; every tab has its own.
 *
 * With no options it talks to the page's own origin. In a browser it asks at once whether somebody is signed in;
 * until it knows, the state is `unknown`.
 */
export function createClient(options: ClientOptions = {}): Client {
  const edges = { ...browserEdges(), ...options.edges };
  const given = (options.baseUrl ?? "").replace(/\/+$/, "");
  // One name for one server: by it the tabs of this origin find each other and what they noted.
  const own = globalThis.location?.origin;
  const baseUrl = `${given}/`.startsWith(`${own}/`) ? given.slice(own.length) : given;
  const engine = new Engine(baseUrl, edges);
  let unregister = () => {};
  const bearer = new Bearer(engine, baseUrl, options.apiOrigins ?? []);

  async function enter(
    path: string,
    { email, password, rememberMe = false }: Credentials,
    more?: { name: string },
  ): Promise<Result<{ signedIn: SignedIn | null }>> {
    const json = { email, password, remember_me: rememberMe, device_id: engine.memory.deviceId, ...more };
    const { data, error } = await engine.signIn({ path: `/api/v1/auth/${path}`, json });
    return error ? failure(error) : done({ signedIn: data.grant ? person(data.grant) : null });
  }

  const client: Client = {
    ...accountCalls(engine, bearer),
    baseUrl,
    getState: () => engine.state,
    subscribe: (listener) => engine.subscribe(listener),
    onAuthStateChange(listener) {
      const stop = engine.onEvent(listener);
      listener("INITIAL_STATE", engine.state);
      return stop;
    },
    async ready() {
      await engine.until(() => engine.state.status !== "unknown");
      return engine.state as SignedInState | SignedOutState;
    },

    signIn: {
      async password(credentials) {
        const { data, error } = await enter("login", credentials);
        if (error) return failure(error);
        return data.signedIn ? done(data.signedIn) : failure(foreign(200));
      },
    },
    signUp: ({ name, ...credentials }) => enter("register", credentials, { name }),

    async getAccessToken() {
      const { data, error } = await bearer.held();
      return error ? failure(error) : done(data.token.value);
    },
    async refresh() {
      const { data, error } = await bearer.renew();
      return error ? failure(error) : done(person(data));
    },
    fetch: (input, init) => bearer.fetch(input, init),
    attachAxios: (instance) => bearer.attachAxios(instance),
    onRefusal: (listener) => bearer.onRefusal(listener),

    async serverStatus() {
      return readAs(
        await engine.transport.send({ method: "GET", path: "/api/v1/system/status" }),
        readStatus,
      );
    },

    inspect() {
      const { grant } = engine.tab;
      const now = engine.clock.now();
      return {
        state: engine.state,
        accessExpiresInMs: grant ? grant.token.expiresAt - now : null,
        sessionExpiresInMs: grant ? grant.session.expiresAt - now : null,
        clockOffsetMs: engine.clock.offset(),
        refreshesSent: engine.refreshesSent,
        tokensFromTabs: engine.tokensFromTabs,
        locks: !!edges.locks,
        channel: engine.tabs.channelKind,
        storage: engine.memory.works,
      };
    },
    heldToken() {
      const { grant } = engine.tab;
      return grant ? { value: grant.token.value, session: grant.session.id } : null;
    },
    serverNow: () => engine.clock.now(),
    dispose() {
      unregister();
      engine.dispose();
    },
  };

  removeKeys(edges.storage, options.migrate?.removeKeys ?? []);
  engine.trade = options.migrate?.begin?.(client, edges);
  // Where pages are rendered on a server nobody watches, and clients that nobody disposes of would pile up.
  if (options.start ?? typeof window !== "undefined") {
    unregister = registerClient(client);
    engine.start();
    if (options.events !== false) hear(engine).catch(() => {});
  }
  return client;
}

/** What is only a hint is loaded last, and is done without where it cannot be loaded. It imports nothing of ours. */
async function hear(engine: Engine): Promise<void> {
  await engine.until(() => !!engine.tab.grant);
  (await import("./feed.js")).listen(engine, problemIn);
}

const person = ({ user, session }: Grant): SignedIn => ({ user, session });
