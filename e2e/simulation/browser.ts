/** One browser profile: its jar, its storage, its locks and channels, and the tabs that share them. */

import { createClient } from "../../web/client/src/client.js";
import type { Edges, KeyValueStore } from "../../web/client/src/edges.js";
import type { AuthEvent, AuthState, Client } from "../../web/client/src/types.js";
import type { Device, Timer } from "./device.js";
import { Jar } from "./jar.js";
import { LockManager } from "./locks.js";
import { type Network, ORIGIN } from "./network.js";
import type { Random } from "./random.js";
import type { Timeline } from "./timeline.js";
import type { Trace } from "./trace.js";

/** What this browser offers its pages. */
export interface Features {
  readonly locks: boolean;
  readonly channel: boolean;
  readonly storage: boolean;
}

/** Changes a tab's edges, so that a wrong client can be had. */
export type Mutation = (edges: Edges) => Edges;

export interface Watcher {
  /** Each change of a tab's state, under the name that the app hears. */
  changed(tab: Tab, event: AuthEvent, state: AuthState): void;
}

export interface Surroundings {
  readonly timeline: Timeline;
  readonly device: Device;
  readonly network: Network;
  readonly random: Random;
  readonly trace: Trace;
  readonly watcher: Watcher;
  readonly mutation: Mutation;
}

export class Browser {
  readonly jar = new Jar();
  readonly tabs: Tab[] = [];
  readonly locks = new LockManager();
  readonly storage = new Map<string, string>();
  #opened = 0;

  constructor(
    readonly features: Features,
    readonly around: Surroundings,
  ) {}

  open(): Tab {
    this.#opened += 1;
    const tab = new Tab(`tab${this.#opened}`, this);
    this.tabs.push(tab);
    return tab;
  }

  /** Without a word to the page, as when it is closed, discarded or reloaded. */
  close(tab: Tab): void {
    this.around.trace.say(`${tab.name} closes`);
    const at = this.tabs.indexOf(tab);
    if (at >= 0) this.tabs.splice(at, 1);
    tab.end();
    this.locks.gone(tab);
  }

  /** Power to the browser is cut; it will come back with the jar it had a moment ago. */
  crash(lagMs: number): void {
    const { timeline, trace } = this.around;
    for (const tab of [...this.tabs]) this.close(tab);
    const isOlder = this.jar.rollBack(timeline.now - lagMs);
    trace.say(`the browser crashed; its jar is ${isOlder ? `${lagMs} ms older` : "as it was"}`);
  }

  /** Tells the pages that the network or the screen is back. */
  wake(): void {
    for (const tab of this.tabs) tab.wake();
  }

  others(tab: Tab): Tab[] {
    return this.tabs.filter((other) => other !== tab);
  }
}

export class Tab {
  readonly client: Client;
  readonly openedAt: number;
  readonly device: Device;
  readonly jar: Jar;
  #isGone = false;
  readonly #timers = new Set<Timer>();
  readonly #onWake = new Set<() => void>();
  readonly #onStorage = new Set<(key: string) => void>();
  readonly #channels = new Map<string, (message: unknown) => void>();

  constructor(
    readonly name: string,
    private readonly browser: Browser,
  ) {
    const { timeline, device, watcher, mutation, trace } = browser.around;
    this.openedAt = timeline.now;
    this.device = device;
    this.jar = browser.jar;
    trace.say(`${name} opens`);
    this.client = createClient({
      baseUrl: ORIGIN,
      start: true,
      events: false,
      edges: mutation(this.#edges()),
    });
    this.client.onAuthStateChange((event, state) => {
      if (!this.#isGone) watcher.changed(this, event, state);
    });
  }

  /** Runs something in this tab a little later, if it still exists then. */
  after(ms: number, work: () => void): Timer {
    if (this.#isGone) return NEVER;
    const timer = this.device.after(ms, () => {
      this.#timers.delete(timer);
      work();
    });
    this.#timers.add(timer);
    return timer;
  }

  wake(): void {
    for (const wake of [...this.#onWake]) wake();
  }

  end(): void {
    this.#isGone = true;
    for (const timer of this.#timers) this.device.clear(timer);
    this.#timers.clear();
    this.browser.around.network.abandon(this);
  }

  #edges(): Edges {
    const { browser, device } = this;
    const { features, around } = browser;
    const soon = (work: () => void) => void this.after(around.random.between(0, 2), work);
    return {
      fetch: (input, init) =>
        this.#isGone ? new Promise(() => {}) : around.network.fetch(this, input, init),
      wallNow: () => device.wallNow(),
      monotonicNow: () => device.monotonicNow(),
      setTimeout: (work, ms) => this.after(ms, work),
      clearTimeout: (timer) => {
        if (!timer) return;
        this.#timers.delete(timer as Timer);
        device.clear(timer as Timer);
      },
      random: () => around.random.next(),
      randomId: () => `id${around.random.between(0, 0xffff_ffff)}`,
      locks: features.locks ? browser.locks.for(this, soon) : undefined,
      storage: features.storage ? this.#storage() : undefined,
      openChannel: (name, receive) => {
        if (!features.channel) return undefined;
        this.#channels.set(name, receive);
        return {
          postMessage: (message) => {
            const copy = structuredClone(message);
            for (const other of browser.others(this)) other.#hear(name, copy);
          },
          close: () => void this.#channels.delete(name),
        };
      },
      onStorage: (changed) => listen(this.#onStorage, changed),
      onWake: (wake) => listen(this.#onWake, wake),
    };
  }

  #hear(channel: string, message: unknown): void {
    this.after(this.browser.around.random.between(1, 15), () => this.#channels.get(channel)?.(message));
  }

  #storage(): KeyValueStore {
    const { storage, around } = this.browser;
    const changed = (key: string) => {
      for (const other of this.browser.others(this))
        other.after(around.random.between(1, 30), () => {
          for (const listener of [...other.#onStorage]) listener(key);
        });
    };
    return {
      getItem: (key) => storage.get(key) ?? null,
      setItem: (key, value) => {
        storage.set(key, value);
        changed(key);
      },
      removeItem: (key) => {
        if (storage.delete(key)) changed(key);
      },
    };
  }
}

/** What a tab that is gone still wants to do is never done. */
const NEVER: Timer = { work: () => {}, happening: undefined, leftMs: 0 };

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
