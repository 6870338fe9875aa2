/** Shapes of answers: what servers, proxies, portals and broken networks say, and which of it may sign a person out. */

import { ERROR_CLASS, ERROR_CODES, type ErrorClass, type ErrorCode } from "../src/api.gen.js";
import type { createClient } from "../src/client.js";
import { CLOSED } from "./cells.js";
import { Browser, type Fate, isRefresh, type Tab, World } from "./world.js";
import { STATUS } from "./world-server.js";

export interface Shape {
  readonly name: string;
  readonly fate: (world: World) => Fate;
  /** Whether it says that the session is over, in the one way that counts. */
  readonly signsOut: boolean;
  /** Of an answer to an API call: whether it refuses the access token. */
  readonly refusesToken: boolean;
  readonly status: number;
}

export const OURS = "ses_00000001";
const OTHERS = "ses_99999999";
const PROBLEM = "application/problem+json";
const CLASSES: readonly ErrorClass[] = ["authentication", "authorization", "request", "transport"];

/** Statuses that servers, proxies and portals use; 1xx never reaches a page. */
const STATUSES = [
  200, 201, 202, 203, 205, 206, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405,
  406, 407, 408, 409, 410, 411, 412, 413, 415, 416, 418, 419, 421, 422, 425, 426, 428, 429, 431, 440, 444,
  451, 460, 494, 498, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 522, 525, 529, 530, 561, 598,
  599,
];
const NO_BODY = [204, 205, 304];
/** The statuses that somebody could mistake for a 401. */
const MISTAKABLE = [
  200, 202, 302, 400, 402, 403, 404, 407, 409, 410, 418, 419, 422, 429, 440, 498, 500, 502, 503, 511,
];

type More = Partial<Pick<Shape, "signsOut" | "refusesToken">>;

function answered(
  name: string,
  status: number,
  type: string | undefined,
  body: string,
  more: More = {},
): Shape {
  const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
  const text = NO_BODY.includes(status) ? null : body;
  const fate = (): Fate => ({ answer: new Response(text, { status, headers }) });
  return { name: `${status} ${name}`, fate, signsOut: false, refusesToken: false, status, ...more };
}

/** Our problem as it travels, with something different about it. */
function body(code: ErrorCode, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: `https://app.example/problems/${code}`,
    title: code,
    detail: "",
    code,
    class: ERROR_CLASS[code],
    status: STATUS[code],
    request_id: "req_1",
    session: OURS,
    ...more,
  };
}

const isClosed = (code: ErrorCode) => CLOSED.some((one) => one === code);
const isAboutToken = (code: ErrorCode) => /^(access_token_|wrong_token_type)/.test(code);

function problems(): Shape[] {
  return ERROR_CODES.flatMap((code) =>
    CLASSES.flatMap((problemClass) =>
      [OURS, OTHERS, undefined].map((session) => {
        const isRight = STATUS[code] === 401 && problemClass === "authentication";
        return answered(
          `our problem ${code}, class ${problemClass}, about ${session ?? "none"}`,
          STATUS[code],
          PROBLEM,
          JSON.stringify(body(code, { class: problemClass, session })),
          {
            signsOut: isRight && isClosed(code) && session !== OTHERS,
            refusesToken: isAboutToken(code),
          },
        );
      }),
    ),
  );
}

/** The five codes where something else does not fit. */
function contradictions(): Shape[] {
  return CLOSED.flatMap((code) => [
    ...MISTAKABLE.flatMap((status) => [
      answered(`${code} with this status`, status, PROBLEM, JSON.stringify(body(code, { status }))),
      answered(`${code} that says 401`, status, PROBLEM, JSON.stringify(body(code))),
      answered(`${code}, but its body says ${status}`, 401, PROBLEM, JSON.stringify(body(code, { status }))),
    ]),
    ...[
      "text/html",
      "text/plain",
      "application/json",
      "application/problem+xml",
      "x/application/problem+json",
      undefined,
    ].map((type) => answered(`${code} as ${type}`, 401, type, JSON.stringify(body(code)))),
    answered(`${code} with a charset`, 401, `${PROBLEM}; charset=utf-8`, JSON.stringify(body(code)), {
      signsOut: true,
    }),
    ...(
      [
        ["truncated", JSON.stringify(body(code)).slice(0, -9)],
        ["in an array", JSON.stringify([body(code)])],
        ["within something", JSON.stringify({ error: body(code) })],
        ["without code", JSON.stringify(body(code, { code: undefined }))],
        ["without class", JSON.stringify(body(code, { class: undefined }))],
        ["with an unknown class", JSON.stringify(body(code, { class: "auth" }))],
        ["without status", JSON.stringify(body(code, { status: undefined }))],
        ["with the status as text", JSON.stringify(body(code, { status: "401" }))],
        ["in capitals", JSON.stringify(body(code, { code: code.toUpperCase() }))],
        ["with a space", JSON.stringify(body(code, { code: `${code} ` }))],
        ["as a number", JSON.stringify(body(code, { code: 401 }))],
        ["as a list", JSON.stringify(body(code, { code: [code] }))],
        ["twice", JSON.stringify(body(code)).repeat(2)],
        ["with a prototype", `{"__proto__":${JSON.stringify(body(code))}}`],
      ] as const
    ).map(([name, text]) => answered(`${code} ${name}`, 401, PROBLEM, text)),
  ]);
}

