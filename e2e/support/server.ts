/** The real server in a process of its own: `crates/testbed`. Several may run at once; each has its port and data. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What the server has counted since its data are there. */
export interface Stats {
  readonly refreshes: Readonly<Record<string, number>>;
  readonly ends: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly dead_tokens: number;
  readonly panics: number;
  /** Sign-outs that browsers report from sessions that live. */
  readonly unexplained: number;
}

/** What can be ordered to go wrong; `crates/testbed/src/faults.rs` explains each. */
export interface Fault {
  readonly kind: "status" | "html" | "hang" | "reset" | "drop_answer" | "delay";
  readonly status?: number;
  readonly body?: string;
  readonly content_type?: string;
  readonly ms?: number;
  readonly path_prefix?: string;
  readonly count?: number | "until_cleared";
}

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly name: string;
}

export interface ServerOptions {
  /** On the real time, unless the test moves the clock. */
  readonly clock?: "real" | "virtual";
  /** Where a virtual clock begins, before now. What a command of the product then sees has happened already. */
  readonly begunMs?: number;
  /** Its configuration file, below these settings. */
  readonly config?: string;
  /** Settings, as in `session.access_lifetime=60s`. */
  readonly settings?: readonly string[];
  readonly devUser?: { readonly email: string; readonly password: string };
}

export class Server {
  #people = 0;

  private constructor(
    private options: ServerOptions,
    /** The data folder. */
    readonly data: string,
    private process: ChildProcess,
    readonly api: string,
    private control: string,
  ) {}

  static async start(options: ServerOptions = {}): Promise<Server> {
    const data = mkdtempSync(join(tmpdir(), "tenure-e2e-data-"));
    const { process, api, control } = await launch(options, data, "127.0.0.1:0");
    return new Server(options, data, process, api, control);
  }

  /** Kills the process as a power cut would, and returns when it is gone. */
  async kill(): Promise<void> {
    const gone = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await gone;
  }

  /** Starts it again after `kill`, on the same data and port, perhaps with other options. */
  async startAgain(options: ServerOptions = this.options): Promise<void> {
    this.options = options;
    const { process, control } = await launch(this.options, this.data, new URL(this.api).host);
    this.process = process;
    this.control = control;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = once(this.process, "exit");
      this.process.stdin?.end();
      await gone;
    }
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Somebody who can sign in; to the console as well, if their role is one for it. */
  async person(role = "user"): Promise<Person> {
    this.#people += 1;
    const name = `Person ${this.#people}`;
    const email = `person-${this.#people}@example.com`;
    const password = "a long way to the sea";
    const { id } = await this.order<{ id: string }>("/users", { email, password, name, role });
    return { id, email, password, name };
  }

  /** Ends one session, or all of a user. */
  endSessions(whose: { session: string } | { user: string }, reason = "admin_revoked"): Promise<unknown> {
    return this.order("/sessions/end", { ...whose, reason });
  }

  /** Drops every connection, is away for a while, and serves again. */
  restart(downMs = 0): Promise<unknown> {
    return this.order("/restart", { down_ms: downMs });
  }

  isUp(): Promise<boolean> {
    return fetch(`${this.api}/api/v1/system/ping`).then(
      () => true,
      () => false,
    );
  }

  advance(ms: number): Promise<unknown> {
    return this.order("/clock", { advance: ms });
  }

  fault(fault: Fault): Promise<unknown> {
    return this.order("/faults", fault);
  }

  clearFaults(): Promise<unknown> {
    return this.order("/faults/clear", {});
  }

  /** How many faults still wait for a request to befall. */
  async standingFaults(): Promise<number> {
    return ((await (await fetch(`${this.control}/faults`)).json()) as { standing: number }).standing;
  }

  async stats(): Promise<Stats> {
    return (await (await fetch(`${this.control}/stats`)).json()) as Stats;
  }

  /** Refreshes that were answered with a token. Questions for the time are not among them. */
  async refreshes(): Promise<number> {
    const { rotated = 0, repeated = 0, rewound = 0 } = (await this.stats()).refreshes;
    return rotated + repeated + rewound;
  }

  /** Any order of `crates/testbed/src/control.rs`. */
  async order<T>(path: string, order: unknown): Promise<T> {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(this.control + path, { method: "POST", headers, body: JSON.stringify(order) });
    if (!answer.ok) throw new Error(`the testbed refused ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json().catch(() => undefined)) as T;
  }
}

interface Launched {
  readonly process: ChildProcess;
  readonly api: string;
  readonly control: string;
}

async function launch(options: ServerOptions, data: string, listen: string): Promise<Launched> {
  const { clock = "real", begunMs = 0, config, settings = [], devUser } = options;
  const args = ["--data", data, "--listen", listen];
  if (clock === "real") args.push("--real-clock");
  else args.push("--start", String(Date.now() - begunMs));
  if (config) args.push("--config", config);
  if (devUser) args.push("--dev-user", `${devUser.email}:${devUser.password}`);
  for (const setting of ["session.missing_session=unavailable", ...settings]) args.push("--set", setting);
  // It ends when its standard input does, so none outlives a test run that is broken off.
  const process = spawn(testbedBinary(), args, { stdio: ["pipe", "pipe", "inherit"] });
  const { api, control } = await new Promise<{ api: string; control: string }>((resolve, reject) => {
    process.once("error", reject);
    process.once("exit", (code) => reject(new Error(`the testbed ended with ${code}`)));
    createInterface({ input: process.stdout }).once("line", (line) => resolve(JSON.parse(line)));
  });
  return { process, api, control };
}

/** The testbed that `cargo xtask test` names, or the newest build there is. */
export const testbedBinary = (): string => binary("tenure-testbed", process.env.TESTBED_BINARY);

/** The product, likewise. */
export const productBinary = (): string => binary("tenure", process.env.SERVER_BINARY);

export function binary(name: string, named: string | undefined): string {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const built = ["debug", "ci", "release"].map((profile) => join(target, profile, name));
  const [newest] = (named ? [named] : built)
    .filter((path) => existsSync(path))
    .sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  if (!newest) throw new Error(`There is no ${name}. Build it with: cargo build --workspace`);
  return newest;
}
