// The code on our pages, compiled against the sources and as strictly as they are: a reader copies it as it stands.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const COMPILER = join(ROOT, "node_modules/typescript/bin/tsc");
const CODE = ["ts", "tsx", "js"];
/** What is not compiled here; Python and SQL are run by the tests of `python/tenure-drf`. Another name for a language we compile would slip through, so any other is an error. */
const OTHERS = ["sh", "console", "text", "html", "css", "json", "toml", "yaml", "python", "sql"];

/**
 * Code blocks of a page: language, first line of the code, the code. A block may say `name=main.js` behind its
 * language; other blocks of the page then import it by that name.
 */
export function blocksIn(page, text) {
  const blocks = [];
  let open;
  for (const [index, line] of text.split("\n").entries()) {
    const [, fence, info] = /^ *(`{3,})(.*)$/.exec(line) ?? [];
    if (open && fence === open.fence && !info.trim()) {
      blocks.push({ ...open, code: open.lines.join("\n") });
      open = undefined;
    } else if (open) open.lines.push(line);
    else if (fence) open = { page, fence, line: index + 2, lines: [], ...read(info, `${page}:${index + 1}`) };
  }
  if (open) throw new Error(`${page}:${open.line - 1}: the block is not closed`);
  return blocks;
}

function read(info, place) {
  const [, language, name] = /^\s*(\S+)(?:\s+name=(\S+))?\s*$/.exec(info) ?? [];
  if (![...CODE, ...OTHERS].includes(language))
    throw new Error(`${place}: nobody knows a block of \`${info}\``);
  return { language, name };
}

export const isCode = (block) => CODE.includes(block.language);

/** What a snippet may use without making it. One that it makes itself hides this one. */
const GIVEN = `import type { Client } from "@tenure/client";
declare global {
  const client: Client;
}
`;

/** Compiles the blocks together; each page is a folder. Returns what is wrong, as `page:line: what`. */
export async function compile(blocks) {
  const folder = mkdtempSync(join(tmpdir(), "snippets-"));
  try {
    const places = new Map();
    for (const block of blocks) {
      const name = block.name ?? `line-${block.line}.${block.language}`;
      const file = join(block.page.replaceAll(".", "-"), name);
      places.set(file, block);
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), block.code);
    }
    writeFileSync(join(folder, "given.d.ts"), GIVEN);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(configuration()));
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "dir");
    const output = await run([COMPILER, "-p", ".", "--pretty", "false"], folder);
    return output.split("\n").flatMap((line) => placed(line, places));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function configuration() {
  const source = (path) => [join(ROOT, "web", path)];
  return {
    extends: join(ROOT, "tsconfig.base.json"),
    compilerOptions: {
      noEmit: true,
      allowJs: true,
      checkJs: true,
      jsx: "react-jsx",
      types: ["vite/client"],
      allowImportingTsExtensions: true,
      paths: {
        "@tenure/client": source("client/src/index.ts"),
        "@tenure/client/monitor": source("client/src/monitor/index.ts"),
        "@tenure/client/monitor/auto": source("client/src/monitor/auto.ts"),
        "@tenure/client/entitlements": source("client/src/entitlements/index.ts"),
        "@tenure/client/migrate": source("client/src/migrate/index.ts"),
        "@tenure/client/observe": source("client/src/observe/index.ts"),
        "@tenure/client/tracker": source("client/src/tracker/index.ts"),
        "@tenure/react": source("react/src/index.ts"),
        "@tenure/react/styles.css": source("react/src/styles.css"),
      },
    },
    include: ["."],
  };
}

/** A message of the compiler, at its place on the page; the lines that continue one stay with it. */
function placed(line, places) {
  if (!line.trim()) return [];
  const [, file, row, what] = /^(.+?)\((\d+),\d+\): (.*)$/.exec(line) ?? [];
  const block = places.get(file);
  return [block ? `${block.page}:${block.line + Number(row) - 1}: ${what}` : line];
}

/** Standard output, whatever the exit code: a compiler that found something ends with one that says so. */
function run(args, cwd) {
  return new Promise((done, fail) => {
    execFile(process.execPath, args, { cwd }, (error, stdout, stderr) => {
      if (error && !stdout) fail(new Error(`the compiler: ${stderr || error.message}`));
      else done(stdout);
    });
  });
}
