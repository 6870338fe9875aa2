import { readFile } from "node:fs/promises";
import { defineConfig, type Plugin } from "vite";

/** The stylesheet is shipped readable and as one file: apps import it, or read it and write their own. */
const styles: Plugin = {
  name: "styles",
  async generateBundle() {
    const read = (path: string) => readFile(new URL(`src/${path}`, import.meta.url), "utf8");
    const [head = "", ...imported] = (await read("styles.css"))
      .split(/@import "\.\/([^"]+)";\n/)
      .filter(Boolean);
    const source = [head, ...(await Promise.all(imported.map(read)))].join("\n");
    this.emitFile({ type: "asset", fileName: "styles.css", source });
    // TypeScript asks for the types of what is imported, though there be none.
    this.emitFile({ type: "asset", fileName: "styles.css.d.ts", source: "export {};\n" });
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
