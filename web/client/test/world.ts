/**
 * A browser in a box: tabs with the real client, virtual time, a jar, locks, channels, storage, and a network that can
 * do what networks do. Nothing here waits for real time.
 */

import { createClient } from "../src/client.js";
import type { Edges, KeyValueStore, Presence } from "../src/edges.js";
import type { AuthEvent, AuthState, Client, ClientOptions } from "../src/types.js";
import { type Answer, type Asked, json, Server } from "./world-server.js";
import { type Owner, seeded, settle, Time } from "./world-time.js";

export const HOME = "https://app.example";
export const ADA = { email: "ada@example.com", password: "correct horse", rememberMe: true };
export const BOB = { ...ADA, email: "bob@example.com" };

/** One request as the network sees it. */
export interface Sent {
  readonly tab: Tab | undefined;
  readonly at: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  /** Whether the client took it back. */
  aborted: boolean;
  /** When it was over for the client, one way or the other. */
  endedAt?: number;
}

/** What becomes of a request. Undefined: it is answered after `latency`. */
export type Fate =
  /** It never arrives, and the browser says so. */
  | "lost"
  /** The server does what was asked, and the connection breaks. */
  | "answer-lost"
  /** Nothing comes, ever; the server has (`answer-hangs`) or has not (`hangs`) done what was asked. */
  | "hangs"
  | "answer-hangs"
  /** It arrives after `up`, the answer `down` later. */
  | { readonly up?: number; readonly down?: number }
  /** Something else answers. */
  | { readonly answer: Answer | Response }
  | undefined;

export class World {
  readonly time = new Time();
  readonly random: () => number;
  readonly server: Server;
  readonly sent: Sent[] = [];
  latency = 20;
  /** The client that the tabs run. */
  createClient: typeof createClient = createClient;
  /** Decides what becomes of each request. */
  network: (sent: Sent) => Fate = () => undefined;
  online = true;

  constructor(seed = 1) {
    this.random = seeded(seed);
    this.server = new Server(() => this.time.now, this.random);
  }

  /** A mistake in a test's network must fail the test, and not look like a network's. */
  #fateOf(sent: Sent): Fate {
    try {
      return this.network(sent);
    } catch (error) {
      this.time.after(0, () => {
        throw error;
      });
      return "hangs";
    }
  }

  refreshes(): Sent[] {
    return this.sent.filter(isRefresh);
  }

  /** Sends a request over the network, as a browser does with this jar. */
  async fetch(request: Request, jar: Map<string, string>, tab?: Tab): Promise<Response> {
    const { method, url, headers, signal } = request;
    const body = await request.text();
    const sent: Sent = { tab, at: this.time.now, method, url, headers, body, aborted: signal.aborted };
    this.sent.push(sent);
    const { origin, pathname, searchParams } = new URL(url);
    const cookies = new Map(origin === HOME && pathname === "/api/v1/auth/refresh" ? jar : []);
    const upTo = searchParams.get("up_to");
    const require = searchParams.get("require") ?? "";
    const asked: Asked = { method, path: pathname, upTo, require, headers, body, cookies };
    return new Promise<Response>((resolve, reject) => {
      const end = (act: () => void) => () => {
        sent.endedAt ??= this.time.now;
        act();
      };
      const aborted = end(() => {
        sent.aborted = true;
        reject(new DOMException("aborted", "AbortError"));
      });
      if (signal.aborted) return aborted();
      signal.addEventListener("abort", aborted);
      const broken = end(() => reject(new TypeError("Failed to fetch")));
      const fate = this.online ? this.#fateOf(sent) : "lost";
      if (fate === "lost") return void this.time.after(1, broken);
      if (fate === "hangs") return;
      const { up = this.latency, down = this.latency } = typeof fate === "object" && "up" in fate ? fate : {};
      this.time.after(up, () => {
        const answer = typeof fate === "object" && "answer" in fate ? fate.answer : this.server.handle(asked);
        if (fate === "answer-hangs") return;
        if (fate === "answer-lost") return void this.time.after(down, broken);
        this.time.after(
          typeof fate === "object" && "down" in fate ? (fate.down ?? down) : down,
          end(() => {
            if (!sent.aborted) resolve(received(answer, jar));
          }),
        );
      });
    });
  }
}

export const isRefresh = ({ method, url }: Sent): boolean =>
  method === "POST" && url.endsWith("/api/v1/auth/refresh");

