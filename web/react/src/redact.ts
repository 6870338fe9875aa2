/** What a person may paste into a report about their session: facts, but no token and nobody's address. */

const SECRET_NAME = /token|secret|password|cookie|authorization/i;
const SECRET_TEXT = /\btnr1_[\w-]+|\beyJ[\w-]+\.[\w-]+(\.[\w-]+)?/g;
const ADDRESS = /\b([\w.+-])[\w.+-]*@([\w-]+(?:\.[\w-]+)+)/g;
const DEPTH_MAX = 6;

/** A copy that is fit to be shown. What is deeper than six levels is left out. */
export function redacted(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return value.replace(SECRET_TEXT, "[token]").replace(ADDRESS, "$1…@$2");
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return "[…]";
  if (Array.isArray(value)) return value.map((entry) => redacted(entry, depth + 1));
  // The message of an error is not among its own enumerable members.
  const entries = Object.entries(value instanceof Error ? { ...value, message: value.message } : value);
  return Object.fromEntries(
    entries.map(([name, member]) => [
      name,
      typeof member === "string" && SECRET_NAME.test(name) ? "[redacted]" : redacted(member, depth + 1),
    ]),
  );
}
