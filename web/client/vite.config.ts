import { defineConfig } from "vite";

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
        "tracker/index": "src/tracker/index.ts",
      },
      formats: ["es"],
    },
  },
});
