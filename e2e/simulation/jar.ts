/** A browser's cookies: what it holds, and what its disk holds, which is a little behind. */

/** No disk is further behind. */
const LAG_MAX_MS = 3_600_000;

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  /** By this device's wall clock; undefined if it goes with the browser. */
  readonly expiresAt: number | undefined;
}

type Content = ReadonlyMap<string, Cookie>;

export class Jar {
  #content: Content = new Map();
  /** What the jar held before, and until when in true time. */
  #past: { readonly content: Content; readonly until: number }[] = [];

  /** What a request to this path carries. */
  header(path: string, wallNow: number): string {
    const sent = [...this.#content.values()].filter(
      (cookie) =>
        path.startsWith(cookie.path) && (cookie.expiresAt === undefined || cookie.expiresAt > wallNow),
    );
    return sent.map((cookie) => `${cookie.name}=${cookie.value}`).join("; ");
  }

  /** Whether a cookie's own time is over that nobody has deleted. */
  hasOutlived(wallNow: number): boolean {
    return [...this.#content.values()].some(
      ({ expiresAt }) => expiresAt !== undefined && expiresAt <= wallNow,
    );
  }

  /** Does what an answer's `Set-Cookie` lines say. */
  apply(lines: readonly string[], wallNow: number, now: number): void {
    if (lines.length === 0) return;
    this.#past = this.#past.filter((then) => now - then.until < LAG_MAX_MS);
    this.#past.push({ content: this.#content, until: now });
    const content = new Map(this.#content);
    for (const line of lines) {
      const cookie = parse(line, wallNow);
      const key = `${cookie.name};${cookie.path}`;
      if (cookie.expiresAt !== undefined && cookie.expiresAt <= wallNow) content.delete(key);
      else content.set(key, cookie);
    }
    this.#content = content;
  }

  /** The browser crashed, and comes back with what its disk held at that time. */
  rollBack(to: number): boolean {
    const then = this.#past.find((then) => then.until > to);
    this.#past = [];
    if (then) this.#content = then.content;
    return then !== undefined;
  }

  /** The last window is closed: what has no time of its own goes. */
  endSession(): void {
    this.#content = new Map([...this.#content].filter(([, { expiresAt }]) => expiresAt !== undefined));
  }

  /** The names, for people. */
  toString(): string {
    return [...this.#content.values()].map((cookie) => cookie.name).join(" ") || "empty";
  }
}

function parse(line: string, wallNow: number): Cookie {
  const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
  const [name = "", value = ""] = pair.split(/=(.*)/);
  const attribute = (wanted: string) =>
    attributes.find((text) => text.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
  const maxAge = attribute("max-age");
  const expiresAt = maxAge === undefined ? undefined : wallNow + Number(maxAge) * 1000;
  return { name, value, path: attribute("path") ?? "/", expiresAt };
}
