/**
 * How real systems log honest people out: each report of groups F to L has a test that carries its id, at the lowest
 * level that can show it (`client`: these tests; `browser`: e2e), and most at both. Groups A to G and M, which are the
 * server's, have their list in crates/server/tests/it/field_reports.rs.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");

type Level = "client" | "browser" | "both";
const reports: Readonly<Record<string, Level>> = {
  F01: "client", // a network error during a refresh
  F02: "both", // 500, 429, 503
  F03: "both", // awake before the network is
  F04: "both", // offline past the end of the access token
  F05: "both", // a proxy's 4xx in HTML
  F07: "client", // an unknown 400
  F09: "both", // offline, and the page is looked at again
  F11: "both", // airplane mode
  F12: "both", // offline exactly when the token is due
  F13: "both", // rolling deploys
  F14: "both", // one request in a tunnel
  F15: "both", // a 500 and later a 200
  F18: "both", // 429 for five minutes
  F20: "both", // an API's 401, 402, 403
  H01: "both", // sign-in within a callback
  H02: "both", // a lock that is refused
  H04: "both", // a lock that is never let go
  H06: "both", // sleep in the middle of a refresh
  I02: "both", // awake, and no network for seconds
  I03: "client", // three hours with the lid closed
  I05: "client", // two pages that know nothing of each other
  J01: "both", // a clock two hours wrong
  J03: "both", // a slow clock, and a token that has run out
  J05: "both", // the same, and the call repeated
  K01: "both", // an evicted cookie
  K03: "browser", // the cookie's Max-Age
  K04: "both", // the browser was closed
  K06: "both", // a reload
  K07: "both", // storage was deleted
  K08: "both", // nothing left but the cookie
  K09: "both", // a start while the server is down
  K10: "both", // after the absolute end
  L02: "both", // an end navigates nowhere
  L04: "both", // what was written down is no answer
};

/** The ids that titles of tests below a folder begin with. */
function named(folder: string): Set<string> {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => /\.(test|spec)\.tsx?$/.test(name) && !name.includes("node_modules"));
  const texts = files.map((name) => readFileSync(join(root, folder, name), "utf8"));
  const titles = texts.flatMap((text) => [...text.matchAll(/["'`]((?:[A-M]\d\d,? ?)+):/g)]);
  return new Set(titles.flatMap(([, ids]) => ids?.match(/[A-M]\d\d/g) ?? []));
}

const at = (...levels: Level[]) =>
  Object.keys(reports).filter((id) => levels.some((level) => reports[id] === level));

it("every field report of the client's has a test here that carries its id", () => {
  const here = new Set([...named("web/client/test"), ...named("web/react/test")]);
  expect(at("client", "both").filter((id) => !here.has(id))).toEqual([]);
});

it("every field report that a browser can show has a test there that carries its id", () => {
  const there = named("e2e");
  expect(at("browser", "both").filter((id) => !there.has(id))).toEqual([]);
});

it("no test carries an id of these groups that is not in the list", () => {
  const all = [...named("web/client/test"), ...named("e2e")].filter((id) => /^[FHIJKL]/.test(id));
  expect(all.filter((id) => !(id in reports))).toEqual([]);
});
