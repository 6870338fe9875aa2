/** A back end that vouches for whoever is signed in there. */

import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../src/api.gen.js";
import { fromTicket } from "../src/migrate/index.js";
import type { Migration } from "../src/types.js";
import { isExchange, opened } from "./migrating.js";
import { ADA, Browser, World } from "./world.js";
import type { Earlier } from "./world-server.js";

const MINUTE = 60_000;

describe("a ticket", () => {
  interface BackEnd {
    earlier: Earlier;
    asked: number;
    answer: () => Promise<Response>;
    migrate: () => Migration;
  }

  /** A back end in which ada is signed in. */
  function backEnd(world: World): BackEnd {
    const told: BackEnd = {
      earlier: { email: ADA.email },
      asked: 0,
      async answer() {
        const ticket = `tnx1_${told.asked}`;
        world.server.earlier.set(ticket, told.earlier);
        return Response.json({ ticket, expires_in: 60 });
      },
      migrate: () =>
        fromTicket(() => {
          told.asked += 1;
          return told.answer();
        }),
    };
    return told;
  }

  it("is asked for once in a browser, and traded", async () => {
    const world = new World();
    const browser = new Browser(world);
    const told = backEnd(world);
    const tab = await opened(browser, 500, told.migrate());
    expect(tab.shows).toBe("signedIn ada live");
    expect(tab.events).toEqual(["SIGNED_IN"]);
    void tab.client.signOut();
    await world.time.advance(500);
    // The back end's own session goes on, and is not asked again.
    const next = await opened(browser, 500, told.migrate());
    expect(next.shows).toBe("signedOut never_signed_in");
    expect(told.asked).toBe(1);
  });

  it("whose answer is lost is made up for by another, and both are one session", async () => {
    const world = new World();
    const told = backEnd(world);
    let failures = 2;
    world.network = (sent) => (isExchange(sent) && failures-- > 0 ? "answer-lost" : undefined);
    const tab = await opened(new Browser(world), 10_000, told.migrate());
    expect(tab.shows).toBe("signedIn ada live");
    expect(told.asked).toBe(3);
    expect(world.server.rows.length).toBe(1);
  });

  const body =
    (status: number, text: unknown, headers = {}) =>
    () =>
      Promise.resolve(Response.json(text, { status, headers }));
  const page = (status: number) => () => Promise.resolve(new Response("<html>", { status }));
  const ours = (code: ErrorCode) => () => {
    const { body, ...init } = new World().server.problem(code);
    return Promise.resolve(new Response(body, init));
  };
  const throws = () => {
    throw new TypeError("a mistake of the app's");
  };
  it.each<[string, string, () => Promise<Response>]>([
    ["401 as JSON", "signedOut never_signed_in", body(401, { detail: "no" })],
    ["403 as JSON", "signedOut never_signed_in", body(403, { detail: "no" })],
    ["a bare 401", "unknown reconnecting", page(401)],
    ["a page with 403", "unknown reconnecting", page(403)],
    ["our problem exchange_closed", "signedOut never_signed_in", ours("exchange_closed")],
    ["our problem exchange_unknown_user", "signedOut never_signed_in", ours("exchange_unknown_user")],
    ["our problem exchange_used", "signedOut not_carried_over", ours("exchange_used")],
    ["our problem storage_unavailable", "unknown reconnecting", ours("storage_unavailable")],
    ["503", "unknown reconnecting", body(503, {}, { "retry-after": "2" })],
    ["200 without a ticket", "unknown reconnecting", body(200, {})],
    ["200 with a page", "unknown reconnecting", page(200)],
    ["no network", "unknown reconnecting", () => Promise.reject(new TypeError("Failed to fetch"))],
    ["an error at once", "unknown reconnecting", throws],
    ["no answer, ever", "unknown reconnecting", () => new Promise(() => {})],
  ])("that is answered with %s: %s", async (_, shows, answer) => {
    const world = new World();
    const told = backEnd(world);
    const { answer: usual } = told;
    told.answer = answer;
    const tab = await opened(new Browser(world), 16_000, told.migrate());
    expect(tab.shows).toBe(shows);
    if (shows.startsWith("signedOut")) return;
    told.answer = usual;
    await world.time.advance(2 * MINUTE);
    expect(tab.shows).toBe("signedIn ada live");
    expect(tab.events).not.toContain("SIGNED_OUT");
  });

  it.each([404, 410])("whose address is gone, with %d, keeps nobody from signing in", async (status) => {
    const world = new World();
    const told = backEnd(world);
    const { answer: usual } = told;
    told.answer = page(status);
    const browser = new Browser(world);
    const tab = await opened(browser, 500, told.migrate());
    expect(tab.shows).toBe("signedOut never_signed_in");
    told.answer = usual;
    tab.close();
    expect((await opened(browser, 500, told.migrate())).shows).toBe("signedIn ada live");
  });

  it("that is never to be had is done without after three minutes, and asked for by the next page", async () => {
    const world = new World();
    const told = backEnd(world);
    const { answer: usual } = told;
    told.answer = body(502, {});
    const browser = new Browser(world);
    const tab = await opened(browser, 3 * MINUTE - 500, told.migrate());
    expect(tab.shows).toBe("unknown reconnecting");
    await world.time.advance(MINUTE);
    expect(tab.shows).toBe("signedOut never_signed_in");
    told.answer = usual;
    tab.close();
    expect((await opened(browser, 500, told.migrate())).shows).toBe("signedIn ada live");
  });

  it("that is waited for holds up no sign-in", async () => {
    const world = new World();
    const told = backEnd(world);
    told.answer = () => new Promise(() => {});
    const tab = await opened(new Browser(world), 500, told.migrate());
    void tab.client.signIn.password(ADA);
    await world.time.advance(500);
    expect(tab.shows).toBe("signedIn ada live");
  });
});
