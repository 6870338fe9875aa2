/** A small Tenure that speaks the wire of api/openapi.json, for one browser. */

import type { EndReason, ErrorClass, ErrorCode, FieldError, RefusalCode, UserRole } from "@tenure/client";

export const START = Date.UTC(2026, 0, 5, 9);
const DAY_MS = 86_400_000;

interface Account {
  id: string;
  email: string;
  name: string;
  role: UserRole;
  password: string;
}

interface Row {
  id: string;
  user: Account;
  label: string;
  remembered: boolean;
  created_at: number;
  expires_at: number;
  ended?: EndReason;
}

type Handler = (body: Record<string, unknown>, parameter: string) => Response;

export class FakeServer {
  readonly requests: { line: string; body: Record<string, unknown> }[] = [];
  /** Rejects every request, as a network that is down. */
  down = false;
  registrationOpen = true;
  registrationSignsIn = true;
  /** What to answer instead, by request line, once; later, if it is a promise. */
  readonly next = new Map<string, Response | Promise<Response>>();
  readonly accounts: Account[] = [
    {
      id: "usr_1",
      email: "ada@tenure.example",
      name: "Ada Lovelace",
      role: "user",
      password: "correct horse",
    },
    { id: "usr_2", email: "grace@tenure.example", name: "Grace", role: "admin", password: "battery staple" },
  ];
  readonly rows: Row[] = [];
  /** What is refused, by requirement; everything else is allowed. */
  readonly refusals = new Map<string, RefusalCode>();
  /** The session whose cookie the browser has. */
  jar: Row | undefined;
  #ids = 0;
  #held: Promise<void> | undefined;

  get lines(): string[] {
    return this.requests.map((request) => request.line);
  }

  /** Keeps answers back until the returned function is called. */
  hold(): () => void {
    let release = () => {};
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return () => {
      this.#held = undefined;
      release();
    };
  }

  open(email = "ada@tenure.example", options: Partial<Row> = {}): Row {
    const user = this.accounts.find((account) => account.email === email);
    if (!user) throw new Error(`Nobody has ${email}.`);
    this.#ids += 1;
    const row: Row = {
      id: `ses_${this.#ids}`,
      user,
      label: "Firefox on Linux",
      remembered: true,
      created_at: START,
      expires_at: START + 20 * DAY_MS,
      ...options,
    };
    this.rows.unshift(row);
    return row;
  }

  /** Someone is signed in here already, as after a reload. */
  signedIn(email?: string): this {
    this.jar = this.open(email);
    return this;
  }

  readonly fetch = async (input: string, init: RequestInit): Promise<Response> => {
    const path = input.replace("/api/v1/", "");
    const line = `${init.method} ${path}`;
    const body = typeof init.body === "string" ? JSON.parse(init.body) : {};
    this.requests.push({ line, body });
    await this.#held;
    if (init.signal?.aborted || this.down) throw new TypeError("Failed to fetch");
    const planned = this.next.get(line);
    this.next.delete(line);
    if (planned) return await planned;
    const [, name = "", parameter = ""] = /^(\w+ [\w/-]*?)(?:\/(ses_\w+)|\?require=(.*))?$/.exec(line) ?? [];
    if (name === "GET auth/entitlements") return this.#entitlements(new URL(input, "http://x").searchParams);
    return this.#handlers[name]?.(body, parameter) ?? problem(404, "not_found", "request");
  };

