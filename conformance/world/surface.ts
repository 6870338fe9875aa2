/** A browser as the steps need it, simulated or real. */

import type { AuthEvent, AuthState, Client, Credentials } from "../../web/client/src/types.js";
import type { PageStep, WireStep } from "../vocabulary.js";

export type Network = Extract<WireStep, { network: unknown }>["network"];
export type PageAct = PageStep["page"];

/** A session cookie. */
export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly secure?: boolean;
}

/** What a tab shows, and how often it said that somebody was signed out. Of a tab that is closed only the latter. */
export interface Shown {
  readonly state: AuthState | undefined;
  readonly signedOut: number;
}

/** Whether that is news to somebody who was signed in. */
export const saysSignedOut = (event: AuthEvent, state: AuthState): boolean =>
  event === "SIGNED_OUT" && state.status === "signedOut" && state.reason !== "never_signed_in";

/** A bearer token to send in the place of the client's own; undefined for none. */
export type Forge = (own: string) => string | undefined;

/** What the client's own requests are changed to on their way. */
export class Wire {
  headers: Readonly<Record<string, string>> = {};
  #forge: Forge | undefined;
  #left = 0;

  replaceBearer(forge: Forge, times: number): void {
    this.#forge = forge;
    this.#left = times;
  }

  /** The headers of a request as they arrive. */
  changed(headers: Headers): Headers {
    const changed = new Headers(headers);
    for (const [name, value] of Object.entries(this.headers)) changed.set(name, value);
    const bearer = changed.get("authorization");
    if (!bearer || !this.#forge || this.#left === 0) return changed;
    this.#left -= 1;
    const forged = this.#forge(bearer.replace(/^Bearer /, ""));
    if (forged === undefined) changed.delete("authorization");
    else changed.set("authorization", `Bearer ${forged}`);
    return changed;
  }
}

/** Answers are texts as `Then.answers` has them. */
export interface Surface {
  readonly wire: Wire;
  open(tabs: number): Promise<void>;
  reload(): Promise<void>;
  /** All windows are closed and one is opened, as after a restart of the browser. */
  reopen(): Promise<void>;
  /** The same with some time between, and without the browser ending. */
  away(meanwhile: () => Promise<void>): Promise<void>;
  signIn(credentials: Credentials): Promise<{ answer: string; session: string | undefined }>;
  signOut(scope: "this" | "others" | "everywhere"): Promise<string>;
  changePassword(current: string, next: string): Promise<string>;
  call(path: string, times: number, show: string | undefined): Promise<readonly string[]>;
  refresh(every: boolean): Promise<readonly string[]>;
  /** The access token in hand. */
  bearer(): Promise<string | undefined>;
  cookies(): Promise<readonly Cookie[]>;
  /** Sets the value of a session cookie, or deletes it. */
  setCookie(name: string, value: string | undefined): Promise<void>;
  setForeignCookie(line: string): Promise<void>;
  network(kind: Network): Promise<void>;
  clockAhead(ms: number): Promise<void>;
  page(act: PageAct): Promise<readonly string[]>;
  /** What a page of another site is answered to a form that it posts to a path of the server. */
  formPosted(path: string): Promise<string>;
  /** Of every tab that has been open. */
  shown(): Promise<readonly Shown[]>;
  close(): Promise<void>;
}

/** What the client said of a result. */
export function answerOf(
  result: Awaited<ReturnType<Client["refresh"]>> | { error: { code: string; status: number } | null },
  good = "200",
): string {
  const { error } = result;
  if (!error) return good;
  return error.status ? `${error.status} ${error.code}` : error.code;
}

/** What an answer of an API was, with a member of its body if one is wanted. */
export function answerOfHttp(status: number, body: string, show?: string): string {
  const parsed = parse(body);
  const code = status >= 400 && typeof parsed?.code === "string" ? ` ${parsed.code}` : "";
  return `${status}${code}${show ? ` ${show}=${JSON.stringify(member(parsed, show))}` : ""}`;
}

function member(from: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | null | undefined)?.[name], from);
}

function parse(body: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