/** The browser's part in an answer: cookies go to the jar, the rest to the page. */
function received(answer: Answer | Response, jar: Map<string, string>): Response {
  if (answer instanceof Response) return answer;
  for (const [name, value] of Object.entries(answer.cookies ?? {}))
    value === undefined ? jar.delete(name) : jar.set(name, value);
  return new Response(answer.status === 204 ? null : answer.body, answer);
}

export type StorageKind = "works" | "missing" | "throws" | "full" | "forgets";

export interface BrowserOptions {
  readonly locks?: "works" | "missing" | "rejects" | "throws" | "never";
  readonly channel?: "works" | "missing" | "throws";
  readonly storage?: StorageKind;
}

/** One profile: a jar, a storage, locks and channels that its tabs share. */
export class Browser {
  readonly jar = new Map<string, string>();
  readonly stored = new Map<string, string>();
  readonly tabs: Tab[] = [];
  /** Storage takes nothing more; what is there stays. */
  isFull = false;
  /** Every message that was posted. */
  readonly posted: unknown[] = [];
  readonly #locks = new Map<string, Lock>();

  constructor(
    readonly world = new World(),
    readonly options: BrowserOptions = {},
  ) {}

  open(options: Partial<ClientOptions> = {}): Tab {
    return new Tab(this, options);
  }

  /** Opens a tab and signs in there. */
  async signedIn(credentials = ADA, options: Partial<ClientOptions> = {}): Promise<Tab> {
    const tab = this.open(options);
    const done = tab.client.signIn.password(credentials);
    await this.world.time.advance(400);
    const { error } = await done;
    if (error) throw error;
    return tab;
  }

  /** Tells every tab that the network is back. */
  goOnline(): void {
    this.world.online = true;
    for (const tab of this.tabs) tab.wake();
  }

  post(from: Tab, name: string, message: unknown): void {
    this.posted.push(message);
    for (const tab of this.tabs)
      for (const channel of tab.channels)
        if (tab !== from && channel.name === name) {
          const copy = structuredClone(message);
          // A page in the back/forward cache never hears what was said meanwhile.
          if (!tab.cached) this.world.time.after(1, () => tab.closed || channel.receive(copy), tab);
        }
  }

  storageOf(tab: Tab): KeyValueStore | undefined {
    const kind = this.options.storage ?? "works";
    if (kind === "missing") return undefined;
    const denied = (): never => {
      throw new DOMException("denied", "SecurityError");
    };
    const changed = (key: string) => {
      for (const other of this.tabs)
        if (other !== tab && !other.cached)
          for (const hear of other.storageListeners) this.world.time.after(1, () => hear(key), other);
    };
    return {
      getItem: (key) => (kind === "throws" ? denied() : (this.stored.get(key) ?? null)),
      setItem: (key, value) => {
        if (kind === "throws" || kind === "full" || this.isFull) denied();
        if (kind !== "forgets") this.stored.set(key, value);
        changed(key);
      },
      removeItem: (key) => {
        if (kind === "throws") denied();
        this.stored.delete(key);
        changed(key);
      },
    };
  }

