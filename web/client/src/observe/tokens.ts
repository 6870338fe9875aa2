/** What is read of tokens: when they were made and when they are over, and a mark by which two of them can be told apart. */

/** Unix milliseconds, by the back end's clock. */
export interface TokenTimes {
  readonly kind: "access" | "refresh";
  readonly exp: number;
  readonly iat?: number;
}

/** Bounded, as a long text of nothing but beginnings would take long. */
const JWT = /eyJ[\w-]{1,500}\.([\w-]{1,9000})\.[\w-]{0,1500}/g;
/** The rest of a name, which does not say that a time or a kind follows, and the value, which is no number. JSON may be in JSON. */
const NAME = String.raw`(?![\w-]{0,40}(?:type|expir|time|date|issued|url|interval|at\b))[\w-]{0,40}`;
const VALUE = String.raw`[\\"]{0,9}\s{0,9}([:=])\s{0,9}[\\"]{0,9}(?!\d+(?:\W|$))([^"\\&,}\s]{8,})`;
/** Of values that are no JWT: a member of JSON or of a form whose name says that it is a token. */
const [NAMED_REFRESH, NAMED] = [
  new RegExp(`refresh${NAME}${VALUE}`, "i"),
  new RegExp(`(?:token|jwt)${NAME}${VALUE}`, "i"),
];
/** Longer values hold something else; nobody's page waits for us to read them. */
const CHARS_MAX = 50_000;

/** The times of the JWTs in a text. Which is which they say themselves, as simplejwt's do, or their place does. */
export function timesIn(text: string, place: string): TokenTimes[] {
  const found: TokenTimes[] = [];
  for (const [, payload = ""] of text.slice(0, CHARS_MAX).matchAll(JWT)) {
    const { exp, iat, token_type: type } = read(payload);
    if (typeof exp !== "number") continue;
    const isRefresh = type === "refresh" || (type !== "access" && /refresh/i.test(place));
    const made = typeof iat === "number" && { iat: iat * 1000 };
    found.push({ kind: isRefresh ? "refresh" : "access", exp: exp * 1000, ...made });
  }
  // Of two that do not say what they are the one that lives longer renews the other.
  const [one, other] = found;
  if (found.length === 2 && one && other && one.kind === other.kind)
    return [one, other].map((token, i) => ({
      ...token,
      kind: token.exp > (i ? one : other).exp ? "refresh" : "access",
    }));
  return found;
}

function read(payload: string): {
  readonly exp?: unknown;
  readonly iat?: unknown;
  readonly token_type?: unknown;
} {
  try {
    return Object(JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))));
  } catch {
    return {};
  }
}

/** Whether a stored value holds a sign-in: something, and where that is JSON, a token in it. */
export function holdsSignIn(value: string | null): boolean {
  if (!value || /^(null|undefined|""|false)$/.test(value)) return false;
  return !/^[{[]/.test(value) || tokenIn(value) !== undefined;
}

/** The token in a body or a stored value, the refresh token if there are several. */
export function tokenIn(text: string): string | undefined {
  const start = text.slice(0, CHARS_MAX);
  return refreshTokenIn(start) ?? [...start.matchAll(JWT)].at(-1)?.[0] ?? named(NAMED, start);
}

/** The refresh token in it, and no other. */
export function refreshTokenIn(text: string): string | undefined {
  const start = text.slice(0, CHARS_MAX);
  const saysSo = [...start.matchAll(JWT)].find(([, payload = ""]) => read(payload).token_type === "refresh");
  return saysSo?.[0] ?? named(NAMED_REFRESH, start);
}

function named(pattern: RegExp, text: string): string | undefined {
  const [, sign, value = ""] = pattern.exec(text) ?? [];
  try {
    // Of a form, where signs are written otherwise than in JSON.
    return (sign === "=" ? decodeURIComponent(value) : value) || undefined;
  } catch {
    return value;
  }
}

/**
 * Eight hexadecimal digits of a token and of what this browser keeps to itself: the same in all of its tabs, and nowhere
 * else. 32 bits of a value with hundreds of random ones lead back to none of them.
 */
export function markOf(token: string, salt: string): string {
  let [one, other] = [0xdeadbeef, 0x41c6ce57];
  for (const char of salt + token) {
    const code = char.codePointAt(0) ?? 0;
    one = Math.imul(one ^ code, 2654435761);
    other = Math.imul(other ^ code, 1597334677);
  }
  const mixed = Math.imul(one ^ (other >>> 13), 3266489909) ^ (other ^ (one >>> 16));
  return (mixed >>> 0).toString(16).padStart(8, "0");
}
