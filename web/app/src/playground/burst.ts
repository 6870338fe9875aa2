/** Reloading many times in a row. The count outlives the page in the storage of the tab. */

export interface Burst {
  readonly loads: number;
  readonly tookMs: number;
  /** The session before it. */
  readonly session: string | undefined;
}

interface Count {
  readonly left: number;
  readonly loads: number;
  readonly began: number;
  readonly session?: string | undefined;
}

const KEY = "tenure-playground:burst";
/** About as long as a refresh takes: some loads end before it is sent, some while it is answered, some after. */
const STAY_MS = 60;
const STAY_SPREAD_MS = 160;

/** Loads the page `loads` times. False if the browser denies the storage. */
export function startBurst(loads: number, session: string | undefined): boolean {
  if (!write({ left: loads - 1, loads, began: Date.now(), session })) return false;
  location.reload();
  return true;
}

/** Goes on with a burst, or tells about the one that is over now. To be called when a page is loaded. */
export function continueBurst(): "going on" | Burst | null {
  const count = read();
  if (!count) return null;
  const { left, loads, began, session } = count;
  if (left > 0 && write({ ...count, left: left - 1 })) {
    setTimeout(() => location.reload(), STAY_MS + Math.random() * STAY_SPREAD_MS);
    return "going on";
  }
  write(null);
  return { loads, tookMs: Date.now() - began, session };
}

function read(): Count | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Count | null;
  } catch {
    return null;
  }
}

function write(count: Count | null): boolean {
  try {
    if (count) sessionStorage.setItem(KEY, JSON.stringify(count));
    else sessionStorage.removeItem(KEY);
    return true;
  } catch {
    return false;
  }
}
