/** The real server, in a process of its own: `crates/testbed`. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Connections, type HttpAnswer, type HttpRequest, type Upstream } from "./http.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What the server counted, by `GET /stats`. */
export interface Stats {
  readonly refreshes: Readonly<Record<string, number>>;
  readonly ends: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly dead_tokens: number;
  readonly panics: number;
}

export class Testbed implements Upstream {
  readonly #connections = new Connections();

  private constructor(
    private readonly process: ChildProcess,
    readonly api: string,
    private readonly control: string,
  ) {}

  /** Starts the server; the same seed draws the same tokens. */
  static async start(seed: number, startAt: number): Promise<Testbed> {
    const settings = ["session.missing_session=unavailable"].flatMap((setting) => ["--set", setting]);
    const process = spawn(binary(), ["--seed", String(seed), "--start", String(startAt), ...settings], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { api, control } = await new Promise<{ api: string; control: string }>((resolve, reject) => {
      process.once("error", reject);
      process.once("exit", (code) => reject(new Error(`the testbed ended with ${code}`)));
      createInterface({ input: process.stdout }).once("line", (line) => resolve(JSON.parse(line)));
    });
    return new Testbed(process, api, control);
  }

  /** A request to the API that arrives at this moment of the simulated world. */
  request(at: number, { headers, ...what }: HttpRequest): Promise<HttpAnswer> {
    return this.#connections.exchange(this.api, {
      ...what,
      headers: { ...headers, "x-virtual-now": String(at) },
    });
  }

  async userCreate(email: string, password: string): Promise<void> {
    await this.#order("/users", { email, password, name: email });
  }

  /** Drops every connection and starts the server again on its data. */
  async restart(at: number): Promise<void> {
    await this.#order("/clock", { set: at });
    await this.#order("/restart", {});
    this.#connections.close();
  }

  async rotateKeys(at: number): Promise<void> {
    await this.#order("/clock", { set: at });
    await this.#order("/keys/rotate", {});
  }

  async stats(): Promise<Stats> {
    const { body } = await this.#connections.exchange(this.control, {
      method: "GET",
      path: "/stats",
      headers: {},
      body: undefined,
    });
    return JSON.parse(body) as Stats;
  }

  stop(): void {
    this.#connections.close();
    this.process.stdin?.end();
  }

  async #order(path: string, order: unknown): Promise<void> {
    const headers = { "content-type": "application/json" };
    const what = { method: "POST", path, headers, body: JSON.stringify(order) };
    const { status, body } = await this.#connections.exchange(this.control, what);
    if (status !== 200) throw new Error(`the testbed refused ${path}: ${status} ${body}`);
  }
}

/** The testbed that `cargo xtask test` names, or the newest build there is. */
function binary(): string {
  const named = process.env.TESTBED_BINARY;
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const built = ["debug", "ci", "release"].map((profile) => join(target, profile, "tenure-testbed"));
  const [newest] = (named ? [named] : built)
    .filter((path) => existsSync(path))
    .sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  if (!newest) {
    throw new Error(
      `There is no testbed at ${named ?? built.join(", ")}. Build it with: cargo build -p tenure-testbed`,
    );
  }
  return newest;
}
