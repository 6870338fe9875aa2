import { defineConfig } from "vitest/config";

// Scenarios are concurrent within a file, because each mostly waits for its own server.
export default defineConfig({
  root: import.meta.dirname,
  test: {
    environment: "node",
    reporters: ["./reporter.ts"],
    include: ["*.test.ts"],
    // A filter may leave a file without any.
    passWithNoTests: true,
    maxConcurrency: 4,
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
