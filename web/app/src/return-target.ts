/** Where the pages are, and where to go after signing in. */

/**
 * The path below which the pages and the API are served, without a slash at its end: empty unless a proxy puts us
 * below one. Pages have no folders, so it is the folder of whichever page this is.
 */
export function basePath(page: string): string {
  return new URL(".", page).pathname.replace(/\/$/, "");
}

/**
 * Checks a target once more before a script follows it. The server has put it into the page and allows paths of this
 * origin and addresses of origins it knows; whatever could be read as anything else becomes the account page.
 */
export function returnTarget(fromServer: string, page: string): string {
  const { origin } = new URL(page);
  const base = basePath(page);
  const home = `${base}/account`;
  // Control characters and backslashes are where browsers and servers read an address differently.
  if (!/^[!-[\]-~]+$/.test(fromServer)) return home;
  const isPath = /^\/(?!\/)/.test(fromServer);
  if (!isPath && !/^https?:\/\/[^/?#@]+([/?#]|$)/.test(fromServer)) return home;
  const url = parse(fromServer, origin);
  if (!url) return home;
  if (url.origin !== origin) return isPath ? home : url.href;
  // `/./` and its like vanish when an address is read, and may leave two slashes at the beginning. And a form that
  // sends people on to a form would go round in circles.
  const isForm = [`${base}/sign-in`, `${base}/sign-up`].includes(url.pathname);
  return isForm || url.pathname.startsWith("//") ? home : url.pathname + url.search + url.hash;
}

/** The address of one of our pages that goes on to `target` in the end. */
export function withReturn(page: string, target: string): string {
  return `${page}?return_to=${encodeURIComponent(target)}`;
}

function parse(url: string, base: string): URL | undefined {
  try {
    return new URL(url, base);
  } catch {
    return undefined;
  }
}
