/** Tells how it goes, and writes the report. */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { type Finding, json, markdown, type Run, table } from "./report.js";
import type { Scenario } from "./vocabulary.js";

const ROOT = resolve(import.meta.dirname, "..");

declare module "vitest" {
  interface TaskMeta {
    /** The scenario that a test plays. */
    scenario?: Scenario["id"];
    wrong?: readonly string[];
  }
}

export default class ConformanceReporter implements Reporter {
  readonly #findings: Finding[] = [];
  #passed = 0;
  #failed = 0;

  onTestCaseResult(test: TestCase): void {
    const { state, errors = [] } = test.result();
    if (state !== "passed" && state !== "failed") return;
    if (state === "passed") this.#passed += 1;
    else this.#failed += 1;
    const ms = Math.round(test.diagnostic()?.duration ?? 0);
    const wrong = state === "passed" ? [] : (test.meta().wrong ?? errors.map(({ message }) => message));
    console.log(`${state === "passed" ? "ok   " : "WRONG"} ${test.name} (${(ms / 1000).toFixed(1)} s)`);
    for (const complaint of wrong) console.log(`      ${complaint}`);
    const { scenario } = test.meta();
    if (scenario) this.#findings.push({ id: scenario, wrong, ms });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { message: string }[]): void {
    // A file that could not be read, or an error beside the tests, has failed as well.
    const broken = [...modules.flatMap((module) => module.errors()), ...unhandled];
    for (const { message } of broken) console.log(`WRONG ${message}`);
    this.#failed += broken.length;
    if (this.#findings.length > 0) this.#write();
    console.log(`conformance: ${this.#passed} passed, ${this.#failed} failed`);
  }

  #write(): void {
    const out = process.env.CONFORMANCE_OUT ?? join(ROOT, "target/conformance");
    mkdirSync(out, { recursive: true });
    const run = thisRun();
    writeFileSync(join(out, "report.md"), markdown(this.#findings, run));
    writeFileSync(join(out, "report.json"), json(this.#findings, run));
    console.log(
      `\n${table(this.#findings)}\n\nreport: ${join(out, "report.md")}, ${join(out, "report.json")}`,
    );
  }
}

function thisRun(): Run {
  const { version } = JSON.parse(readFileSync(join(ROOT, "api/openapi.json"), "utf8")).info as {
    version: string;
  };
  return { date: new Date().toISOString().slice(0, 10), version, commit: commit() };
}

/** Of an archive of the sources there is none to tell. */
function commit(): string {
  try {
    const safe = ["-c", `safe.directory=${ROOT}`];
    const told = (args: string[]) =>
      execFileSync("git", [...safe, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "ignore"] })
        .toString()
        .trim();
    return (
      told(["rev-parse", "--short=12", "HEAD"]) + (told(["status", "--porcelain"]) ? " with changes" : "")
    );
  } catch {
    return "unknown";
  }
}
