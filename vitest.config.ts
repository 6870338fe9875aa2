import { defineConfig } from "vitest/config";

// Each package brings its own vitest.config.ts if the defaults do not suit it.
export default defineConfig({
  test: { projects: ["web/client", "web/react", "web/app", "e2e/simulation", "web/checks"] },
});
