// What a page pays for importing us: each entry point bundled and minified as an app would do it, gzipped, beside its
// limit. A package's own dependencies (the client in the React kit, React itself) are counted where they belong.
//
// Pages that quote a size write `<!-- size: @tenure/client -->8.0 kB`. A number that is no longer true is an error;
// `--write` puts the measured one there.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";

/**
 * Entry points: name, file, limit in bytes of gzip, and what of it is imported if not everything. The client's goal is
 * 8 kB; what the simulation taught it about sleep, storage and late answers has cost a little more, and so have asking what
 * a person may do and hearing of refusals. What keeps the answers is an entry of its own.
 */
const ENTRIES = [
  [
    "@tenure/client",
    "web/client/dist/index.js",
    9_000,
    "createClient, ProblemError, isTransport, isAuthorization, isAuthentication",
  ],
  ["@tenure/client/entitlements", "web/client/dist/entitlements/index.js", 4_000],
  ["@tenure/client/migrate", "web/client/dist/migrate/index.js", 2_500],
  ["@tenure/client/monitor", "web/client/dist/monitor/index.js", 4_000],
  ["@tenure/client/observe", "web/client/dist/observe/index.js", 7_500],
  ["@tenure/client/tracker", "web/client/dist/tracker/index.js", 4_200],
  [
    "@tenure/react, no components",
    "web/react/dist/index.js",
    4_000,
    "SessionProvider, SignedIn, SignedOut, Unknown, Protect, useSession, useUser, useSignIn, useSignUp, useSignOut, useSessions, useEntitlement, useAccount",
  ],
  ["@tenure/react, everything", "web/react/dist/index.js", 16_000],
];

/** What the client loads by itself once somebody is signed in: what listens to the server. */
const LATER_LIMIT = 2_500;

/** What Vite puts around an import is its own, and an app that imports something has it already. */
const PLAIN_IMPORT = "export const __vitePreload = (load) => load();";

/** First load of a page: its document, and the scripts and styles that the document names. */
const PAGES = "web/app/dist";
const PAGE_LIMIT = 60_000;

/** Pages that quote sizes. */
const QUOTING = ["README.md", "web/client/README.md", "docs/guide/observe.md"];

const rows = [];
for (const [name, file, limit, names] of ENTRIES) {
  const { first, later } = await bundled(file, names);
  rows.push([name, first, limit]);
  if (later) rows.push([`${name}, later`, later, LATER_LIMIT]);
}
for (const page of readdirSync(PAGES).filter((file) => file.endsWith(".html"))) {
  rows.push([`page ${page}`, firstLoad(page), PAGE_LIMIT]);
}

for (const [name, bytes, limit] of rows) {
  const verdict = bytes > limit ? "TOO LARGE" : "";
  console.log(`${name.padEnd(30)}${String(bytes).padStart(7)} B gzip of ${limit} ${verdict}`.trimEnd());
}
if (rows.some(([, bytes, limit]) => bytes > limit)) process.exitCode = 1;
for (const page of QUOTING) checkQuotes(page);

function checkQuotes(page) {
  const text = readFileSync(page, "utf8");
  const measured = new Map(rows.map(([name, bytes]) => [name, `${(bytes / 1000).toFixed(1)} kB`]));
  const fresh = text.replace(/<!-- size: (.+?) -->([\d.]+ kB)?/g, (quote, name, said) => {
    const size = measured.get(name);
    if (said === size) return quote;
    console.log(`${page} quotes ${said ?? "no size"} for ${name}; it is ${size ?? "nothing we measure"}`);
    if (size && process.argv.includes("--write")) return `<!-- size: ${name} -->${size}`;
    process.exitCode = 1;
    return quote;
  });
  if (fresh !== text) writeFileSync(page, fresh);
}

/** Bytes of one entry point, or of some of its exports; and of what it imports only when it is needed. */
async function bundled(file, names) {
  const entry = "virtual:entry";
  const path = JSON.stringify(join(process.cwd(), file));
  const source = names ? `export { ${names} } from ${path};` : `export * from ${path};`;
  const output = await build({
    configFile: false,
    logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [
      {
        name: "entry",
        enforce: "pre",
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) =>
          id === entry ? source : id.endsWith("vite/preload-helper.js") ? PLAIN_IMPORT : undefined,
      },
    ],
    build: {
      write: false,
      minify: true,
      target: "es2022",
      rollupOptions: {
        input: entry,
        preserveEntrySignatures: "strict",
        external: (id) => /^(react|react-dom|@tenure\/client)(\/|$)/.test(id),
        // Their names have a hash elsewhere, which costs a few bytes more or less with each change of anything.
        output: { format: "es", chunkFileNames: "later.js" },
      },
    },
  });
  const chunks = [output].flat().flatMap((one) => one.output);
  const code = new Map(chunks.filter((one) => one.type === "chunk").map((one) => [one.fileName, one]));
  const first = new Set([...code.values()].filter((one) => one.isEntry).map((one) => one.fileName));
  // Grows while it is gone through.
  for (const name of first) for (const needed of code.get(name)?.imports ?? []) first.add(needed);
  const sizeOf = (names) =>
    names.length && gzipSync(names.map((name) => code.get(name)?.code).join("\n"), { level: 9 }).length;
  return { first: sizeOf([...first]), later: sizeOf([...code.keys()].filter((name) => !first.has(name))) };
}

function firstLoad(page) {
  const html = readFileSync(join(PAGES, page), "utf8");
  const named = [...html.matchAll(/(?:src|href)="(?:\{\{base\}\})?\/?([^"]+\.(?:js|css))"/g)].map(
    (match) => match[1],
  );
  const files = [page, ...new Set(named)].map((file) => readFileSync(join(PAGES, file)));
  return files.reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0);
}
