import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { precompress } from "./precompress.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Several builds into one folder. The forms are plain TypeScript, several times smaller than React alone; built together
 * with the other pages they would share chunks that need React. A console and a link for a new password are no affair of
 * whoever signs in, and no page of theirs may grow with them.
 */
const PAGES: Record<string, string[]> = {
  forms: ["sign-in.html", "sign-up.html"],
  reset: ["reset-password.html"],
  react: ["account.html", "playground.html"],
  console: ["admin.html"],
};

/** Pages that have pages below them, and can name no file beside themselves: the server tells them where they are. */
const hasPagesBelow = (page: string) => page.endsWith("admin.html");

export default defineConfig(({ mode }) => ({
  root: here("."),
  // A proxy may serve us below a path.
  base: "./",
  experimental: {
    renderBuiltUrl: (file, { hostId, hostType }) =>
      hostType === "html" && hasPagesBelow(hostId) ? `{{base}}/${file}` : { relative: true },
  },
  plugins: [react(), precompress()],
  resolve: {
    alias: [
      // The kit is React; the pages need none of what makes React DOM four times as large as all of them together.
      { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
      { find: /^react(-dom)?$/, replacement: "preact/compat" },
      { find: /^react\/jsx(-dev)?-runtime$/, replacement: "preact/jsx-runtime" },
      { find: /^@tenure\/client$/, replacement: here("../client/src/index.ts") },
      {
        find: /^@tenure\/client\/entitlements$/,
        replacement: here("../client/src/entitlements/index.ts"),
      },
      { find: /^@tenure\/client\/tracker$/, replacement: here("../client/src/tracker/index.ts") },
      { find: /^@tenure\/client\//, replacement: here("../client/src/") },
      { find: /^@tenure\/react$/, replacement: here("../react/src/index.ts") },
      { find: /^@tenure\/react\//, replacement: here("../react/src/") },
    ],
  },
  build: {
    target: "es2022",
    emptyOutDir: mode === "forms",
    // The policy of the pages allows what comes from files, and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: PAGES[mode] ?? Object.values(PAGES).flat(),
      // Modules that do nothing by being imported: a page that takes sentences from the kit takes no React with them.
      treeshake: { moduleSideEffects: [{ test: /\/(react|client)\/src|\/preact\//, sideEffects: false }] },
    },
  },
  test: { environment: "node", include: ["test/**/*.test.{ts,tsx}"] },
}));
