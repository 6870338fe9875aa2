/** The browser profile as reports name it: drawn here, known to nobody else, the same in all tabs. */

/** What all tabs have to know of the sign-in. */
export interface Known {
  /** When this browser was signed out last, as it was told. */
  readonly out?: number;
  /** Whether somebody is signed in, of sign-ins that no key holds. */
  readonly isIn?: boolean;
}

export interface Profile {
  readonly id: string;
  /** Never leaves the browser. */
  readonly salt: string;
  /** From 0 up to 1: whether a sample has it in it. */
  readonly share: number;
  known(): Known;
  note(more: Known): void;
  /** Before the storage is cleared; what it returns is to be called afterwards. An application that does it does not mean us. */
  clearing(): () => void;
}

const KEY = "tenure:observed";

/** The storage as it was before anybody was told what is written to it. */
export interface PlainStorage {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

export function profileIn(storage: PlainStorage): Profile {
  const read = () => readJson(storage.get(KEY)) as { readonly [member: string]: unknown } & Known;
  const { id, salt, share } = read();
  const isKnown = typeof id === "string" && /^obs_[0-9a-f]{32}$/.test(id) && typeof salt === "string";
  const own = isKnown
    ? { id, salt, share: typeof share === "number" ? share : 0 }
    : { id: `obs_${drawn(16)}`, salt: drawn(16), share: Math.random() };
  const write = (known: object) => storage.set(KEY, JSON.stringify({ ...known, ...own }));
  if (!isKnown) write({});
  return {
    ...own,
    known: read,
    note(more) {
      const known = read();
      // Other tabs hear of what is written.
      if (Object.entries(more).some(([name, value]) => known[name] !== value)) write({ ...known, ...more });
    },
    clearing() {
      const known = read();
      return () => write(known);
    },
  };
}

/** Random bytes, in hexadecimal digits. */
export function drawn(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function readJson(text: string | null): object {
  try {
    return Object(JSON.parse(text ?? "null"));
  } catch {
    return {};
  }
}
