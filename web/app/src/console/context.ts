/** What every page of the console has at hand. */

import type { ConsoleAnswer } from "@tenure/client/api.gen.js";
import { createContext, useContext } from "react";
import type { Api } from "./api.js";
import type { PageName } from "./router.js";

/** Rights of the admin API, by their permissions. */
export type Right = "admin.read" | "admin.accounts" | "admin.plans" | "admin.users" | "admin.keys";

export interface Console {
  readonly api: Api;
  readonly me: ConsoleAnswer;
  can(right: Right): boolean;
  href(page: PageName, id?: string, query?: Readonly<Record<string, string>>): string;
  go(address: string): void;
  /** Says what was done, where everybody finds it; it stays until something else is done. */
  say(sentence: string): void;
}

export const ConsoleContext = createContext<Console | null>(null);

export function useConsole(): Console {
  const context = useContext(ConsoleContext);
  if (!context) throw new Error("This belongs into the console.");
  return context;
}
