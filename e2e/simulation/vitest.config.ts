import { defineConfig } from "vitest/config";

// Lives are concurrent within a file, because each mostly waits for its own server.
export default defineConfig({
  test: {
    name: "simulation",
    environment: "node",
    include: ["*.test.ts"],
    // One life alone leaves the other file without any.
    passWithNoTests: true,
    maxConcurrency: 3,
    // Two files at a time, on machines with two cores as well, and after the quick suites.
    maxWorkers: 2,
    sequence: { groupOrder: 1 },
    testTimeout: 300_000,
  },
});
