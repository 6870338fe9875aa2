/** A real Django with simplejwt, as `crates/server/tests/foreign` sets it up, and the front end that is observed, which it serves. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BrowserContext } from "@playwright/test";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export class Django {
  private constructor(
    private readonly data: string,
    private readonly process: ChildProcess,
    readonly origin: string,
  ) {}

  /** One that rotates refresh tokens and blacklists the replaced ones. */
  static async start(settings: { readonly REFRESH_SECONDS?: string } = {}): Promise<Django> {
    const data = mkdtempSync(join(tmpdir(), "tenure-e2e-django-"));
    const python = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "foreign/bin/python");
    // It ends when its standard input does, so none outlives a test run that is broken off.
    const child = spawn(python, ["serve.py"], {
      cwd: join(ROOT, "crates/server/tests/foreign"),
      env: {
        ...process.env,
        ACCESS_SECONDS: "3600",
        ...settings,
        FLAVOUR: "rotation",
        DATA: data,
        FRONT_END: dirname(process.env.E2E_OBSERVED ?? ""),
      },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const port = await new Promise<string>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`Django ended with ${code}`)));
      createInterface({ input: child.stdout }).once("line", resolve);
    });
    return new Django(data, child, `http://127.0.0.1:${port}`);
  }

  async stop(): Promise<void> {
    const gone = once(this.process, "exit");
    this.process.stdin?.end();
    await gone;
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Tells the front end where to report to. One of its calls gets no answer, ever. */
  async withApp(context: BrowserContext, reportTo: string): Promise<void> {
    await context.addInitScript((address) => {
      window.reportTo = address;
    }, reportTo);
    await context.route(`${this.origin}/api/unreachable/`, (route) => route.abort("connectionreset"));
  }
}
