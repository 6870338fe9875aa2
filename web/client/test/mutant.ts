/** The client as it would ship, with one line changed. */

import { fileURLToPath } from "node:url";
import { build } from "vite";
import { expect } from "vitest";

export type Built = typeof import("./mutant-entry.js");

export interface Mutant {
  readonly file: string;
  readonly line: string;
  readonly instead: string;
}

/** Fails if the line that the mutant changes is not found just once. */
export async function built(mutant?: Mutant): Promise<Built> {
  let found = 0;
  const result = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [
      {
        name: "mutant",
        enforce: "pre",
        transform(code: string, id: string) {
          if (!mutant || !id.endsWith(`/src/${mutant.file}`)) return undefined;
          found = code.split(mutant.line).length - 1;
          return { code: code.replace(mutant.line, () => mutant.instead), map: null };
        },
      },
    ],
    build: {
      write: false,
      minify: false,
      target: "es2022",
      // One file, which finds no other.
      rolldownOptions: { output: { codeSplitting: false } },
      lib: { entry: fileURLToPath(new URL("mutant-entry.ts", import.meta.url)), formats: ["es"] },
    },
  });
  if (mutant) expect(found, `places in ${mutant.file} with: ${mutant.line}`).toBe(1);
  const [first] = [result].flat();
  const code = first && "output" in first ? first.output[0].code : "";
  return import(/* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
}
