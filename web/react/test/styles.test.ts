// @vitest-environment node

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const source = join(import.meta.dirname, "../src");
const css = ["tokens", "parts", "components"]
  .map((name) => readFileSync(join(source, `styles/${name}.css`), "utf8"))
  .join("\n");

type Colours = Record<string, string>;

/** The colours of one scheme, by the names of their tokens. */
function coloursOf(scheme: "light" | "dark"): Colours {
  const pairs = css.matchAll(/--tenure-([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g);
  return Object.fromEntries(
    [...pairs].map(([, name, light, dark]) => [name, scheme === "light" ? light : dark]),
  );
}

/** Relative luminance as WCAG defines it. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(colours: Colours, one: string, other: string): number {
  const [low = 0, high = 0] = [one, other]
    .map((name) => luminance(colours[name] ?? ""))
    .sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const TEXT: [string, string[]][] = [
  ["text", ["page", "surface", "surface-quiet", "notice-surface", "danger-surface"]],
  ["text-quiet", ["page", "surface", "surface-quiet", "notice-surface", "danger-surface"]],
  ["accent", ["page", "surface"]],
  ["on-accent", ["accent", "accent-hover"]],
  ["danger", ["page", "surface", "danger-surface"]],
  ["on-danger", ["danger", "danger-hover"]],
  ["notice", ["notice-surface"]],
];
const EDGES: [string, string[]][] = [
  ["line-strong", ["page", "surface"]],
  ["focus", ["page", "surface", "surface-quiet", "notice-surface", "danger-surface"]],
];

test.each(["light", "dark"] as const)("%s text has a contrast of 4.5, edges and focus of 3", (scheme) => {
  const colours = coloursOf(scheme);
  const weak = (pairs: [string, string[]][], least: number) =>
    pairs.flatMap(([one, others]) =>
      others
        .filter((other) => !(contrast(colours, one, other) >= least))
        .map((other) => `${one} on ${other}`),
    );
  expect(weak(TEXT, 4.5)).toEqual([]);
  expect(weak(EDGES, 3)).toEqual([]);
});

test("every colour has a light and a dark side, and no rule has a colour of its own", () => {
  const tokens = css.slice(css.indexOf(":root {"), css.indexOf("/* === Everything"));
  const rules = css.replace(tokens, "");
  expect(Object.keys(coloursOf("light")).length).toBeGreaterThan(15);
  expect(tokens.replace(/light-dark\([^;]+;/g, "")).not.toMatch(/#\w{3,8}\b|rgb\(/);
  expect(rules).not.toMatch(/#[\da-f]{3,8}\b|rgb\(/i);
});

test("lays out by reading direction: no left, right, top, bottom, width or height", () => {
  const sides = /^\s*(?:(?:margin|padding|border|inset|scroll)-)?(?:left|right|top|bottom)(?:-\w+)?\s*:/gm;
  const sizes = /^\s*(?:min-|max-)?(?:width|height)\s*:/gm;
  expect([...css.matchAll(sides), ...css.matchAll(sizes)].map(([found]) => found.trim())).toEqual([]);
});

test("every part and component that has a rule exists, and nothing carries a style of its own", () => {
  const code = readdirSync(source)
    .filter((name) => name.endsWith(".tsx"))
    .map((name) => readFileSync(join(source, name), "utf8"))
    .join("\n");
  const named = [...css.matchAll(/\[(data-(?:part|tenure|look)="[\w-]+")\]/g)].map(([, name]) => name);
  const unknown = new Set(
    named.filter((name) => {
      const value = name?.split('"')[1];
      return !code.includes(`"${value}"`);
    }),
  );
  expect(new Set(named).size).toBeGreaterThan(30);
  expect([...unknown]).toEqual([]);
  expect(code).not.toMatch(/\bstyle=/);
});
