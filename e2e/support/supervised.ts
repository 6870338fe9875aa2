/** Programs that a test runs beside the browser. None outlives us, however we end. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import { binary } from "./server.js";

/** Waits until its standard input closes, which it also does when we are gone, and ends what it started. */
const SUPERVISOR = '"$@" </dev/null & read -r _; kill -KILL $!; wait $! 2>/dev/null';

export class Supervised {
  private constructor(
    private readonly process: ChildProcess,
    private readonly file: string,
  ) {}

  /** Starts a program that writes what it has to say into a file, behind what is there. */
  static start(command: readonly string[], file: string, environment: NodeJS.ProcessEnv = {}): Supervised {
    const log = openSync(file, "a");
    const stdio = ["pipe", log, log] as const;
    const env = { ...process.env, ...environment };
    return new Supervised(
      spawn("sh", ["-c", SUPERVISOR, "sh", ...command], { stdio: [...stdio], env }),
      file,
    );
  }

  get log(): string {
    return readFileSync(this.file, "utf8");
  }

  /** As a power cut does; returns when it is gone. */
  async kill(): Promise<void> {
    const gone = once(this.process, "exit");
    this.process.stdin?.end();
    await gone;
  }
}

/** A server of `crates/rig`, which ends when it is told to, or we do. */
export async function rig(what: "postgres" | "redis"): Promise<{ url: string; end: () => void }> {
  const process = spawn(rigBinary(), [what], { stdio: ["pipe", "pipe", "inherit"] });
  const [url] = await once(createInterface({ input: process.stdout }), "line");
  return { url, end: () => process.stdin.end() };
}

const rigBinary = () => binary("tenure-rig", process.env.RIG_BINARY);

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
