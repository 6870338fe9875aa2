/** Answers that are not the server's, or not its best: captive portals, proxies, overload. */

import type { HttpAnswer } from "./http.js";
import type { Random } from "./random.js";

export type Foreign = Omit<HttpAnswer, "setCookies">;

const HTML = [["content-type", "text/html; charset=utf-8"]] as const;
const JSON_TYPE = [["content-type", "application/json"]] as const;
const PAGE = "<!doctype html><title>Welcome</title><p>Accept the terms of this network to go on.</p>";

/** A network that wants a click first. */
export function captive(random: Random): Foreign | "refused" {
  const kind = random.pick(["page", "redirect", "required", "json"] as const);
  switch (kind) {
    case "page":
      return { status: 200, headers: HTML, body: PAGE };
    // The client asks not to be redirected, and fetch then fails.
    case "redirect":
      return "refused";
    case "required":
      return { status: 511, headers: HTML, body: PAGE };
    case "json":
      return { status: 200, headers: JSON_TYPE, body: '{"login":"required"}' };
  }
}

/** A proxy that speaks for itself, 401 and 403 included. */
export function proxy(random: Random): Foreign {
  const status = random.pick([401, 403, 404, 407, 500, 502, 503, 504]);
  const [headers, body] = random.pick([
    [HTML, `<h1>${status}</h1>`],
    [JSON_TYPE, JSON.stringify({ error: "unauthorized", code: "session_revoked", status })],
    [[["content-type", "application/problem+json"]] as const, JSON.stringify({ title: "No", status })],
    [HTML, ""],
  ] as const);
  return { status, headers, body };
}

/** The server's own words when it is in trouble. */
export function failing(random: Random): Foreign {
  const [status, code] = random.pick([
    [503, "storage_unavailable"],
    [503, "session_unverifiable"],
    [503, "overloaded"],
    [503, "maintenance"],
    [500, "internal_error"],
    [429, "rate_limited"],
  ] as const);
  const waiting = random.chance(0.5) ? { retry_after: random.between(1, 20) } : {};
  const problem = { type: `urn:tenure:${code}`, title: code, status, code, class: "transport", ...waiting };
  return { status, headers: [["content-type", "application/problem+json"]], body: JSON.stringify(problem) };
}