  readonly #handlers: Record<string, Handler> = {
    // A client that does not know our clock yet asks for the time before it refreshes (protocol section 2).
    "GET system/ping": () => json(200, { pong: true, server_time: Date.now() }),
    "GET system/status": () =>
      json(200, {
        status: "ok",
        version: "0.1.0",
        server_time: Date.now(),
        remembered_lifetime: 20 * 86_400,
        short_lifetime: 86_400,
        registration_open: this.registrationOpen,
      }),
    "POST auth/login": ({ email, password, remember_me }) => {
      const account = this.accounts.find((one) => one.email === email && one.password === password);
      if (!account) return problem(401, "invalid_credentials", "request");
      this.jar = this.open(account.email, { remembered: remember_me === true });
      return this.#grant(200, this.jar);
    },
    "POST auth/register": ({ email, password, name }) => {
      if (this.accounts.some((one) => one.email === email)) return problem(409, "email_taken", "request");
      const id = `usr_${this.accounts.length + 1}`;
      this.accounts.push({ id, email: `${email}`, name: `${name}`, role: "user", password: `${password}` });
      if (!this.registrationSignsIn) return json(201, { server_time: Date.now() });
      this.jar = this.open(`${email}`);
      return this.#grant(201, this.jar);
    },
    "POST auth/refresh": () => {
      if (!this.jar) return problem(401, "no_session", "authentication");
      const { id, ended } = this.jar;
      if (!ended) return this.#grant(200, this.jar);
      const code = ended.endsWith("lifetime") ? "session_expired" : "session_revoked";
      return problem(401, code, "authentication", { session: id, reason: ended, receipt: "rcp_4711" });
    },
    "DELETE auth/refresh": () => this.#end(this.jar, "signed_out"),
    "POST auth/logout": ({ scope }) => {
      if (scope !== "others")
        this.#end(this.jar, scope === "everywhere" ? "signed_out_everywhere" : "signed_out");
      if (scope !== "this")
        for (const row of this.rows) if (row !== this.jar) this.#end(row, "signed_out_everywhere");
      return new Response(null, { status: 204 });
    },
    "GET auth/sessions": () =>
      json(200, {
        sessions: this.rows
          .filter((row) => row.user === this.jar?.user && !row.ended)
          .map(({ user: _, ...row }) => ({
            ...row,
            address: "192.0.2.7",
            last_used_at: Date.now() - 3 * 3_600_000,
            current: row.id === this.jar?.id,
          })),
      }),
    "DELETE auth/sessions": (_, id) => {
      const row = this.rows.find((one) => one.id === id && !one.ended);
      return row ? this.#end(row, "signed_out") : problem(404, "not_found", "request");
    },
  };

  #entitlements(asked: URLSearchParams): Response {
    const answer = (require: string) => {
      const code = this.refusals.get(require);
      const status = code && /^(plan|limit)_/.test(code) ? 402 : 403;
      const problem = code ? { code, status, class: "authorization", detail: `It is ${code}.` } : null;
      return { require, allowed: !code, problem };
    };
    const names = asked.get("require")?.split(";").filter(Boolean) ?? [];
    const account = { id: "acc_1", name: `${this.jar?.user.name}'s`, status: "active", plan: null };
    return json(200, { account, answers: names.map(answer) });
  }

  #end(row: Row | undefined, reason: EndReason): Response {
    if (row) row.ended ??= reason;
    if (row === this.jar) this.jar = undefined;
    return new Response(null, { status: 204 });
  }

  #grant(status: number, row: Row): Response {
    const { password: _, ...user } = row.user;
    const { id, remembered, created_at, expires_at } = row;
    return json(status, {
      access_token: `eyJhbGciOiJFZERTQSJ9.${row.id}.c2ln`,
      token_type: "Bearer",
      expires_in: 900,
      server_time: Date.now(),
      user: { ...user, account_id: null, created_at: START },
      session: { id, remembered, created_at, expires_at },
    });
  }
}

interface Extra {
  detail?: string;
  retry_after?: number;
  session?: string;
  reason?: EndReason;
  receipt?: string;
  errors?: FieldError[];
}

export function problem(
  status: number,
  code: ErrorCode,
  problemClass: ErrorClass,
  extra: Extra = {},
): Response {
  const body = { type: "about:blank", title: code, status, code, class: problemClass, request_id: "req_1" };
  return json(status, { ...body, server_time: Date.now(), ...extra }, "application/problem+json");
}

export function json(status: number, body: unknown, type = "application/json"): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": type } });
}