  async request<T>(tab: Tab, name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const lock = this.#locks.get(name) ?? { holder: undefined, queue: [] };
    this.#locks.set(name, lock);
    if (lock.holder) {
      await new Promise<void>((grant, reject) => {
        const waiting = { tab, grant };
        lock.queue.push(waiting);
        signal.addEventListener("abort", () => {
          lock.queue = lock.queue.filter((other) => other !== waiting);
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    }
    lock.holder = tab;
    try {
      await Promise.resolve();
      return await work();
    } finally {
      if (!tab.closed) release(lock);
    }
  }

  /** The tab is gone: what it held is free, what it waited for is not. */
  forget(tab: Tab): void {
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    for (const lock of this.#locks.values()) {
      lock.queue = lock.queue.filter((waiting) => waiting.tab !== tab);
      if (lock.holder === tab) release(lock);
    }
  }
}

interface Lock {
  holder: Tab | undefined;
  queue: { tab: Tab; grant: () => void }[];
}

function release(lock: Lock): void {
  const next = lock.queue.shift();
  lock.holder = next?.tab;
  next?.grant();
}

export class Tab implements Owner {
  frozen = false;
  closed = false;
  /** In the back/forward cache: frozen, and deaf to messages. */
  cached = false;
  readonly client: Client;
  /** What the app heard, without `INITIAL_STATE`. */
  readonly events: AuthEvent[] = [];
  readonly channels: { name: string; receive: (message: unknown) => void }[] = [];
  readonly storageListeners = new Set<(key: string) => void>();
  readonly #wakers = new Set<() => void>();
  readonly #watchers = new Set<(presence: Presence) => void>();

  constructor(
    readonly browser: Browser,
    { edges, ...options }: Partial<ClientOptions> = {},
  ) {
    browser.tabs.push(this);
    this.client = browser.world.createClient({
      baseUrl: HOME,
      start: true,
      // Tests of the feed turn it on; in the others each request that is sent is counted.
      events: false,
      edges: { ...this.edges(), ...edges },
      ...options,
    });
    this.client.onAuthStateChange((event) => event === "INITIAL_STATE" || this.events.push(event));
  }

  get state(): AuthState {
    return this.client.getState();
  }

  /** The state in short: `signedIn ada live`, `signedOut admin_revoked`. */
  get shows(): string {
    const { state } = this;
    if (state.status === "signedOut") return `signedOut ${state.reason}`;
    if (state.status === "signedIn")
      return `signedIn ${state.user.id.replace("usr_", "")} ${state.freshness}`;
    return state.trouble ? "unknown reconnecting" : "unknown";
  }

  wake(): void {
    if (!this.frozen) for (const wake of this.#wakers) wake();
  }

  /** The person looks at it, at another, or goes to another page. */
  becomes(presence: Presence): void {
    for (const heard of this.#watchers) heard(presence);
    if (presence === "seen") this.wake();
  }

  freeze({ cached = false } = {}): void {
    this.frozen = true;
    this.cached = cached;
  }

  thaw(): void {
    this.frozen = false;
    this.cached = false;
    this.wake();
  }

  /** Killed without a word. */
  close(): void {
    this.closed = this.frozen = this.cached = true;
    this.browser.forget(this);
  }

  /** The same place, loaded anew. */
  reload(options: Partial<ClientOptions> = {}): Tab {
    this.close();
    return this.browser.open(options);
  }

  edges(): Edges {
    const { browser } = this;
    const { world, options } = browser;
    const { time } = world;
    const { locks = "works", channel = "works" } = options;
    const request = <T>(
      name: string,
      { signal }: { signal: AbortSignal },
      work: () => Promise<T>,
    ): Promise<T> => {
      if (locks === "throws") throw new TypeError("Illegal invocation");
      if (locks === "rejects") return Promise.reject(new DOMException("denied", "SecurityError"));
      if (locks === "works") return browser.request(this, name, signal, work);
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))),
      );
    };
    return {
      fetch: (input, init) =>
        world.fetch(
          new Request(input instanceof Request ? input : new URL(input, HOME), init),
          browser.jar,
          this,
        ),
      wallNow: () => time.wall(),
      monotonicNow: () => time.monotonic(),
      setTimeout: (work, ms) => time.after(ms, work, this),
      clearTimeout: (timer) => time.clear(timer),
      random: world.random,
      randomId: () => `label-${Math.floor(world.random() * 1e9)}`,
      locks: locks === "missing" ? undefined : { request },
      storage: browser.storageOf(this),
      openChannel: (name, receive) => {
        if (channel === "missing") return undefined;
        const opened = { name, receive };
        this.channels.push(opened);
        return {
          postMessage: (message) => {
            if (channel === "throws") throw new DOMException("closed", "InvalidStateError");
            browser.post(this, name, message);
          },
          close: () => void this.channels.splice(this.channels.indexOf(opened), 1),
        };
      },
      onStorage: (hear) => {
        this.storageListeners.add(hear);
        return () => this.storageListeners.delete(hear);
      },
      onWake: (wake) => {
        this.#wakers.add(wake);
        return () => this.#wakers.delete(wake);
      },
      onPresence: (heard) => {
        this.#watchers.add(heard);
        heard("seen");
        return () => this.#watchers.delete(heard);
      },
    };
  }
}

/** A browser with one tab, in which ada is signed in; what was sent until then is forgotten. */
export async function signedIn({
  seed = 1,
  ...options
}: BrowserOptions & { readonly seed?: number } = {}): Promise<{ world: World; browser: Browser; tab: Tab }> {
  const world = new World(seed);
  const browser = new Browser(world, options);
  const tab = await browser.signedIn();
  world.sent.length = 0;
  return { world, browser, tab };
}

export { json, settle };