const BODIES = {
  HTML: ["text/html", "<html><h1>Sign in to the Wi-Fi</h1></html>"],
  "nothing at all": [undefined, ""],
  "empty JSON": ["application/json", ""],
  "foreign JSON": ["application/json", '{"error":"invalid_grant"}'],
  "a foreign problem": [PROBLEM, '{"title":"Unauthorized","status":401}'],
  "truncated JSON": ["application/json", '{"access_token":"eyJ'],
  null: ["application/json", "null"],
  text: ["text/plain", "unauthorized"],
} as const satisfies Record<string, readonly [string | undefined, string]>;

function foreign(): Shape[] {
  return STATUSES.flatMap((status) =>
    Object.entries(BODIES).map(([name, [type, text]]) => answered(name, status, type, text)),
  );
}

/** 200s that are not what a refresh is answered with. */
function notQuite(): Shape[] {
  const user = { id: "usr_ada", email: "", name: "", role: "user", created_at: 0 };
  const session = { id: OURS, remembered: true, created_at: 0, expires_at: 4e12 };
  const full = { access_token: "eyJ", expires_in: 900, server_time: 1_800_000_000_000, session, user };
  const { access_token: _, ...tokenless } = full;
  return [
    tokenless,
    { ...full, access_token: 7 },
    { ...full, expires_in: "900" },
    { ...full, server_time: null },
    { ...full, session: null },
    { ...full, session: {} },
    { ...full, user: null },
    { ...full, user: {} },
    { ...full, user: { ...user, id: 7 } },
    {},
    [],
    "signed out",
    0,
    false,
    { signed_in: false },
    { session: null },
    { error: "no_session" },
  ].map((json, i) => answered(`not quite ours (${i})`, 200, "application/json", JSON.stringify(json)));
}

function broken(): Shape[] {
  const fates: Record<string, Fate | (() => Fate)> = {
    "no network": "lost",
    "connection reset after the server's work": "answer-lost",
    "no answer ever": "hangs",
    "no answer after the server's work": "answer-hangs",
    "an answer after 16 s": { up: 20, down: 16_000 },
    "an error response": () => ({ answer: Response.error() }),
    "a body that breaks off": () => ({
      answer: new Response(breaking(), { status: 401, headers: { "content-type": PROBLEM } }),
    }),
    "a body that never ends": () => ({
      answer: new Response(new ReadableStream(), { status: 401, headers: { "content-type": PROBLEM } }),
    }),
    "two megabytes of HTML": () => ({
      answer: new Response("<p>no</p>".repeat(250_000), {
        status: 401,
        headers: { "content-type": "text/html" },
      }),
    }),
    "a megabyte of JSON": () => ({
      answer: new Response(JSON.stringify(Array(200_000).fill("no")), {
        status: 401,
        headers: { "content-type": "application/json" },
      }),
    }),
  };
  return Object.entries(fates).map(([name, fate]) => ({
    name,
    fate: () => (typeof fate === "function" ? fate() : fate),
    signsOut: false,
    refusesToken: false,
    status: 0,
  }));
}

function breaking(): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"code":"session_revoked",'));
      controller.error(new TypeError("network error"));
    },
  });
}

export const shapes: readonly Shape[] = [
  ...problems(),
  ...contradictions(),
  ...foreign(),
  ...notQuite(),
  ...broken(),
];

/** What is wrong with how a client takes this shape as an answer to its refreshes; undefined if nothing is. */
export async function wrongAfterRefresh(
  create: typeof createClient,
  shape: Shape,
): Promise<string | undefined> {
  const world = new World();
  world.createClient = create;
  const tab = await new Browser(world).signedIn();
  let speaks = true;
  world.network = (sent) => (isRefresh(sent) && speaks ? shape.fate(world) : undefined);
  void tab.client.refresh();
  await world.time.advance(900);
  if (!tab.shows.startsWith("signedIn")) return "one answer was enough";
  // 3 s and a little for the second asking, or 15 s until no answer is waited for any more.
  await world.time.advance(shape.status ? 4200 : 17_000);
  const { status } = tab.state;
  if (shape.signsOut) return status === "signedOut" ? undefined : `it is ${status} after a true end`;
  if (status !== "signedIn") return `it is ${status}`;
  speaks = false;
  tab.wake();
  await world.time.advance(31_000);
  return tab.shows === "signedIn ada live" ? undefined : `it is ${tab.shows} after all is well again`;
}

/** A tab that is signed in, whose API answers what `api` says. */
export async function tabWithApi(create: typeof createClient, api: () => Fate): Promise<Tab> {
  const world = new World();
  world.createClient = create;
  const tab = await new Browser(world).signedIn();
  world.network = ({ url }) => (url.includes("/api/things") ? api() : undefined);
  return tab;
}
