/** The way between a browser and the server: the `fetch` of a tab, and what can happen to a request on its way. */

import type { Device } from "./device.js";
import { captive, type Foreign, failing, proxy } from "./foreign.js";
import type { HttpAnswer, HttpRequest, Upstream } from "./http.js";
import type { Jar } from "./jar.js";
import type { Random } from "./random.js";
import { MINUTE, SECOND, type Timeline } from "./timeline.js";
import type { Trace } from "./trace.js";

/** What the network is like for a while. */
export type Weather =
  | "fine"
  /** Requests fail at once, as without any network. */
  | "offline"
  /** Requests go out and nothing ever comes back. */
  | "silent"
  /** One request or answer in three is lost, and many are late. */
  | "bad"
  /** A page that wants a click answers everything. */
  | "portal"
  /** A proxy's answers instead of the server's. */
  | "proxy"
  /** The server's own 5xx and 429. */
  | "failing"
  /** Nobody listens. */
  | "down";

/** What becomes of one request; times are counted from when it is sent. */
interface Fate {
  /** When it reaches the server; undefined if it never does. */
  readonly arrivesMs: number | undefined;
  /** It arrives a second time. */
  readonly againMs: number | undefined;
  /** How long the answer takes; undefined if it is lost. */
  readonly answerMs: number | undefined;
  /** When the browser is told that the connection broke, if nothing else has happened by then. */
  readonly breaksMs: number | undefined;
}

interface Exchange {
  readonly who: string;
  isOver: boolean;
  /** How much later the answer comes because the device slept; infinity if it does not come at all. */
  heldMs: number;
  /** The browser gives up: the tab closed, the device sleeps, the client aborted. */
  fail(error: Error | undefined): void;
}

/** Where a request comes from. */
export interface Sender {
  readonly name: string;
  readonly device: Device;
  readonly jar: Jar;
}

/** Nothing but a name: requests to it go to the testbed, wherever that listens. */
export const ORIGIN = "http://tenure.example";

export class Network {
  weather: Weather = "fine";
  /** When something last went wrong, or was slow enough to be felt. */
  disturbedAt: number;
  /** The part of requests and answers that are lost, late or doubled even when the weather is fine. */
  mishaps = 0.005;
  /** Is told of each request that is sent. */
  onSend: () => void = () => {};
  /** Is told of each answer that brought a cookie. */
  onCookie: () => void = () => {};
  readonly #exchanges = new WeakMap<Sender, Set<Exchange>>();

  constructor(
    private readonly timeline: Timeline,
    private readonly upstream: Upstream,
    private readonly random: Random,
    private readonly trace: Trace,
  ) {
    this.disturbedAt = timeline.now;
  }

  disturb(): void {
    this.disturbedAt = this.timeline.now;
  }

  /** The tab is gone: what is under way is broken, and nobody is told. */
  abandon(sender: Sender): void {
    for (const exchange of this.#exchanges.get(sender) ?? []) exchange.fail(undefined);
  }

  /** The device falls asleep: connections break, which is told when it wakes, or their answers are sent again then. */
  suspend(sender: Sender): void {
    for (const exchange of this.#exchanges.get(sender) ?? []) {
      exchange.heldMs = this.random.chance(0.5)
        ? this.random.spread(2 * SECOND, 2 * MINUTE)
        : Number.POSITIVE_INFINITY;
      if (exchange.heldMs < Number.POSITIVE_INFINITY) continue;
      sender.device.after(this.random.between(0, 300), () => exchange.fail(new TypeError("cut off")));
    }
  }

  fetch(sender: Sender, input: string | Request, init: RequestInit = {}): Promise<Response> {
    return new Promise((resolve, reject) => {
      const signal = input instanceof Request ? input.signal : init.signal;
      if (signal?.aborted) return reject(aborted());
      const exchanges = this.#exchanges.get(sender) ?? new Set();
      this.#exchanges.set(sender, exchanges);
      const end = (finish: () => void) => {
        if (exchange.isOver) return;
        exchange.isOver = true;
        exchanges.delete(exchange);
        signal?.removeEventListener("abort", onAbort);
        finish();
      };
      const who = `${sender.name} ${methodOf(input, init)} ${pathOf(input)}`;
      const onAbort = () => {
        this.trace.say(`${who}: given up`);
        exchange.fail(aborted());
      };
      const exchange: Exchange = {
        who,
        isOver: false,
        heldMs: 0,
        fail: (error) => end(() => error && reject(error)),
      };
      exchanges.add(exchange);
      signal?.addEventListener("abort", onAbort);
      const arrived = (answer: HttpAnswer, isOurs: boolean) =>
        end(() => {
          this.#receive(sender, who, answer, isOurs);
          resolve(
            new Response(bodyOf(answer), {
              status: answer.status,
              headers: [...answer.headers] as [string, string][],
            }),
          );
        });
      this.#send(sender, exchange, this.#requestOf(sender, input, init), arrived);
      this.onSend();
    });
  }

  #send(
    sender: Sender,
    exchange: Exchange,
    request: HttpRequest | Promise<HttpRequest>,
    arrived: (answer: HttpAnswer, isOurs: boolean) => void,
  ): void {
    const { device } = sender;
    const foreign = this.#foreign();
    if (foreign) {
      this.disturb();
      device.after(this.random.between(5, 800), () => {
        if (foreign === "refused") exchange.fail(new TypeError("no connection"));
        else arrived({ ...foreign, setCookies: [] }, false);
      });
      this.trace.say(`${exchange.who}: ${this.weather}`);
      return;
    }
    const fate = this.#fate();
    if (
      fate.arrivesMs === undefined ||
      fate.answerMs === undefined ||
      fate.arrivesMs + fate.answerMs > SECOND
    )
      this.disturb();
    if (fate.breaksMs !== undefined)
      device.after(fate.breaksMs, () => exchange.fail(new TypeError("connection reset")));
    const arrive = (isCopy: boolean) => () => {
      // What was given up while it was still on this device may not have left it; what left it goes on alone.
      if (exchange.isOver && this.random.chance(0.3)) return;
      void this.timeline.hold(this.#serve(exchange, request)).then(
        (answer) => {
          if (isCopy) return;
          if (fate.answerMs === undefined) this.trace.say(`${exchange.who}: the answer is lost`);
          else this.#deliver(device, exchange, fate.answerMs, () => arrived(answer, true));
        },
        () => exchange.fail(new TypeError("connection broken")),
      );
    };
    if (fate.arrivesMs === undefined) this.trace.say(`${exchange.who}: lost`);
    else this.timeline.after(fate.arrivesMs, arrive(false));
    if (fate.againMs !== undefined) this.timeline.after(fate.againMs, arrive(true));
  }

