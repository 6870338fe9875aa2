/** The server of a scenario, and what operators and accidents do to it: commands, statements, neighbours that die. */

import { type ChildProcess, type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Server, type Stats, testbedBinary } from "../../e2e/support/server.js";
import { type TlsProxy, tlsProxy } from "../../e2e/support/tls.js";
import { until } from "../../e2e/support/until.js";
import type { ServerWish } from "../vocabulary.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Cheap passwords, and no second listener; the testbed has such settings of its own. */
const QUICK = {
  TENURE_PASSWORD__MEMORY_KIB: "8",
  TENURE_PASSWORD__PASSES: "1",
  TENURE_SERVER__OPS_LISTEN: "",
  TENURE_SESSION__MISSING_SESSION: "unavailable",
};

export interface Outcome {
  readonly code: number;
  readonly out: string;
}

/** The binary that `cargo xtask` names, or the one beside the testbed. */
function binary(name: "tenure" | "tenure-rig"): string {
  const named = name === "tenure" ? process.env.SERVER_BINARY : process.env.RIG_BINARY;
  const path = named ?? join(dirname(testbedBinary()), name);
  if (!existsSync(path))
    throw new Error(`there is no ${path}; build it with: cargo build --workspace --tests`);
  return path;
}

/** A server whose data can be looked at and meddled with. */
export class Machine {
  readonly #redis: Redis | undefined;
  #held: DatabaseSync | undefined;

  private constructor(
    private readonly server: Server | Product,
    redis?: Redis,
    private readonly proxy?: TlsProxy,
  ) {
    this.#redis = redis;
  }

  static async start(wish: ServerWish, clock: "real" | "virtual"): Promise<Machine> {
    if (wish.product) return new Machine(await Product.start(wish.product));
    const redis = wish.redis ? await Redis.start() : undefined;
    const proxy = wish.https ? await tlsProxy() : undefined;
    const settings = [
      ...(redis ? [`redis.url=${redis.url}`] : []),
      ...(proxy ? [`server.public_url=${proxy.origin}`] : []),
      ...(wish.settings ?? []),
    ];
    const server = await Server.start({ clock, settings });
    proxy?.forwardTo(server.api);
    return new Machine(server, redis, proxy);
  }

  /** Where browsers find it. */
  get site(): string {
    return this.proxy?.origin ?? this.api;
  }

  get api(): string {
    return this.server.api;
  }

  /** For orders. */
  get testbed(): Server {
    if (this.server instanceof Product) throw new Error("the product takes no orders");
    return this.server;
  }

  async stop(): Promise<void> {
    this.#held?.close();
    await this.server.stop();
    this.proxy?.close();
    this.#redis?.stop();
  }

  /** Somebody who can sign in, by e-mail. */
  async personCreate(email: string, password: string): Promise<void> {
    const name = email.split("@")[0] ?? email;
    if (this.server instanceof Product) {
      await this.operator(["user", "create", email, "--name", name], password);
    } else {
      await this.server.order("/users", { email, password, name });
    }
  }

  /** The testbed's clock is set; the product's is the real one. */
  async setClock(ms: number): Promise<void> {
    if (this.server instanceof Server) await this.server.order("/clock", { set: ms });
  }

  /** A command of the product on these data, which has to succeed. */
  async operator(args: readonly string[], input = ""): Promise<string> {
    const { code, out } = await this.command(args, {}, input);
    if (code !== 0) throw new Error(`tenure ${args.join(" ")} failed with ${code}: ${out}`);
    return out;
  }

  /** A command of the product on these data, with what it said. */
  command(args: readonly string[], environment: Record<string, string>, input = ""): Promise<Outcome> {
    return new Promise((resolve) => {
      const env = { TENURE_ACTOR: "conformance", ...environment };
      const all = ["--data", this.server.data, ...args];
      const child = execFile(binary("tenure"), all, { env, timeout: 20_000 }, (error, stdout, stderr) => {
        const code = error ? (typeof error.code === "number" ? error.code : -1) : 0;
        resolve({ code, out: stdout + stderr });
      });
      // Most commands do not read, and end before they are written to.
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
    });
  }

  /** A statement by a connection of our own. */
  sql(statement: string): void {
    const database = new DatabaseSync(join(this.server.data, "tenure.db"));
    try {
      database.exec("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = off;");
      database.exec(statement);
      const changed = database.prepare("SELECT total_changes() AS count").get()?.count;
      if (/^(UPDATE|DELETE|INSERT)/.test(statement) && changed === 0)
        throw new Error(`this changed nothing: ${statement}`);
    } finally {
      database.close();
    }
  }

