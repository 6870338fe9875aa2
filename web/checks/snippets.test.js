import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { faultsOf } from "./commands.js";
import { blocksIn, compile, isCode } from "./snippets.js";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGES = [
  "README.md",
  "docs/guide/**/*.md",
  "docs/operations.md",
  "deploy/README.md",
  "web/*/README.md",
];

const pages = globSync(PAGES, { cwd: ROOT }).sort();
const blocks = pages.flatMap((page) => blocksIn(page, readFileSync(join(ROOT, page), "utf8")));

test("every snippet compiles", { timeout: 60_000 }, async () => {
  expect(blocks.filter(isCode).length).toBeGreaterThan(10);
  expect(await compile(blocks.filter(isCode))).toEqual([]);
});

test("every command is one", () => {
  expect(blocks.flatMap(faultsOf)).toEqual([]);
});

test("a broken snippet is told with its page and line", { timeout: 60_000 }, async () => {
  const page = [
    "Sign in:",
    "```ts name=session.ts",
    'import { createClient } from "@tenure/client";',
    "export const mine = createClient();",
    "```",
    "```js",
    'import { mine } from "./session.ts";',
    'await mine.signIn.password({ email: "a@b.example", passwort: "x" });',
    "```",
    "```ts",
    "const token: string = await client.getAccessToken();",
    "```",
    "```tsx",
    'import { SignInForm } from "@tenure/react";',
    "export const form = <SignInForm onSignedIn={() => {}} />;",
    "```",
  ].join("\n");
  const found = await compile(blocksIn("guide/page.md", page));
  const places = found.filter((line) => !line.startsWith(" ")).map((line) => line.split(": ")[0]);
  expect(places.sort()).toEqual(["guide/page.md:11", "guide/page.md:15", "guide/page.md:8"]);
});

test("a block that is not closed or of no known language is told", () => {
  for (const fence of ["```ts", "```", "```typescript", "```ts twice"]) {
    expect(() => blocksIn("page.md", `text\n${fence}\nconst a = 1;\n`)).toThrow("page.md:2: ");
  }
});

test("a wrong command is told with its page and line", () => {
  const text = [
    "```sh",
    "cargo xtask run && cargo xtask fly",
    'tenure session end ses_1 --reason "cargo xtask fly"',
    "target/debug/tenure logouts tail --folow # tenure fly",
    "tenure logouts count",
    "npm run fly",
    "createuser --pwprompt tenure fly",
    "```",
    "```console",
    "$ tenure sesion list",
    "tenure says nothing",
    "```",
  ].join("\n");
  const places = blocksIn("page.md", text).flatMap(faultsOf);
  expect(places.map((line) => line.split(": ")[0])).toEqual(
    [2, 4, 5, 6, 10].map((line) => `page.md:${line}`),
  );
});
