/** A browser of the simulation (`e2e/simulation`): the real client on virtual time. */

import { Browser, type Mutation, type Tab } from "../../e2e/simulation/browser.js";
import { Device } from "../../e2e/simulation/device.js";
import type { Upstream } from "../../e2e/simulation/http.js";
import { Network, ORIGIN } from "../../e2e/simulation/network.js";
import { Random } from "../../e2e/simulation/random.js";
import { MINUTE, type Timeline } from "../../e2e/simulation/timeline.js";
import type { Trace } from "../../e2e/simulation/trace.js";
import type { AuthEvent, AuthState, Credentials } from "../../web/client/src/types.js";
import {
  answerOf,
  answerOfHttp,
  type Cookie,
  type Network as NetworkKind,
  type PageAct,
  type Shown,
  type Surface,
  saysSignedOut,
  Wire,
} from "./surface.js";

const REFRESH_PATH = "/api/v1/auth/refresh";
/** Nobody waits longer for anything but a network that is gone. */
const PATIENCE_MS = 5 * MINUTE;

export interface Surroundings {
  readonly timeline: Timeline;
  readonly trace: Trace;
  readonly upstream: Upstream;
  /** Wrong clients, which must be found out. */
  readonly mutation: Mutation;
}

export class SimulatedBrowser implements Surface {
  readonly wire = new Wire();
  readonly #timeline: Timeline;
  readonly #device: Device;
  readonly #network: Network;
  readonly #browser: Browser;
  readonly #signedOut = new Map<Tab, number>();

  constructor(seed: number, { timeline, trace, upstream, mutation }: Surroundings) {
    const random = new Random(seed);
    this.#timeline = timeline;
    this.#device = new Device(timeline, false);
    this.#network = new Network(timeline, upstream, random.fork(), trace);
    this.#network.mishaps = 0;
    const features = { locks: true, channel: true, storage: true };
    this.#browser = new Browser(features, {
      timeline,
      device: this.#device,
      network: this.#network,
      random,
      trace,
      watcher: { changed: (tab, event, state) => this.#heard(tab, event, state) },
      mutation: (edges) => {
        const { fetch, ...rest } = mutation(edges);
        return { ...rest, fetch: (input, init) => fetch(...this.#onWire(input, init)) };
      },
    });
    this.#browser.open();
  }

  async open(tabs: number): Promise<void> {
    for (let count = 0; count < tabs; count += 1) this.#browser.open();
    await this.#pass(2000);
  }

  async reload(): Promise<void> {
    const { length } = this.#browser.tabs;
    await this.close();
    await this.open(length);
  }

  async reopen(): Promise<void> {
    await this.close();
    this.#browser.jar.endSession();
    await this.open(1);
  }

  async away(meanwhile: () => Promise<void>): Promise<void> {
    await this.close();
    await meanwhile();
    await this.open(1);
  }

  async signIn(credentials: Credentials) {
    const result = await this.#settled(this.#tab.client.signIn.password(credentials));
    return { answer: answerOf(result), session: result.data?.session.id };
  }

  async signOut(scope: "this" | "others" | "everywhere"): Promise<string> {
    const result = await this.#settled(this.#tab.client.signOut({ scope }));
    return result.data && !result.data.delivered ? "not delivered yet" : answerOf(result);
  }

  async changePassword(current: string, next: string): Promise<string> {
    return answerOf(await this.#settled(this.#tab.client.changePassword({ current, next })));
  }

  async call(path: string, times: number, show: string | undefined): Promise<readonly string[]> {
    const { tabs } = this.#browser;
    const calls = Array.from({ length: times }, async (_, at) => {
      const tab = tabs[at % tabs.length] as Tab;
      try {
        const answer = await tab.client.fetch(ORIGIN + path);
        return answerOfHttp(answer.status, await answer.text(), show);
      } catch (error) {
        const { code = String(error), status = 0 } = error as { code?: string; status?: number };
        return answerOf({ error: { code, status } });
      }
    });
    return this.#settled(Promise.all(calls));
  }

  async refresh(every: boolean): Promise<readonly string[]> {
    const tabs = every ? this.#browser.tabs : [this.#tab];
    const results = await this.#settled(Promise.all(tabs.map((tab) => tab.client.refresh())));
    return results.map((result) => answerOf(result));
  }

  async bearer(): Promise<string | undefined> {
    const { data } = await this.#settled(this.#tab.client.getAccessToken());
    return data ?? undefined;
  }

  async cookies(): Promise<readonly Cookie[]> {
    const line = this.#browser.jar.header(REFRESH_PATH, this.#device.wallNow());
    const pairs = line.split("; ").map((pair) => pair.split(/=(.*)/));
    return pairs
      .filter(([name]) => name?.startsWith("tenure_"))
      .map(([name = "", value = ""]) => ({ name, value }));
  }

  async setCookie(name: string, value: string | undefined): Promise<void> {
    const lasts = value === undefined ? "Max-Age=0" : "Max-Age=1728000";
    await this.setForeignCookie(`${name}=${value ?? ""}; Path=${REFRESH_PATH}; ${lasts}`);
  }

  async setForeignCookie(line: string): Promise<void> {
    this.#browser.jar.apply([line], this.#device.wallNow(), this.#timeline.now);
  }

  async network(kind: NetworkKind): Promise<void> {
    this.#network.weather = kind;
    if (kind === "fine") this.#browser.wake();
  }

  async clockAhead(ms: number): Promise<void> {
    this.#device.wallOffsetMs = ms;
  }

  async page(act: PageAct): Promise<readonly string[]> {
    throw new Error(`only the page of a real browser ${act}`);
  }

  async formPosted(): Promise<string> {
    throw new Error("only the page of a real browser posts forms");
  }

  async shown(): Promise<readonly Shown[]> {
    const closed = [...this.#signedOut].filter(([tab]) => !this.#browser.tabs.includes(tab));
    return [
      ...this.#browser.tabs.map((tab) => ({
        state: tab.client.getState(),
        signedOut: this.#signedOut.get(tab) ?? 0,
      })),
      ...closed.map(([, signedOut]) => ({ state: undefined, signedOut })),
    ];
  }

  async close(): Promise<void> {
    for (const tab of [...this.#browser.tabs]) this.#browser.close(tab);
  }

  get #tab(): Tab {
    const [tab] = this.#browser.tabs;
    if (!tab) throw new Error("no tab is open");
    return tab;
  }

  #heard(tab: Tab, event: AuthEvent, state: AuthState): void {
    if (saysSignedOut(event, state)) this.#signedOut.set(tab, (this.#signedOut.get(tab) ?? 0) + 1);
  }

  #onWire(input: string | Request, init: RequestInit = {}): [string | Request, RequestInit] {
    const headers = this.wire.changed(new Headers(input instanceof Request ? input.headers : init.headers));
    return input instanceof Request ? [new Request(input, { headers }), init] : [input, { ...init, headers }];
  }

  async #pass(ms: number): Promise<void> {
    await this.#timeline.run(this.#timeline.now + ms, () => false);
  }

  async #settled<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    await this.#timeline.run(this.#timeline.now + PATIENCE_MS, () => isOver);
    if (!isOver) throw new Error("nothing came of it in five minutes");
    return work;
  }
}
