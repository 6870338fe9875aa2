/** A plan's limits and features as text that people can edit, one to a line. */

type Limits = Record<string, number | null>;

export function limitsText(limits: Limits): string {
  return Object.entries(limits)
    .map(([name, most]) => `${name} = ${most ?? "unlimited"}`)
    .join("\n");
}

/** Null, and which line cannot be read, if one cannot. */
export function limitsIn(text: string): { limits: Limits; wrong: null } | { limits: null; wrong: string } {
  const limits: Limits = {};
  for (const line of linesOf(text)) {
    const [, name, most] = /^([^\s=:]+)\s*[=:]\s*(unlimited|\d{1,15})$/i.exec(line) ?? [];
    if (!name || !most || Object.hasOwn(limits, name)) return { limits: null, wrong: line };
    limits[name] = /^\d/.test(most) ? Number(most) : null;
  }
  return { limits, wrong: null };
}

export const featuresIn = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))];

const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
