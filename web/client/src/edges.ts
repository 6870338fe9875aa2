/** Everything the client touches outside itself. Each edge is an option, so that tests and odd places have their own. */

/** A channel to the other tabs of this origin. */
export interface Channel {
  postMessage(message: unknown): void;
  close(): void;
}

/** The part of `navigator.locks` that is used. */
export interface Locks {
  request<T>(name: string, options: { signal: AbortSignal }, callback: () => Promise<T>): Promise<T>;
}

/** The part of `Storage` that is used. It may be denied at any time: every call may throw. */
export interface KeyValueStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Whether somebody sees the page; `gone` is what is left, and may come back from the browser's cache. */
export type Presence = "seen" | "hidden" | "gone";

export interface Edges {
  fetch(input: string | Request, init?: RequestInit): Promise<Response>;
  /** This device's wall clock, Unix milliseconds; the person may set it at any time. */
  wallNow(): number;
  /** Milliseconds since some moment; never set, but may stand still while the device sleeps. */
  monotonicNow(): number;
  setTimeout(work: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** A number from 0 up to 1. */
  random(): number;
  /** A random name that is no secret. */
  randomId(): string;
  /** Undefined where the browser has none. */
  locks: Locks | undefined;
  storage: KeyValueStore | undefined;
  /** Opens the channel of that name; undefined where the browser has none. */
  openChannel(name: string, receive: (message: unknown) => void): Channel | undefined;
  /** Hears changes of `storage` that other tabs make. Returns how to stop. */
  onStorage(changed: (key: string) => void): () => void;
  /** Hears when the network or the page comes back, and waiting makes no more sense. Returns how to stop. */
  onWake(wake: () => void): () => void;
  /** Tells at once whether the page is seen, and then when that changes; `gone` if it is left. Returns how to stop. */
  onPresence?(heard: (presence: Presence) => void): () => void;
}

/** What the browser offers; a part that is missing or throws is left out. */
export function browserEdges(): Edges {
  return {
    // Looked up at each call, so that what an app or a test puts in its place is heard.
    fetch: (input, init) => globalThis.fetch(input, init),
    wallNow: () => Date.now(),
    monotonicNow: () => performance.now(),
    setTimeout: (work, ms) => globalThis.setTimeout(work, ms),
    clearTimeout: (timer) => globalThis.clearTimeout(timer as number | undefined),
    random: () => Math.random(),
    randomId,
    locks: attempt(() => navigator.locks),
    storage: attempt(() => localStorage),
    openChannel: (name, receive) =>
      attempt(() => {
        const channel = new BroadcastChannel(name);
        channel.onmessage = (event) => receive(event.data);
        return channel;
      }),
    onStorage: (changed) => listen(["storage"], (event) => changed((event as StorageEvent).key ?? "")),
    onWake: (wake) =>
      listen(["online", "pageshow", "visibilitychange", "resume"], ({ type }) => {
        // One of them also tells that the page goes away.
        if (type !== "visibilitychange" || globalThis.document.visibilityState === "visible") wake();
      }),
  };
}

/** At the window and in the capture phase, where events of the document are heard as well. */
function listen(names: readonly string[], heard: (event: globalThis.Event) => void): () => void {
  // Where pages are rendered on a server there is nothing to listen to.
  const { window } = globalThis as Partial<typeof globalThis>;
  for (const name of names) window?.addEventListener(name, heard, true);
  return () => {
    for (const name of names) window?.removeEventListener(name, heard, true);
  };
}

/** A label without meaning and no secret, so it needs nothing that a browser may lack, as `crypto` on plain http. */
function randomId(): string {
  const part = () => Math.random().toString(36).slice(2);
  return part() + part();
}

/** Some browsers throw where others have nothing. */
function attempt<T>(get: () => T | undefined): T | undefined {
  try {
    return get() ?? undefined;
  } catch {
    return undefined;
  }
}
