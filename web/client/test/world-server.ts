/** A server that speaks the wire of api/openapi.json, and knows what happened to whom. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AccountStatus,
  type EndReason,
  ERROR_CLASS,
  type ErrorCode,
  type Problem,
} from "../src/api.gen.js";

const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;
export const ACCESS_MS = 15 * MINUTE;
const FRESH_MS = 15_000;
const AHEAD_MS = 5000;
const GRACE_MS = 60_000;

/** The status of each code, from the published list. */
export const STATUS: Readonly<Record<ErrorCode, number>> = (() => {
  const list = readFileSync(join(import.meta.dirname, "../../../api/errors.md"), "utf8");
  return Object.fromEntries(
    [...list.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, code, status]) => [code, Number(status)]),
  );
})() as Record<ErrorCode, number>;

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly upTo: string | null;
  readonly require: string;
  readonly headers: Headers;
  readonly body: string;
  readonly cookies: ReadonlyMap<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Cookies to set; undefined deletes. */
  readonly cookies?: Record<string, string | undefined>;
}

interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  name: string;
}

export interface Row {
  readonly id: string;
  readonly person: Person;
  readonly remembered: boolean;
  readonly createdAt: number;
  readonly expiresAt: number;
  ended?: { reason: EndReason; receipt: string };
  refreshed?: true;
}

/** A sign-in of the system before, and what was made of it. */
export interface Earlier {
  readonly email: string;
  traded?: { readonly attempt: string; readonly row: Row };
}

export class Server {
  /** How far this server's clock is ahead of true time. */
  skew = 0;
  accessMs = ACCESS_MS;
  readonly rows: Row[] = [];
  /** What is refused, by requirement; everything else is allowed. */
  readonly refusals = new Map<string, ErrorCode>();
  accountStatus: AccountStatus = "active";
  /** Sign-ins of the system before, by each token and ticket that stands for one. */
  readonly earlier = new Map<string, Earlier>();
  isExchangeOpen = true;
  /** Every secret that was handed out, for scans. */
  readonly secrets: string[] = [];
  readonly #people = new Map<string, Person>();
  readonly #tokens = new Map<string, { row: Row; expiresAt: number }>();
  #count = 0;

  constructor(
    private readonly trueNow: () => number,
    private readonly random: () => number,
  ) {
    this.#person("ada@example.com", "Ada");
    this.#person("bob@example.com", "Bob");
  }

  get now(): number {
    return Math.round(this.trueNow() + this.skew);
  }

  live(): Row[] {
    return this.rows.filter((row) => !row.ended && this.now < row.expiresAt);
  }

  end(row: Row | undefined, reason: EndReason): void {
    if (row && !row.ended) row.ended = { reason, receipt: `rcp_${row.id}` };
  }

  /** Makes every access token that is out invalid, as a change of keys or of `token_version` does. */
  forgetAccessTokens(): void {
    this.#tokens.clear();
  }

  handle(asked: Asked): Answer {
    const { method, path } = asked;
    switch (`${method} ${path.replace(/^\/api\/v1\//, "")}`) {
      case "POST auth/refresh":
        return this.#refresh(asked);
      case "DELETE auth/refresh":
        return this.#leave(asked);
      case "POST auth/login":
        return this.#login(asked);
      case "POST auth/exchange":
        return this.#exchange(asked);
      case "POST auth/register":
        return this.#register(asked);
      case "GET system/ping":
        return json(200, { pong: true, server_time: this.now });
      case "GET system/status":
        return json(200, this.#status());
    }
    const row = this.#bearer(asked);
    if (!row)
      return this.problem(
        asked.headers.has("authorization") ? "access_token_invalid" : "access_token_missing",
      );
    return this.#signedInCall(asked, row);
  }

  problem(code: ErrorCode, more: Partial<Problem> = {}, cookies?: Answer["cookies"]): Answer {
    const status = STATUS[code];
    const body = {
      type: `https://app.example/problems/${code}`,
      title: code,
      detail: `It is ${code}.`,
      code,
      class: ERROR_CLASS[code],
      status,
      request_id: "req_1",
      server_time: this.now,
      ...more,
    };
    const headers = { "content-type": "application/problem+json" };
    return { status, headers, body: JSON.stringify(body), ...(cookies ? { cookies } : {}) };
  }

  #person(email: string, name: string, password = "correct horse"): Person {
    const person = { id: `usr_${name.toLowerCase()}`, email, password, name };
    this.#people.set(email, person);
    return person;
  }

