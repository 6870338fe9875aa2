/** Builds the SDK into pages of our own, once per run. */

import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default async function setup(): Promise<() => void> {
  const outDir = mkdtempSync(join(tmpdir(), "tenure-e2e-harness-"));
  await page(outDir, "./in-page.ts", "harness.js");
  await page(outDir, "../mystery/app.ts", "mystery.js");
  await page(outDir, "../observed/app.ts", "observed.js");
  copyFileSync(here("../observed/page.html"), join(outDir, "observed.html"));
  // The workers are started after this and inherit them.
  process.env.E2E_HARNESS = join(outDir, "harness.js");
  process.env.E2E_MYSTERY = join(outDir, "mystery.js");
  process.env.E2E_OBSERVED = join(outDir, "observed.js");
  return () => rmSync(outDir, { recursive: true, force: true });
}

async function page(outDir: string, entry: string, fileName: string): Promise<void> {
  await build({
    configFile: false,
    root: here("."),
    logLevel: "warn",
    resolve: {
      alias: [
        {
          find: "@tenure/client/entitlements",
          replacement: here("../../web/client/src/entitlements/index.ts"),
        },
        { find: "@tenure/client/migrate", replacement: here("../../web/client/src/migrate/index.ts") },
        { find: "@tenure/client/observe", replacement: here("../../web/client/src/observe/index.ts") },
        { find: "@tenure/client/tracker", replacement: here("../../web/client/src/tracker/index.ts") },
        { find: "@tenure/client", replacement: here("../../web/client/src/index.ts") },
      ],
    },
    build: {
      outDir,
      emptyOutDir: false,
      target: "es2022",
      // One file, with what the client would load later.
      rolldownOptions: { output: { codeSplitting: false } },
      lib: { entry: here(entry), formats: ["es"], fileName: () => fileName },
    },
  });
}
