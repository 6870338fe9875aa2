/** A Chromium with a profile on disk, which can be closed, killed and opened again. */

import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BrowserContext, BrowserType, LaunchOptions, Page } from "@playwright/test";
import type { Server } from "./server.js";
import { withHarness } from "./tab.js";

export class Profile {
  readonly #folder = mkdtempSync(join(tmpdir(), "tenure-e2e-profile-"));
  #context: BrowserContext | undefined;

  constructor(
    private readonly browser: BrowserType,
    private readonly options: LaunchOptions,
    private readonly server: Server,
  ) {}

  /** Starts the browser, and opens the harness page. */
  async open(): Promise<Page> {
    this.#context = await this.browser.launchPersistentContext(this.#folder, this.options);
    await withHarness(this.#context, this.server.api);
    const page = await this.#context.newPage();
    await page.goto(`${this.server.api}/harness.html`);
    return page;
  }

  cookies() {
    return this.#context?.cookies() ?? Promise.resolve([]);
  }

  async close(): Promise<void> {
    await this.#context?.close();
    this.#context = undefined;
  }

  /** As a power cut does: what the browser has not written to disk yet is lost. */
  async kill(): Promise<void> {
    // The lock of the profile is a link that names the host and the process which holds it.
    const pid = Number(/-(\d+)$/.exec(readlinkSync(join(this.#folder, "SingletonLock")))?.[1]);
    // The browser leads a group of its own, in which its helpers are.
    process.kill(-pid, "SIGKILL");
    await this.#context?.close().catch(() => {});
    while (isAlive(pid)) await pause(20);
    this.#context = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
