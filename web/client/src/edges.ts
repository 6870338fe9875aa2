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

/** Moments at which waiting makes no more sense: the network or the page has come back. */
export type Wake = "online" | "visible" | "restored";

export interface Edges {
  fetch(input: string, init: RequestInit): Promise<Response>;
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
  onStorage(changed: (key: string, value: string | null) => void): () => void;
  /** Hears of wake-ups. Returns how to stop. */
  onWake(wake: (why: Wake) => void): () => void;
}
