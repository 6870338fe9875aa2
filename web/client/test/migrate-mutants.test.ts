/** Each guard of the migration is taken away once, and one of a few lives has to go wrong. */

import { describe, expect, it } from "vitest";
import type { SimpleJwtOptions } from "../src/migrate/index.js";
import { isExchange, migratingBy, OTHERS, planted, REFRESH_KEY, TOKEN } from "./migrating.js";
import { type Built, built, type Mutant } from "./mutant.js";
import { ADA, Browser, type Fate, type Tab, World } from "./world.js";

const trade = (line: string, instead: string): Mutant => ({ file: "migrate/trade.ts", line, instead });

const mutants: Readonly<Record<string, Mutant>> = {
  "a refusal counts at once": trade("isDoubted = !isDoubted;", "isDoubted = false;"),
  "a closed window is a refusal": trade(`exchange_closed: "kept"`, `exchange_closed: "over"`),
  "a token that was traded is tried for ever": trade(`exchange_used: "over"`, `nothing_used: "over"`),
  "the exchange's 401 is believed": trade(
    `problemClass === "authentication" ? failure(foreign(status)) : answer`,
    "answer",
  ),
  "anything that fails removes the keys": trade(
    "if (!settled) return",
    "if (!settled && status === 0) return",
  ),
  "each page makes up an attempt": trade(`memory.read("exchange") ?? attemptId()`, "attemptId()"),
  "every refusal of a refresh leads to a trade": trade(
    `error.code !== "no_session" || error.status !== 401`,
    "false",
  ),
  "what is revoked is traded": trade(`!isRevoked && client.getState().status === "unknown" && `, ""),
  "the keys stay when somebody signs out": trade("if (!(isIn && left.isKept))", "if (isIn && !left.isKept)"),
  "the keys stay when somebody signs in": trade("if (!(isIn && left.isKept))", "if (!isIn)"),
  "keys that shall stay go when somebody signs in": trade("if (!(isIn && left.isKept))", ""),
  "an end that nobody meant removes the keys": trade(
    `["never_signed_in", "cookie_missing", "not_carried_over"]`,
    `["cookie_missing"]`,
  ),
  "a token that is not taken is thrown away": trade(`exchange_invalid: "kept"`, `exchange_invalid: "over"`),
  "keys written after a sign-out count": trade(`memory.write("exchange", OVER);`, ""),
  "keys written after somebody else has signed in count": trade(
    `memory.write("exchange", OVER);`,
    `memory.write("exchange", isIn ? undefined : OVER);`,
  ),
};

const hasKeys = ({ stored }: Browser) => [REFRESH_KEY, ...OTHERS].every((key) => stored.has(key));

interface Scene {
  world: World;
  browser: Browser;
  open(ms: number, more?: Partial<SimpleJwtOptions>): Promise<Tab>;
}

function scene(
  { createClient, fromSimpleJwt }: Built,
  exchange: (world: World) => Fate = () => undefined,
): Scene {
  const world = new World();
  world.createClient = createClient;
  world.network = (sent) => (isExchange(sent) ? exchange(world) : undefined);
  const browser = new Browser(world);
  planted(browser);
  const open = async (ms: number, more?: Partial<SimpleJwtOptions>) => {
    const tab = browser.open({ migrate: migratingBy(fromSimpleJwt, more) });
    await world.time.advance(ms);
    return tab;
  };
  return { world, browser, open };
}

