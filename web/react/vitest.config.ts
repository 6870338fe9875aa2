import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`../client/src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: "@tenure/client/entitlements", replacement: source("entitlements/index.ts") },
      { find: "@tenure/client/tracker", replacement: source("tracker/index.ts") },
      { find: "@tenure/client", replacement: source("index.ts") },
    ],
  },
  test: { environment: "jsdom", include: ["test/**/*.test.{ts,tsx}"] },
});
