// The commands on our pages: each is looked up in the source of the program that it calls. Flags are known by the file
// of their noun, not by their verb; that is as much as can be had without building anything.

import { existsSync, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (path) => readFileSync(join(ROOT, path), "utf8");

/** What is wrong with the commands in a shell block, as `page:line: what`. */
export function faultsOf(block) {
  if (!["sh", "console"].includes(block.language)) return [];
  return block.code.split("\n").flatMap((line, index) => {
    // In a transcript only what is typed is a command.
    if (block.language === "console" && !line.startsWith("$ ")) return [];
    return parts(line).flatMap((part) =>
      fault(part).map((what) => `${block.page}:${block.line + index}: ${what}`),
    );
  });
}

/** The simple commands of a line, without its comment. */
function parts(line) {
  return line.replace(/(^|\s)#\s.*$/, "").split(/\s(?:&&|\|)\s/);
}

/** One of our programs where a command begins; elsewhere the word is the name of a database or a role. */
const PROGRAM = /^\s*(?:\$ )?(?:\w+=\S*\s+)*(?:\S*\/)?(tenure|cargo xtask|npm run)\s+(\S.*)$/;

function fault(command) {
  const [, program, rest] = PROGRAM.exec(command) ?? [];
  if (!program) return [];
  const words = rest.match(/"[^"]*"|\S+/g) ?? [];
  if (program === "npm run")
    return known("npm script", words[0], Object.keys(JSON.parse(read("package.json")).scripts));
  if (program === "cargo xtask") return known("verb of cargo xtask", words[0], xtaskVerbs());
  return tenureFaults(words);
}

function tenureFaults(words) {
  const [noun, verb] = words;
  const main = read("crates/server/src/command.rs");
  const file = `crates/server/src/command/${noun}.rs`;
  const wrong = known("command of tenure", noun, variants(main, "Verb"));
  if (wrong.length || !existsSync(join(ROOT, file))) return wrong;
  const verbFiles = globSync(`crates/server/src/command/${noun}/*.rs`, { cwd: ROOT });
  const own = [file, ...verbFiles].map(read).join("\n");
  const verbs = variants(own, `${noun[0].toUpperCase()}${noun.slice(1)}Verb`);
  const flags = words.filter((word) => word.startsWith("--")).map((word) => word.split("=")[0]);
  return [
    ...(verbs.length ? known(`verb of tenure ${noun}`, verb, verbs) : []),
    ...flags.flatMap((flag) =>
      known(`flag of tenure ${noun}`, flag, [...longFlags(own), ...longFlags(main)]),
    ),
  ];
}

const known = (what, word, all) => (all.includes(word) ? [] : [`\`${word}\` is no ${what}`]);

function xtaskVerbs() {
  return [...read("crates/xtask/src/main.rs").matchAll(/^ {8}"(\w+)" =>/gm)].map((match) => match[1]);
}

/** The variants of an enum of clap's, as they are typed; those of an enum that is flattened into it among them. */
function variants(source, name) {
  const [, body] = new RegExp(`enum ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
  const found = (body ?? "").matchAll(/(#\[command\(flatten\)\]\s+)?^ {4}([A-Z]\w*)(?:\((\w+)\))?/gm);
  return [...found].flatMap(([, flattened, variant, type]) =>
    flattened ? variants(source, type) : [typed(variant)],
  );
}

function longFlags(source) {
  const fields = source.matchAll(/#\[arg\(([^\n]*)\)\]\s+(?:pub )?(\w+):/g);
  return [...fields].filter((match) => /\blong\b/.test(match[1])).map((match) => `--${typed(match[2])}`);
}

/** `EndAll` and `end_all` are `end-all`. */
const typed = (name) =>
  name
    .replaceAll("_", "-")
    .replace(/(?<=[a-z])[A-Z]/g, "-$&")
    .toLowerCase();