  #deliver(device: Device, exchange: Exchange, ms: number, arrived: () => void): void {
    device.after(ms, () => {
      if (exchange.heldMs < Number.POSITIVE_INFINITY) device.after(exchange.heldMs, arrived);
    });
  }

  async #serve(exchange: Exchange, request: HttpRequest | Promise<HttpRequest>): Promise<HttpAnswer> {
    const answer = await this.upstream.request(this.timeline.now, await request);
    const note = exchange.isOver ? " (nobody waits for it)" : "";
    this.trace.say(`${exchange.who}: served ${answer.status} ${codeOf(answer)}${note}`);
    return answer;
  }

  #receive(sender: Sender, who: string, answer: HttpAnswer, isOurs: boolean): void {
    this.trace.say(`${who}: answered ${answer.status} ${isOurs ? codeOf(answer) : "by somebody else"}`);
    if (answer.setCookies.length === 0) return;
    sender.jar.apply(answer.setCookies, sender.device.wallNow(), this.timeline.now);
    this.onCookie();
  }

  /** What answers in the server's place. */
  #foreign(): Foreign | "refused" | undefined {
    switch (this.weather) {
      case "offline":
      case "down":
        return "refused";
      case "portal":
        return captive(this.random);
      case "proxy":
        return proxy(this.random);
      case "failing":
        return failing(this.random);
      default:
        return undefined;
    }
  }

  #fate(): Fate {
    const { random } = this;
    if (this.weather === "silent")
      return { arrivesMs: undefined, againMs: undefined, answerMs: undefined, breaksMs: undefined };
    const isBad = this.weather === "bad";
    const isLost = () => random.chance(isBad ? 0.33 : this.mishaps);
    const takes = () =>
      random.chance(isBad ? 0.3 : this.mishaps) ? random.spread(SECOND, 15 * MINUTE) : random.spread(5, 400);
    const arrivesMs = isLost() ? undefined : takes();
    const answerMs = isLost() ? undefined : takes();
    return {
      arrivesMs,
      againMs: random.chance(isBad ? 0.1 : this.mishaps) ? random.spread(20, 15 * MINUTE) : undefined,
      answerMs,
      breaksMs: random.chance(0.3) ? random.spread(SECOND, 20 * SECOND) : undefined,
    };
  }

  #requestOf(
    { device, jar }: Sender,
    input: string | Request,
    init: RequestInit,
  ): HttpRequest | Promise<HttpRequest> {
    const path = pathOf(input);
    const headers: Record<string, string> = { origin: this.upstream.api, "sec-fetch-site": "same-origin" };
    const cookie = jar.header(path, device.wallNow());
    if (cookie) headers.cookie = cookie;
    new Headers(input instanceof Request ? input.headers : init.headers).forEach((value, name) => {
      headers[name] = value;
    });
    const made = { method: methodOf(input, init), path, headers };
    if (!(input instanceof Request)) return { ...made, body: init.body as string | undefined };
    return input.text().then((body) => ({ ...made, body: body || undefined }));
  }
}

function methodOf(input: string | Request, init: RequestInit): string {
  return input instanceof Request ? input.method : (init.method ?? "GET");
}

function pathOf(input: string | Request): string {
  const { pathname, search } = new URL(input instanceof Request ? input.url : input);
  return pathname + search;
}

/** Some statuses have no body, and `Response` insists on it. */
function bodyOf({ status, body }: HttpAnswer): string | null {
  return status === 204 || status === 304 ? null : body;
}

function codeOf({ status, body }: HttpAnswer): string {
  return status < 400 ? "" : (/"code":"(\w+)"/.exec(body)?.[1] ?? "");
}

function aborted(): Error {
  return new DOMException("aborted", "AbortError");
}
