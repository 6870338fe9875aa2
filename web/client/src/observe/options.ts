/** The options as they are worked by: those that make no sense are told of before anything is touched. */

import type { ObserveOptions } from "./index.js";

export interface Settings extends ObserveOptions {
  /** Where reports go. */
  readonly url: string;
}

export function settingsOf(options: ObserveOptions): Settings {
  const { refreshUrl, signInPage, signOutUrl } = options;
  return {
    ...options,
    url: urlOf(options.reportTo),
    refreshUrl: pattern("refreshUrl", refreshUrl),
    signInPage: pattern("signInPage", signInPage),
    ...(signOutUrl !== undefined && { signOutUrl: pattern("signOutUrl", signOutUrl) }),
  };
}

/** The server may be below a path of its own. */
function urlOf(reportTo: string): string {
  const base = reportTo.replace(/\/*$/, "/");
  // Without its scheme an address is a path, or a scheme itself.
  if (!/^https?:\/\//i.test(base)) throw new TypeError(`reportTo: ${reportTo} does not begin with https://`);
  return new URL("api/v1/observations", base).href;
}

function pattern<T extends string | RegExp>(name: string, what: T): T {
  // One with `g` or `y` goes on where it has found something.
  if (what instanceof RegExp) return new RegExp(what.source, what.flags.replace(/[gy]/g, "")) as T;
  if (typeof what !== "string" || !what) throw new TypeError(`${name}: neither a text nor a pattern`);
  return what;
}
