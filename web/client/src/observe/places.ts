/** Where the page is, whether people sign in there, and what of an address may be told. */

import { quietly } from "./requests.js";

/** A path such as `/login`, with what is below it, or a pattern for the path (with the fragment of routers that use it). */
export type Place = string | RegExp;

export function isAt(place: Place, { pathname, hash }: { pathname: string; hash: string }): boolean {
  if (place instanceof RegExp) return place.test(pathname + hash);
  const bare = place.replace(/\/+$/, "");
  // Everything is below the root, and where the router uses fragments every page is at it.
  if (!bare) return (hash.startsWith("#/") ? hash.slice(1) : pathname) === "/";
  return [pathname, hash.slice(1)].some((path) => path === bare || path.startsWith(`${bare}/`));
}

/**
 * A segment that names something of the application. Written in small letters, or as a name: a number in base64, as in
 * links that reset a password, has capitals in other places.
 */
const WORD = /^(?:[a-z][a-z_.-]{0,30}|[A-Z][a-z]{4}[a-z_.-]{0,26}|v\d{1,9})$/;
/** The server takes 200. */
const PATH_MAX = 200;

/** A path without what may be somebody's: numbers, names, keys of links. */
export function toldPath(pathname: string): string {
  const segments = pathname.split("/").map((segment) => (!segment || WORD.test(segment) ? segment : "*"));
  return segments.join("/").slice(0, PATH_MAX);
}

/** Hears of navigations that keep the page. */
export function hearNavigation(moved: () => void, signal: AbortSignal): void {
  const heard = () => void (signal.aborted || quietly(moved));
  for (const name of ["pushState", "replaceState"] as const) {
    // In the prototype, so as not to hide what is put there later; but whoever has hidden that calls what was there before.
    const owner = Object.hasOwn(history, name) ? history : History.prototype;
    const original = owner[name];
    const ours: typeof original = function (this: History, ...given) {
      Reflect.apply(original, this, given);
      heard();
    };
    owner[name] = ours;
    signal.addEventListener("abort", () => {
      if (owner[name] === ours) owner[name] = original;
    });
  }
  window.addEventListener("popstate", heard, { signal });
  window.addEventListener("hashchange", heard, { signal });
}
