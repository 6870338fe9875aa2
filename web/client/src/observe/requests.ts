/** The requests of the page, heard of without being touched: what the application gets is what it would have got. */

/** A request that was sent. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  /** Whether it has an `Authorization`. */
  readonly isAuthorized: boolean;
  /** What is sent with it, where that is a text. To be asked for at once or not at all: it costs a copy. */
  body(): string | undefined | Promise<string>;
}

/** What came of it. */
export interface Answer {
  /** 0: no answer came. */
  readonly status: number;
  /** It was given up by the page. */
  readonly isAborted?: boolean;
  /** One came, and the page may not see what it is. */
  readonly isOpaque?: boolean;
  /** When it left the server, by the clock of that; not a number if its headers may not be read. */
  readonly leftAt?: number;
  /** The body, where it is JSON; read only if somebody asks. */
  readonly text?: () => Promise<string> | string;
}

/** Hears of a request that is sent, and returns who hears of its answer; undefined if nobody wants to. */
export type Hearing = (asked: Asked) => ((answer: Answer) => void) | undefined;

/** As far as an instance of axios is used here. */
export interface AxiosLike {
  defaults?: { baseURL?: string | undefined };
  interceptors: {
    response: {
      // biome-ignore lint/suspicious/noExplicitAny: its own types depend on its version.
      use(served: (response: any) => any, failed: (error: any) => any): number;
      eject(id: number): void;
    };
  };
}

/** Nothing of ours may reach the application. */
export function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Hears of every request of the page's scripts. */
export function hearRequests(hear: Hearing, axios: AxiosLike | undefined, signal: AbortSignal): void {
  /** The requests that were heard of, by the objects that stand for them. */
  const heard = new WeakSet<object>();
  hearFetch(hear, heard, signal);
  hearXhr(hear, heard, signal);
  if (axios) hearAxios(hear, heard, axios, signal);
}

function hearFetch(hear: Hearing, heard: WeakSet<object>, signal: AbortSignal): void {
  const original = window.fetch;
  const ours: typeof fetch = function (this: unknown, ...given) {
    const [input, init] = given;
    const answered = quietly(() => {
      if (input instanceof Request) heard.add(input);
      return hear(askedOf(input, init));
    });
    const promise = original.apply(this as typeof globalThis, given);
    if (!answered) return promise;
    // One promise further, so that a failure which nobody handles is still reported as one.
    return promise.then(
      (response) => {
        quietly(() => answered(answerOf(response)));
        return response;
      },
      (error) => {
        quietly(() => answered({ status: 0, isAborted: isAborted(error, input, init) }));
        throw error;
      },
    );
  };
  window.fetch = ours;
  signal.addEventListener("abort", () => {
    if (window.fetch === ours) window.fetch = original;
  });
}

/** The reason is what the page likes. One is a way to say that no answer came in time. */
function isAborted(error: unknown, input: unknown, init: RequestInit | undefined): boolean {
  const { name } = Object(error) as { name?: unknown };
  const { signal } = init?.signal ? init : (input as Partial<Request>);
  return name === "AbortError" || (signal?.aborted === true && name !== "TimeoutError");
}

function askedOf(input: RequestInfo | URL, init: RequestInit | undefined): Asked {
  const request = input instanceof Request ? input : undefined;
  const method = init?.method ?? request?.method ?? "GET";
  const url = new URL(request?.url ?? String(input), document.baseURI);
  const body = () => (init?.body || !request?.body ? textOf(init?.body) : request.clone().text());
  return { method, url, body, isAuthorized: hasAuthorization(init?.headers ?? request?.headers) };
}

const isAuthorization = (name: unknown) => /^authorization$/i.test(String(name));

function hasAuthorization(headers: unknown): boolean {
  if (headers instanceof Headers) return headers.has("authorization");
  if (Array.isArray(headers)) return headers.some((pair) => isAuthorization(pair?.[0]));
  // Of what is gone through there may be no second time.
  return Object.keys(Object(headers)).some(isAuthorization);
}

function textOf(body: unknown): string | undefined {
  return typeof body === "string" || body instanceof URLSearchParams ? String(body) : undefined;
}

const isJson = (type: string | null) => /\bjson\b/i.test(type ?? "");

/** A cache tells how old what it kept was. */
const leftAtOf = (date: unknown, age: unknown) => Date.parse(String(date)) + (Number(age) || 0) * 1000;

function answerOf(response: Response): Answer {
  const { status, headers, type } = response;
  if (type.startsWith("opaque")) return { status, isOpaque: true };
  const leftAt = leftAtOf(headers.get("date"), headers.get("age"));
  if (!isJson(headers.get("content-type"))) return { status, leftAt };
  return { status, leftAt, text: () => response.clone().text() };
}

