/** The guards of what somebody may do, broken one at a time: a small life has to notice each. */

import { beforeAll, describe, expect, it } from "vitest";
import { type Built, built, type Mutant } from "./mutant.js";
import { BOB, Browser, HOME, type Sent, World } from "./world.js";

const STORE = "entitlements/index.ts";

const mutants: Readonly<Record<string, Mutant>> = {
  "an answer about another is believed": {
    file: STORE,
    line: "if (owner !== this.#owner || !this.#isOwners()) return;",
    instead: "",
  },
  "what was said of another is shown": {
    file: STORE,
    line: "this.#isOwners() ? (this.#known.get(requirement) ?? this.#unsaid) : UNKNOWN",
    instead: "this.#known.get(requirement) ?? this.#unsaid",
  },
  "an answer on its way settles a doubt": {
    file: STORE,
    line: "else if (doubts === this.#doubts) this.#fresh.add(name)",
    instead: "else this.#fresh.add(name)",
  },
  "every reason to doubt asks": {
    file: STORE,
    line: "waitMs > 0 && (this.#unsaid !== UNKNOWN || !open.some(isNew))",
    instead: "false",
  },
  "what cannot be told is refused": {
    file: STORE,
    line: "isAuthorization(problem)",
    instead: "problem",
  },
  "what is not said is allowed": {
    file: "wire.ts",
    line: "allowed === true",
    instead: "!problem",
  },
  "a refusal signs out": {
    file: "bearer.ts",
    line: "if (isAuthorization(problem)) for",
    instead: `if (isAuthorization(problem)) this.engine.dispatch({ is: "sign-out" }); for`,
  },
  "a refusal asks for another token": {
    file: "bearer.ts",
    line: "if (isAuthorization(problem)) for",
    instead: "if (isAuthorization(problem)) void this.renew(); for",
  },
};

const isAsked = ({ url }: Sent) => url.includes("/auth/entitlements");

/** What is wrong in a life with a storm, a late answer, silence, a half answer and a second person. */
async function wrongIn({ createClient, entitlementsOf }: Built): Promise<string | undefined> {
  const world = new World();
  world.createClient = createClient;
  const browser = new Browser(world);
  const tab = await browser.signedIn();
  world.sent.length = 0;
  const { server, time } = world;
  const store = entitlementsOf(tab.client, tab.edges());
  const shows = () => tab.shows;
  const status = (name: string) => store.of(name).status;
  const asked = () => world.sent.filter(isAsked).length;
  // A world of broken code may stand still or run without end, and neither may the test.
  let isHalf = false;
  let delayMs = 20;
  world.network = (sent) => {
    if (!isAsked(sent))
      return sent.url.includes("/things") ? { answer: server.problem("plan_missing") } : undefined;
    if (asked() > 100) return "hangs";
    const half = { account: null, answers: [{ require: "plan", problem: null }] };
    return isHalf ? { answer: Response.json(half) } : { down: delayMs };
  };
  const stopPlan = store.watch("plan", () => {});
  await time.advance(20_000);
  if (status("plan") !== "allowed") return `it is ${status("plan")}`;

  const before = asked();
  for (let i = 0; i < 50; i++) {
    void tab.client.fetch(`${HOME}/api/things`);
    await time.advance(50);
  }
  if (asked() > before + 1) return `a storm asked ${asked() - before} times`;
  if (shows() !== "signedIn ada live") return `after a storm: ${shows()}`;
  if (world.refreshes().length) return "a storm refreshed";

  // The answer was given before the plan was gone, and is heard after the refusal.
  await time.advance(20_000);
  delayMs = 2000;
  void store.reload();
  await time.advance(100);
  server.refusals.set("plan", "plan_missing");
  void tab.client.fetch(`${HOME}/api/things`);
  await time.advance(60_000);
  if (status("plan") !== "refused") return `a late answer holds: ${status("plan")}`;

  server.refusals.set("x", "storage_unavailable");
  delayMs = 20;
  const stop = store.watch("x", () => {});
  await time.advance(100);
  if (status("x") !== "unavailable") return `silence is ${status("x")}`;
  stop();
  server.refusals.clear();
  isHalf = true;
  void store.reload();
  await time.advance(100);
  if (status("plan") === "allowed") return "half an answer allows";

  // Ada's last answer arrives when Bob is there.
  isHalf = false;
  delayMs = 5000;
  await time.advance(60_000);
  void store.reload();
  await time.advance(50);
  void browser.open().client.signIn.password(BOB);
  await time.advance(200);
  if (shows() !== "signedIn bob live") return `instead of Bob: ${shows()}`;
  if (status("plan") !== "unknown") return "Bob sees what Ada may";
  delayMs = 10_000;
  await time.advance(5000);
  if (status("plan") !== "unknown") return "Bob is told what was asked for Ada";

  delayMs = 20;
  // Nobody watches any more, and so nobody listens.
  await time.advance(60_000);
  if (status("plan") !== "allowed") return `Bob may not: ${status("plan")}`;
  stopPlan();
  void tab.client.signOut();
  return status("plan") === "unknown" ? undefined : "what Bob may do outlives his session";
}

describe("a life notices when", { timeout: 60_000 }, () => {
  let original: Built;
  beforeAll(async () => {
    original = await built();
  });

  it("nothing is wrong", async () => {
    expect(await wrongIn(original)).toBeUndefined();
  });

  it.each(Object.entries(mutants))("%s", async (_, mutant) => {
    expect(await wrongIn(await built(mutant))).toBeDefined();
  });
});
