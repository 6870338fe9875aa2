/** A browser that another system has signed somebody in to. */

import { fromSimpleJwt, type SimpleJwtOptions } from "../src/migrate/index.js";
import type { Migration } from "../src/types.js";
import { ADA, type Browser, type Sent, type Tab } from "./world.js";
import type { Earlier } from "./world-server.js";

export const TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiNyJ9.c2lnbmF0dXJl";
export const REFRESH_KEY = "refresh_token";
export const OTHERS = ["access_token", "user"];

/** Puts the keys there that ada has of the system before. */
export function planted(browser: Browser): Earlier {
  const earlier = { email: ADA.email };
  browser.world.server.earlier.set(TOKEN, earlier);
  browser.stored.set(REFRESH_KEY, TOKEN);
  for (const key of OTHERS) browser.stored.set(key, "planted");
  return earlier;
}

export const migratingBy = (from: typeof fromSimpleJwt, more?: Partial<SimpleJwtOptions>): Migration =>
  from({ refreshKey: REFRESH_KEY, remove: OTHERS, ...more });
export const migrating = (more?: Partial<SimpleJwtOptions>): Migration => migratingBy(fromSimpleJwt, more);

export const isExchange = ({ url }: Sent): boolean => url.endsWith("/auth/exchange");

/** Opens a tab that migrates, and gives it time. */
export async function opened(browser: Browser, ms = 500, migrate = migrating()): Promise<Tab> {
  const tab = browser.open({ migrate });
  await browser.world.time.advance(ms);
  return tab;
}
