import { defineConfig } from "vitest/config";

// Several entries share chunks, so that `monitor/auto` and the core see one registry of clients.
export default defineConfig({
  build: {
    target: "es2022",
    minify: true,
    sourcemap: true,
    lib: {
      entry: {
        index: "src/index.ts",
        "monitor/index": "src/monitor/index.ts",
        "monitor/auto": "src/monitor/auto.ts",
        "entitlements/index": "src/entitlements/index.ts",
        "migrate/index": "src/migrate/index.ts",
        "observe/index": "src/observe/index.ts",
        "tracker/index": "src/tracker/index.ts",
      },
      formats: ["es"],
    },
  },
  // Properties look at hundreds of random lives, and machines that build at the same time are slow.
  test: { testTimeout: 60_000 },
});