/** The lives that a migration has to get right: each says whether it did. */
const lives: readonly ((client: Built) => Promise<boolean>)[] = [
  async (client) => {
    const { browser, open } = scene(client);
    const tab = await open(500);
    return (
      tab.shows === "signedIn ada live" && !browser.stored.has(REFRESH_KEY) && !browser.stored.has("user")
    );
  },
  async (client) => {
    const { browser, open } = scene(client);
    return (await open(500, { keepUntilSignOut: true })).shows === "signedIn ada live" && hasKeys(browser);
  },
  async (client) => {
    const answer = (world: World) => ({ answer: world.server.problem("exchange_invalid") });
    const { browser, open } = scene(client, answer);
    return (await open(9000)).shows === "signedOut never_signed_in" && hasKeys(browser);
  },
  async (client) => {
    const { world, browser, open } = scene(client);
    const tab = await open(500);
    world.server.earlier.set("a.b.c", { email: ADA.email });
    void tab.client.signOut();
    await world.time.advance(500);
    browser.stored.set(REFRESH_KEY, "a.b.c");
    tab.close();
    return (await open(500)).state.status === "signedOut";
  },
  async (client) => {
    const { world, browser, open } = scene(client);
    const tab = await open(500, { keepUntilSignOut: true });
    world.server.earlier.set("a.b.c", { email: ADA.email });
    browser.stored.set(REFRESH_KEY, "a.b.c");
    browser.jar.clear();
    tab.close();
    return (await open(9000)).state.status === "signedOut";
  },
  ...(["exchange_closed", "session_revoked", "internal_error", "validation_failed"] as const).map(
    (code) => async (client: Built) => {
      const answer = (world: World) => ({ answer: world.server.problem(code, { session: "ses_00000001" }) });
      const { browser, open } = scene(client, answer);
      const tab = await open(9000);
      return hasKeys(browser) && (tab.state.status === "unknown") === (code !== "exchange_closed");
    },
  ),
  async (client) => {
    let refusals = 1;
    const answer = (world: World) =>
      refusals-- > 0 ? { answer: world.server.problem("exchange_used") } : undefined;
    const tab = await scene(client, answer).open(9000);
    return tab.shows === "signedIn ada live" && !tab.events.includes("SIGNED_OUT");
  },
  async (client) => {
    const { browser, open } = scene(client, (world) => ({ answer: world.server.problem("exchange_used") }));
    return (await open(9000)).shows === "signedOut not_carried_over" && !browser.stored.has(REFRESH_KEY);
  },
  async (client) => {
    let answers = 0;
    const { world, open } = scene(client, () => (answers++ ? undefined : "answer-hangs"));
    (await open(500)).close();
    return (await open(500)).shows === "signedIn ada live" && world.server.rows.length === 1;
  },
  async (client) => {
    const { world, open } = scene(client);
    world.online = false;
    const tab = await open(500);
    void tab.client.signOut();
    await world.time.advance(500);
    tab.close();
    world.online = true;
    // This page delivers the sign-out, and the next one knows of none.
    (await open(5000)).close();
    return (await open(5000)).state.status === "signedOut" && world.server.live().length === 0;
  },
  async (client) => {
    const { world, browser, open } = scene(client);
    const tab = await open(500, { keepUntilSignOut: true });
    void tab.client.signOut();
    await world.time.advance(500);
    return !hasKeys(browser);
  },
  async (client) => {
    const { world, browser, open } = scene(client);
    // By a release that knew of no migration yet.
    (await browser.signedIn(ADA)).close();
    world.server.end(world.server.rows[0], "admin_revoked");
    return (await open(9000)).shows === "signedOut admin_revoked";
  },
  async (client) => {
    const { world, browser, open } = scene(client);
    browser.stored.set(REFRESH_KEY, TOKEN);
    const refuse = world.server.problem("storage_unavailable");
    world.network = (sent) => (sent.url.endsWith("/auth/refresh") ? { answer: refuse } : undefined);
    const tab = await open(9000);
    return tab.state.status === "unknown" && !world.sent.some(isExchange);
  },
];

async function failed(client: Built): Promise<number> {
  let count = 0;
  for (const live of lives) if (!(await live(client))) count += 1;
  return count;
}

describe("the lives notice when", () => {
  it("nothing is wrong: the client as it ships gets all of them right", async () => {
    expect(await failed(await built())).toBe(0);
  });

  it.each(Object.entries(mutants))("%s", async (_, mutant) => {
    expect(await failed(await built(mutant))).toBeGreaterThan(0);
  });
});
