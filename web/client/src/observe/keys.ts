/** The storage keys that hold an application's sign-in: written, removed, cleared, in this tab and by others. */

import type { PlainStorage } from "./profile.js";
import { quietly } from "./requests.js";
import { holdsSignIn } from "./tokens.js";

export type Removal = "removed" | "cleared";

export interface KeyHearing {
  /** A key was written. */
  written(key: string, value: string, how: { readonly wasHeld: boolean; readonly isOtherTab: boolean }): void;
  /** None of the keys holds a sign-in any more, and one did. */
  gone(how: Removal, isOtherTab: boolean): void;
  /** The page is about to clear the whole storage; what it returns is called afterwards. */
  clearing(): () => void;
}

export interface Keys {
  /** The values of the keys that hold something, by their names. */
  values(): [key: string, value: string][];
  /** Whether a sign-in is stored. */
  holds(): boolean;
  /** Looks whether that has changed in a way that nobody is told of, such as `delete localStorage.token`. */
  look(): void;
  /** Takes what is stored for what has been stored all the time. */
  resync(): void;
}

export function hearKeys(keys: readonly string[], hearing: KeyHearing, signal: AbortSignal): Keys {
  const { prototype } = Storage;
  const { setItem, removeItem, clear, getItem } = prototype;
  const stores = [quietly(() => window.localStorage), quietly(() => window.sessionStorage)];
  const stored = (key: string) => {
    for (const store of stores) {
      const value = quietly(() => store && getItem.call(store, key));
      if (value) return value;
    }
    return null;
  };
  const holds = () => keys.some((key) => holdsSignIn(stored(key)));
  let held = holds();

  function look(how: Removal, isOtherTab: boolean): void {
    const was = held;
    held = holds();
    if (was && !held) hearing.gone(how, isOtherTab);
  }

  const heard = (work: () => void) => void (signal.aborted || quietly(work));
  prototype.setItem = function (this: Storage, ...given) {
    Reflect.apply(setItem, this, given);
    heard(() => {
      const [key, value] = given.map(String);
      if (key === undefined || value === undefined || !keys.includes(key)) return;
      hearing.written(key, value, { wasHeld: held, isOtherTab: false });
      look("removed", false);
    });
  };
  prototype.removeItem = function (this: Storage, ...given) {
    Reflect.apply(removeItem, this, given);
    heard(() => keys.includes(String(given[0])) && look("removed", false));
  };
  prototype.clear = function (this: Storage, ...given) {
    const keep = this === stores[0] && !signal.aborted ? quietly(hearing.clearing) : undefined;
    Reflect.apply(clear, this, given);
    if (keep) quietly(keep);
    heard(() => look("cleared", false));
  };
  const ours = pick(prototype);
  window.addEventListener(
    "storage",
    ({ key, newValue, storageArea }) =>
      heard(() => {
        if (!storageArea || (key !== null && !keys.includes(key))) return;
        if (key !== null && newValue) hearing.written(key, newValue, { wasHeld: held, isOtherTab: true });
        look(key === null ? "cleared" : "removed", true);
      }),
    { capture: true, signal },
  );
  signal.addEventListener("abort", () => {
    if (prototype.setItem === ours.setItem) prototype.setItem = setItem;
    if (prototype.removeItem === ours.removeItem) prototype.removeItem = removeItem;
    if (prototype.clear === ours.clear) prototype.clear = clear;
  });
  return {
    values: () =>
      keys.flatMap((key): [string, string][] => {
        const value = stored(key);
        return value ? [[key, value]] : [];
      }),
    holds,
    look: () => look("removed", false),
    resync() {
      held = holds();
    },
  };
}

const pick = ({ setItem, removeItem, clear }: Storage) => ({ setItem, removeItem, clear });

/** A storage by its own methods, which we may have wrapped meanwhile; it is as good as empty where it is denied. */
export function plainStorage(name: "localStorage" | "sessionStorage"): PlainStorage {
  const { setItem, removeItem, getItem } = Storage.prototype;
  const store = quietly(() => window[name]);
  return {
    get: (key) => (store && quietly(() => getItem.call(store, key))) ?? null,
    set: (key, value) => void (store && quietly(() => setItem.call(store, key, value))),
    remove: (key) => void (store && quietly(() => removeItem.call(store, key))),
  };
}
