import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const step = process.env.STEP ?? "0";

/** What is Tenure's on this origin, as in `nginx.conf`. */
const TENURES = ["/api/v1/auth", "/api/v1/system", "/api/v1/observations", "/reset-password", "/assets"];

/** `STEP=3 npx vite` is the front end after the third step of docs/guide/rollout.md. */
export default defineConfig({
  root: here("."),
  plugins: [react()],
  resolve: {
    alias: [
      { find: "#step", replacement: here(`src/steps/step${step}.tsx`) },
      // An app of yours has the packages installed; here they are taken from where they are written.
      { find: /^@tenure\/react\/styles\.css$/, replacement: here("../../../web/react/src/styles.css") },
      { find: /^@tenure\/(client|react)$/, replacement: here("../../../web/$1/src/index.ts") },
      { find: /^@tenure\/client\/(\w+)$/, replacement: here("../../../web/client/src/$1/index.ts") },
    ],
  },
  server: {
    host: "127.0.0.1",
    // It is the address that Tenure is told.
    strictPort: true,
    proxy: {
      ...Object.fromEntries(TENURES.map((path) => [path, "http://127.0.0.1:7700"])),
      "/api": "http://127.0.0.1:8000",
    },
  },
});
