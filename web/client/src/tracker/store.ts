/** Values that outlive the page where the browser allows it, and otherwise live as long as the page does. */

import type { KeyValueStore } from "../edges.js";

export interface Values {
  /** What is stored, if it is JSON. It may have been written by anyone: judge its shape. */
  read(key: string): unknown;
  write(key: string, value: unknown): void;
}

export function valuesIn(store: KeyValueStore | undefined): Values {
  const memory = new Map<string, string>();
  return {
    read(key) {
      try {
        return JSON.parse(memory.get(key) ?? store?.getItem(key) ?? "null");
      } catch {
        return null;
      }
    },
    write(key, value) {
      const text = JSON.stringify(value);
      memory.set(key, text);
      try {
        if (!store) return;
        if (value === null) store.removeItem(key);
        else store.setItem(key, text);
        memory.delete(key);
      } catch {
        // Denied or full: memory has it.
      }
    },
  };
}