  count(query: string): number {
    const database = new DatabaseSync(join(this.server.data, "tenure.db"), { readOnly: true });
    try {
      return Number(Object.values(database.prepare(query).get() ?? {})[0]);
    } finally {
      database.close();
    }
  }

  /** Takes the lock for writing, which the server then waits for in vain; or lets go. */
  hold(isHeld: boolean): void {
    this.#held?.close();
    this.#held = undefined;
    if (!isHeld) return;
    this.#held = new DatabaseSync(join(this.server.data, "tenure.db"));
    this.#held.exec("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE;");
  }

  /** What the server counted; the product keeps its numbers on a listener that is off here. */
  async stats(): Promise<Stats | undefined> {
    return this.server instanceof Product ? undefined : this.server.stats();
  }

  async redis(what: "killed" | "flushed" | "paused" | "started again"): Promise<void> {
    const redis = this.#redis;
    if (!redis) throw new Error("this server has no Redis");
    // It connects by itself, which on a busy machine may take a moment. One of the connections is ours.
    const isUsed = async () => {
      const clients = (await redis.say("CLIENT LIST")).split("id=").length - 1;
      if (clients < 2) throw new Error("the server does not use its Redis");
    };
    if (what !== "started again") await until(isUsed, 10_000);
    if (what === "killed") await redis.order("kill");
    else if (what === "started again") await redis.order("start");
    else await redis.say(what === "flushed" ? "FLUSHALL" : "CLIENT PAUSE 60000");
  }
}

/** `tenure serve` in an empty folder and an environment that holds nothing but what is given. */
class Product {
  private constructor(
    readonly data: string,
    private readonly process: ChildProcess,
    readonly api: string,
  ) {}

  static async start({
    environment,
    brokenLibraries = [],
  }: NonNullable<ServerWish["product"]>): Promise<Product> {
    const folder = mkdtempSync(join(tmpdir(), "tenure-conformance-"));
    const data = join(folder, "data");
    const libraries = join(folder, "libraries");
    mkdirSync(libraries);
    for (const name of brokenLibraries) writeFileSync(join(libraries, name), "this is no library");
    const env = {
      ...QUICK,
      ...(brokenLibraries.length > 0 && { LD_LIBRARY_PATH: libraries }),
      ...environment,
    };
    const args = ["--dev", "--data", data, "serve", "--listen", "127.0.0.1:0"];
    const process = spawn(binary("tenure"), args, {
      cwd: folder,
      env: env as NodeJS.ProcessEnv,
      stdio: ["ignore", "pipe", "pipe"],
    });
    try {
      return new Product(data, process, await announced(process));
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = once(this.process, "exit");
      this.process.kill("SIGTERM");
      await gone;
    }
    rmSync(dirname(this.data), { recursive: true, force: true });
  }
}

/** The address that a server which starts says it serves. */
function announced(process: ChildProcessByStdio<null, Readable, Readable>): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (line: string) => {
      said += `${line}\n`;
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
      if (url) resolve(url);
    };
    for (const input of [process.stdout, process.stderr]) createInterface({ input }).on("line", hear);
    process.once("error", reject);
    process.once("close", (code) => reject(new Error(`tenure serve ended with ${code}: ${said}`)));
  });
}

/** A Redis of our own, by `crates/rig`, which takes orders line by line. */
class Redis {
  private constructor(
    private readonly process: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    readonly url: string,
  ) {}

  static async start(): Promise<Redis> {
    const process = spawn(binary("tenure-rig"), ["redis"], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
    const { value, done } = await lines.next();
    if (done) throw new Error("Redis does not start");
    return new Redis(process, lines, value);
  }

  async order(what: "kill" | "start"): Promise<void> {
    this.process.stdin?.write(`${what}\n`);
    if ((await this.lines.next()).done) throw new Error(`Redis could not be told to ${what}`);
  }

  stop(): void {
    this.process.stdin?.end();
  }

  /** A command, by the inline form of the protocol; it is done when it has been answered. */
  say(command: string): Promise<string> {
    const { hostname, port } = new URL(this.url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write(`${command}\r\n`));
      socket.once("data", (answer) => {
        socket.destroy();
        resolve(answer.toString());
      });
      socket.once("error", reject);
    });
  }
}

/** An event as Stripe sends it, whose parts that do not matter here stay as they were recorded. */
export function stripeEvent(status: string, customer: string, price: string, at: number): string {
  const recorded = join(ROOT, "crates/server/tests/it/routes/billing/subscription_updated.json");
  const event = JSON.parse(readFileSync(recorded, "utf8"));
  event.id = `evt_${status}_${at}`;
  event.created = Math.floor(at / 1000);
  Object.assign(event.data.object, { status, customer });
  for (const item of event.data.object.items.data) item.price.id = price;
  return JSON.stringify(event);
}