function hearXhr(hear: Hearing, heard: WeakSet<object>, signal: AbortSignal): void {
  const { prototype } = XMLHttpRequest;
  const { open, send, setRequestHeader } = prototype;
  const asked = new WeakMap<XMLHttpRequest, { method: string; url: URL; isAuthorized: boolean }>();
  const answered = new WeakMap<XMLHttpRequest, (answer: Answer) => void>();

  function ended(this: XMLHttpRequest, event: Event): void {
    quietly(() => {
      answered.get(this)?.({ ...answerOfXhr(this), isAborted: event.type === "abort" });
      answered.delete(this);
    });
  }

  prototype.open = function (this: XMLHttpRequest, ...given: unknown[]) {
    quietly(() => {
      // Before whoever opens it can listen: first we know, and then the application acts.
      if (!asked.has(this))
        for (const name of ["abort", "load", "error", "timeout"]) this.addEventListener(name, ended);
      const url = new URL(String(given[1]), document.baseURI);
      asked.set(this, { method: String(given[0]), url, isAuthorized: false });
    });
    return Reflect.apply(open, this, given);
  } as typeof open;
  prototype.setRequestHeader = function (this: XMLHttpRequest, ...given) {
    const request = asked.get(this);
    if (request && quietly(() => isAuthorization(given[0]))) request.isAuthorized = true;
    return Reflect.apply(setRequestHeader, this, given);
  } as typeof setRequestHeader;
  prototype.send = function (this: XMLHttpRequest, ...given) {
    quietly(() => {
      const request = asked.get(this);
      const hearing = request && hear({ ...request, body: () => textOf(given[0]) });
      heard.add(this);
      if (hearing) answered.set(this, hearing);
    });
    return Reflect.apply(send, this, given);
  } as typeof send;
  const ours = pick(prototype);
  signal.addEventListener("abort", () => {
    if (prototype.open === ours.open) prototype.open = open;
    if (prototype.send === ours.send) prototype.send = send;
    if (prototype.setRequestHeader === ours.setRequestHeader) prototype.setRequestHeader = setRequestHeader;
  });
}

const pick = ({ open, send, setRequestHeader }: XMLHttpRequest) => ({ open, send, setRequestHeader });

function answerOfXhr(xhr: XMLHttpRequest): Answer {
  const { status, responseType } = xhr;
  // Asked for one of another origin by its name, a browser complains on the console.
  const headers = xhr.getAllResponseHeaders();
  const header = (name: string) => new RegExp(`^${name}:\\s*(.*?)\\s*$`, "im").exec(headers)?.[1] ?? null;
  const leftAt = leftAtOf(header("date"), header("age"));
  if (!isJson(header("content-type"))) return { status, leftAt };
  const text = () =>
    responseType === "json"
      ? JSON.stringify(xhr.response)
      : /^(text)?$/.test(responseType)
        ? xhr.responseText
        : "";
  return { status, leftAt, text };
}

/** What an instance sends by other ways than those above, such as a native layer, is known once it is answered. */
function hearAxios(hear: Hearing, heard: WeakSet<object>, axios: AxiosLike, signal: AbortSignal): void {
  interface Config {
    readonly url?: string;
    readonly baseURL?: string;
    readonly method?: string;
    readonly data?: unknown;
    readonly headers?: unknown;
  }
  const note = (config: Config | undefined, answer: Answer) => {
    const base = new URL(config?.baseURL ?? "", document.baseURI).href.replace(/\/?$/, "/");
    const path = String(config?.url ?? "");
    const url = new URL(/^(\w+:)?\/\//.test(path) ? path : path.replace(/^\/+/, ""), base);
    const isAuthorized = hasAuthorization(config?.headers);
    hear({ method: config?.method ?? "get", url, isAuthorized, body: () => textOf(config?.data) })?.(answer);
  };
  const isNews = (request: unknown) => !(request instanceof Object && heard.has(request));
  const { response: interceptors } = axios.interceptors;
  const id = interceptors.use(
    (response) => {
      quietly(() => {
        const { status, data, headers } = response;
        const text = () => JSON.stringify(data) ?? "";
        const leftAt = leftAtOf(headers?.date, headers?.age);
        if (isNews(response.request)) note(response.config, { status, text, leftAt });
      });
      return response;
    },
    (error) => {
      quietly(() => {
        const { response, request, config, code } = error;
        const text = () => JSON.stringify(response?.data) ?? "";
        const answer = { status: response?.status ?? 0, text, isAborted: code === "ERR_CANCELED" };
        if (config && isNews(response?.request ?? request)) note(config, answer);
      });
      return Promise.reject(error);
    },
  );
  signal.addEventListener("abort", () => void quietly(() => interceptors.eject(id)));
}
