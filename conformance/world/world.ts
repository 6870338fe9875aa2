/** Where a scenario takes place: a server, the people, their devices, and the time that all of them share. */

import type { Mutation } from "../../e2e/simulation/browser.js";
import { Connections, type HttpAnswer, type HttpRequest, type Upstream } from "../../e2e/simulation/http.js";
import { Timeline } from "../../e2e/simulation/timeline.js";
import { Trace } from "../../e2e/simulation/trace.js";
import type { Person, Scenario } from "../vocabulary.js";
import { Machine } from "./machine.js";
import { SimulatedBrowser } from "./simulated.js";
import type { Cookie, Surface } from "./surface.js";

/** The device that steps are about which name none. */
export const LAPTOP = "laptop";

/** What is wrong on purpose, so that the suite can be seen to notice. */
export interface Planted {
  readonly client?: Mutation;
  /** Is told of each command of the operator's, on the server's side. */
  readonly server?: (machine: Machine, command: string) => Promise<unknown>;
}

/** Opens a profile of a real browser at the server's address. */
export type OpenReal = (site: string) => Promise<Surface>;

/** A device, and what is known of the session that was signed in on it first. */
export interface Site {
  readonly surface: Surface;
  session: string | undefined;
  kept: { bearer: string | undefined; cookies: readonly Cookie[] };
}

export class World implements Upstream {
  readonly timeline = new Timeline(Date.now());
  readonly trace: Trace;
  readonly sites = new Map<string, Site>();
  /** Those who exist. */
  readonly people = new Set<Person>();
  readonly #connections = new Connections();

  private constructor(
    readonly machine: Machine,
    readonly planted: Planted,
    private readonly isVirtual: boolean,
    private readonly real: OpenReal | undefined,
  ) {
    this.trace = new Trace(this.timeline, this.timeline.now);
  }

  static async start(scenario: Scenario, planted: Planted, real: OpenReal | undefined): Promise<World> {
    const isVirtual = scenario.in !== "browser";
    const machine = await Machine.start(scenario.server ?? {}, isVirtual ? "virtual" : "real");
    return new World(machine, planted, isVirtual, real);
  }

  get api(): string {
    return this.machine.api;
  }

  async stop(): Promise<void> {
    for (const { surface } of this.sites.values()) await surface.close();
    this.#connections.close();
    await this.machine.stop();
  }

  /** The device of that name, which is there as soon as somebody speaks of it. */
  async site(device: string = LAPTOP): Promise<Site> {
    const known = this.sites.get(device);
    if (known) return known;
    const surface = await this.#browse();
    const site: Site = { surface, session: undefined, kept: { bearer: undefined, cookies: [] } };
    this.sites.set(device, site);
    return site;
  }

  async #browse(): Promise<Surface> {
    if (this.isVirtual) {
      const mutation = this.planted.client ?? ((edges) => edges);
      return new SimulatedBrowser(this.sites.size + 1, {
        timeline: this.timeline,
        trace: this.trace,
        upstream: this,
        mutation,
      });
    }
    if (!this.real) throw new Error("there is no real browser here");
    return this.real(this.machine.site);
  }

  /** A request that arrives at the server at a moment of this world's time. */
  request(at: number, { headers, ...what }: HttpRequest): Promise<HttpAnswer> {
    const timed = this.isVirtual ? { ...headers, "x-virtual-now": String(at) } : headers;
    return this.#connections.exchange(this.api, { ...what, headers: timed });
  }

  /** The server was stopped; connections to it are no good any more. */
  reconnect(): void {
    this.#connections.close();
  }

  async wait(ms: number): Promise<void> {
    if (this.isVirtual) await this.timeline.run(this.timeline.now + ms, () => false);
    else await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Commands of operators and orders happen at the present time. */
  async tellTime(): Promise<void> {
    if (this.isVirtual) await this.machine.setClock(this.timeline.now);
  }
}

export const emailOf = (person: Person): string => `${person}@example.com`;