  #status() {
    return {
      status: "ok",
      version: "0.0.0",
      server_time: this.now,
      remembered_lifetime: (20 * DAY) / 1000,
      short_lifetime: DAY / 1000,
      registration_open: true,
    };
  }

  #login({ body }: Asked): Answer {
    const { email, password, remember_me = false } = JSON.parse(body);
    const person = this.#people.get(email);
    if (person?.password !== password || !person) return this.problem("invalid_credentials");
    return this.#signIn(200, person, remember_me);
  }

  #exchange({ body }: Asked): Answer {
    const { kind, token, ticket, attempt } = JSON.parse(body);
    const shown = kind === "ticket" ? ticket : token;
    const earlier = this.earlier.get(shown);
    if (!/^[\w-]{16,64}$/.test(attempt)) return this.problem("validation_failed");
    if (!this.isExchangeOpen) return this.problem("exchange_closed");
    if (!earlier) return this.problem("exchange_invalid");
    if (kind === "ticket") this.earlier.delete(shown);
    const person = this.#people.get(earlier.email);
    if (!person) return this.problem("exchange_unknown_user");
    const { traded } = earlier;
    if (!traded) {
      const answer = this.#signIn(200, person, true);
      earlier.traded = { attempt, row: this.rows.at(-1) as Row };
      return answer;
    }
    const { row } = traded;
    const isAgain = traded.attempt === attempt && !row.refreshed && this.now - row.createdAt <= DAY;
    return isAgain && !row.ended ? this.#handOut(200, row, {}) : this.problem("exchange_used");
  }

  #register({ body }: Asked): Answer {
    const { email, password, name, remember_me = false } = JSON.parse(body);
    if (this.#people.has(email)) return this.problem("email_taken");
    return this.#signIn(201, this.#person(email, name, password), remember_me);
  }

  #signIn(status: number, person: Person, remembered: boolean): Answer {
    const createdAt = this.now;
    const id = `ses_${String(this.rows.length + 1).padStart(8, "0")}`;
    const row: Row = {
      id,
      person,
      remembered,
      createdAt,
      expiresAt: createdAt + (remembered ? 20 : 1) * DAY,
    };
    this.rows.push(row);
    return this.#handOut(status, row, {});
  }

  #refresh({ headers, cookies }: Asked): Answer {
    const sent = headers.get("tenure-sent-at");
    if (sent !== null) {
      const age = this.now - Number(sent);
      if (age > FRESH_MS || age < -AHEAD_MS) return this.problem("request_stale");
    }
    if (!cookies.size) return this.problem("no_session");
    const rows = this.#jar(cookies);
    const deletions: Record<string, undefined> = {};
    for (const row of rows) if (row.ended || this.#isOver(row)) deletions[cookieOf(row)] = undefined;
    const alive = rows.find((row) => !(cookieOf(row) in deletions));
    if (alive) {
      alive.refreshed = true;
      return this.#handOut(200, alive, deletions);
    }
    const newest = rows[0];
    if (!newest) return this.problem("session_not_found");
    const { id: session, ended } = newest;
    if (ended) return this.problem("session_revoked", { session, ...ended }, deletions);
    const reason = newest.remembered ? "remembered_lifetime" : "short_lifetime";
    return this.problem("session_expired", { session, reason, receipt: `rcp_${session}` }, deletions);
  }

  #leave({ cookies, upTo }: Asked): Answer {
    const rows = this.#jar(cookies).filter(({ id }) => upTo === null || id <= upTo);
    for (const row of rows) this.end(row, "signed_out");
    return { status: 204, cookies: Object.fromEntries(rows.map((row) => [cookieOf(row), undefined])) };
  }

  #jar(cookies: ReadonlyMap<string, string>): Row[] {
    const ids = [...cookies.values()].map((value) => value.split(".")[1]);
    return this.rows.filter((row) => ids.includes(row.id)).sort((a, b) => b.createdAt - a.createdAt);
  }

  #isOver(row: Row): boolean {
    return this.now >= row.expiresAt + GRACE_MS;
  }

  #handOut(status: number, row: Row, cookies: Record<string, string | undefined>): Answer {
    const refresh = this.#secret(`tnr1_.${row.id}`);
    const answer = { ...this.#accessToken(row), session: sessionOf(row), user: userOf(row.person) };
    return { ...json(status, answer), cookies: { ...cookies, [cookieOf(row)]: refresh } };
  }

  #accessToken(row: Row) {
    const value = this.#secret(`eyJ.${row.id}`);
    const end = this.now < row.expiresAt ? row.expiresAt : row.expiresAt + GRACE_MS;
    const drawn = Math.round(this.accessMs * (1 - this.random() / 10));
    const seconds = Math.floor(Math.min(this.now + drawn, end) / 1000) - Math.floor(this.now / 1000);
    this.#tokens.set(value, { row, expiresAt: this.now + seconds * 1000 });
    return { access_token: value, token_type: "Bearer", expires_in: seconds, server_time: this.now };
  }

  #entitlements(require: string, { name }: Person) {
    const answer = (require: string) => {
      const code = this.refusals.get(require);
      const more = code && { code, class: ERROR_CLASS[code], status: STATUS[code], detail: `It is ${code}.` };
      return { require, allowed: !code, problem: more ?? null };
    };
    const plan = { slug: "pro", name: "Pro", is_active: true, limits: { max_seats: 5 }, features: ["sso"] };
    const account = { id: "acc_1", name: `${name}'s`, status: this.accountStatus, plan };
    return { account, answers: require.split(";").filter(Boolean).map(answer) };
  }

  #secret(prefix: string): string {
    const secret = `${prefix}.${++this.#count}-${this.random().toString(36).slice(2)}`;
    this.secrets.push(secret);
    return secret;
  }

  /** Whose access token came with it. */
  #bearer({ headers }: Asked): Row | undefined {
    const token = this.#tokens.get(headers.get("authorization")?.replace("Bearer ", "") ?? "");
    return token && !token.row.ended && this.now < token.expiresAt ? token.row : undefined;
  }

  #signedInCall({ method, path, body, require }: Asked, row: Row): Answer {
    const sid = /^\/api\/v1\/auth\/sessions\/(.+)$/.exec(path)?.[1];
    if (method === "DELETE" && sid) {
      this.end(
        this.rows.find(({ id }) => id === sid),
        "signed_out",
      );
      return { status: 204 };
    }
    switch (`${method} ${path.replace(/^\/api\/v1\/auth\//, "")}`) {
      case "GET entitlements":
        return json(200, this.#entitlements(require, row.person));
      case "GET sessions": {
        const mine = this.live().filter(({ person }) => person === row.person);
        const more = { label: "Firefox on Linux", last_used_at: this.now };
        return json(200, {
          sessions: mine.map((one) => ({ ...sessionOf(one), ...more, current: one === row })),
        });
      }
      case "PATCH profile":
        row.person.name = JSON.parse(body).name;
        return json(200, userOf(row.person));
      case "POST password/change": {
        const { current_password } = JSON.parse(body);
        if (current_password !== row.person.password) return this.problem("invalid_credentials");
        const others = this.live().filter((one) => one.person === row.person && one !== row);
        for (const one of others) this.end(one, "password_changed");
        this.forgetAccessTokens();
        return json(200, { ...this.#accessToken(row), ended_sessions: others.length });
      }
      case "POST logout": {
        const { scope = "this" } = JSON.parse(body || "{}");
        for (const one of this.live())
          if (one.person === row.person && (scope === "everywhere" || (one === row) === (scope === "this")))
            this.end(one, scope === "everywhere" ? "signed_out_everywhere" : "signed_out");
        return { status: 204 };
      }
      default:
        return json(200, { path, user: row.person.id });
    }
  }
}

const cookieOf = (row: Row): string => `__Secure-tenure_${row.id.slice(-8)}`;

export function json(status: number, body: unknown): Answer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function sessionOf({ id, remembered, createdAt, expiresAt }: Row) {
  return { id, remembered, created_at: createdAt, expires_at: expiresAt };
}

function userOf({ id, email, name }: Person) {
  return { id, account_id: null, email, name, role: "user", created_at: 0 };
}
