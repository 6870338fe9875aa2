import { readFile } from "node:fs/promises";
import { defineConfig, type Plugin } from "vite";

/** The stylesheet is shipped as it is written: apps import it, or read it and write their own. */
const styles: Plugin = {
  name: "styles",
  async generateBundle() {
    const source = await readFile(new URL("src/styles.css", import.meta.url), "utf8");
    this.emitFile({ type: "asset", fileName: "styles.css", source });
  },
};

export default defineConfig({
  plugins: [styles],
  build: {
    target: "es2022",
    minify: true,
    sourcemap: true,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "index" },
    rolldownOptions: {
      external: [/^react($|\/)/, /^@tenure\/client/],
      // Frameworks that render on servers have to know that these components live in browsers.
      output: { banner: '"use client";' },
    },
  },
});
