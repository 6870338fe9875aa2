/** What the person may do: asked once for everybody, kept up to date, never for another, and never about the session. */

import { describe, expect, it } from "vitest";
import { createClient } from "../src/client.js";
import { entitlementsOf, requirementOf } from "../src/entitlements/index.js";
import { readProblem } from "../src/index.js";
import { BOB, type Fate, HOME, isRefresh, type Sent, signedIn, type Tab, type World } from "./world.js";

const MINUTE = 60_000;
const isAsked = ({ url }: Sent) => url.includes("/auth/entitlements");
const asked = (world: World) => world.sent.filter(isAsked);
const named = ({ url }: Sent) => new URL(url).searchParams.get("require")?.split(";");

function storeOf(tab: Tab) {
  return entitlementsOf(tab.client, tab.edges());
}

/** Watches a requirement and writes down what it is said to be. */
function watch(tab: Tab, requirement: string) {
  const store = storeOf(tab);
  const seen: string[] = [];
  const stop = store.watch(requirement, () => {
    const { status, ...more } = store.of(requirement);
    const error = "error" in more && more.error ? `, ${more.error.code}` : "";
    const said = `${"refusal" in more ? more.refusal.code : status}${error}`;
    if (seen.at(-1) !== said) seen.push(said);
  });
  return { seen, stop };
}

async function storm(world: World, tab: Tab, code: "account_suspended" | "plan_missing", count = 500) {
  world.network = ({ url }) =>
    url.includes("/api/things") ? { answer: world.server.problem(code) } : undefined;
  const calls = Array.from({ length: count }, () => tab.client.fetch(`${HOME}/api/things`));
  await world.time.advance(1000);
  return (await Promise.all(calls)).map(({ status }) => status);
}

describe("what is asked", () => {
  it("is one question for everything that appears together, and none for what is known", async () => {
    const { world, tab } = await signedIn();
    world.server.refusals.set("plan:pro", "plan_missing");
    const watched = ["plan:pro", "permission:a", "plan:pro", ""].map((name) => watch(tab, name));
    await world.time.advance(100);
    expect(asked(world).map(named)).toEqual([["plan:pro", "permission:a"]]);
    expect(watched[0]?.seen).toEqual(["plan_missing"]);
    expect(storeOf(tab).of("permission:a")).toEqual({ status: "allowed" });
    expect(storeOf(tab).account()).toMatchObject({
      status: "known",
      // Names of an operator's own are no names of ours.
      account: { name: "Ada's", plan: { isActive: true, limits: { max_seats: 5 }, features: ["sso"] } },
    });
    watch(tab, "permission:a");
    watch(tab, "permission:b");
    await world.time.advance(100);
    expect(asked(world).slice(1).map(named)).toEqual([["permission:b"]]);
  });

  it("a slip in one requirement spoils no other", async () => {
    const { world, tab } = await signedIn();
    world.server.refusals.set("plan", "plan_missing");
    const watched = ["planet;feature:x", "plan"].map((name) => watch(tab, name));
    await world.time.advance(100);
    expect(watched.map(({ seen }) => seen)).toEqual([["allowed"], ["plan_missing"]]);
    expect(asked(world).map(named)).toEqual([["planet,feature:x", "plan"]]);
  });

  it("is in parts where it is much, and every part has its answer", async () => {
    const { world, tab } = await signedIn();
    const names = Array.from({ length: 100 }, (_, i) => `permission:p${i}`);
    for (const name of names) watch(tab, name);
    await world.time.advance(1000);
    expect(asked(world).map((sent) => named(sent)?.length)).toEqual([64, 36]);
    expect(new Set(names.map((name) => storeOf(tab).of(name).status))).toEqual(new Set(["allowed"]));
  });

  it("is nothing before anybody watches, while nobody is signed in, and when nobody watches any more", async () => {
    const { world, tab } = await signedIn();
    storeOf(tab);
    await world.time.advance(20 * MINUTE);
    expect(asked(world)).toEqual([]);
    const { stop } = watch(tab, "plan");
    await world.time.advance(100);
    stop();
    await world.time.advance(60 * MINUTE);
    expect(asked(world).length).toBe(1);
    expect(storeOf(tab).of("plan")).toEqual({ status: "allowed" });
    void tab.client.signOut();
    expect(storeOf(tab).of("plan")).toEqual({ status: "unknown" });
    watch(tab, "plan");
    await world.time.advance(MINUTE);
    expect(asked(world).length).toBe(1);
    expect(storeOf(tab).of("plan")).toEqual({ status: "unknown" });
  });

  it("is asked again with each new token, on waking, and when somebody wants it", async () => {
    const { world, tab } = await signedIn();
    world.server.refusals.set("plan", "plan_inactive");
    const { seen } = watch(tab, "plan");
    await world.time.advance(100);
    world.server.refusals.clear();
    await world.time.advance(15 * MINUTE);
    expect(seen).toEqual(["plan_inactive", "allowed"]);
    const before = asked(world).length;
    tab.wake();
    tab.wake();
    await world.time.advance(1000);
    expect(asked(world).length).toBe(before + 1);
    const wish = storeOf(tab).reload();
    await world.time.advance(100);
    await wish;
    expect(asked(world).length).toBe(before + 2);
  });
});

describe("a storm of refusals", () => {
  it("is one reason to ask again, one more later, and no refresh and no sign-out", async () => {
    const { world, tab } = await signedIn();
    const { seen } = watch(tab, "plan:pro");
    await world.time.advance(30_000);
    const before = { asked: asked(world).length, refreshes: world.refreshes().length };
    expect(new Set(await storm(world, tab, "account_suspended"))).toEqual(new Set([403]));
    expect(asked(world).length).toBe(before.asked + 1);
    await world.time.advance(MINUTE);
    expect(asked(world).length).toBeLessThanOrEqual(before.asked + 2);
    expect(world.refreshes().length).toBe(before.refreshes);
    expect(tab.shows).toBe("signedIn ada live");
    expect(tab.events).toEqual(["SIGNED_IN"]);
    expect(seen).toEqual(["allowed"]);
  });

  it("about what is shown already asks nothing", async () => {
    const { world, tab } = await signedIn();
    world.server.refusals.set("plan:pro", "plan_missing");
    watch(tab, "plan:pro");
    await world.time.advance(30_000);
    expect(new Set(await storm(world, tab, "plan_missing"))).toEqual(new Set([402]));
    await world.time.advance(MINUTE);
    expect(asked(world).length).toBe(1);
  });

  it("that begins while an answer is on its way is not settled by that answer", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) => {
      if (isAsked(sent)) return asked(world).length === 1 ? { down: 500 } : undefined;
      return { answer: world.server.problem("account_suspended") };
    };
    const { seen } = watch(tab, "active_account");
    await world.time.advance(100);
    // The server has answered; nobody has heard it yet.
    world.server.refusals.set("active_account", "account_suspended");
    void tab.client.fetch(`${HOME}/api/things`);
    await world.time.advance(1000);
    expect(seen).toEqual(["allowed"]);
    await world.time.advance(10_000);
    expect(seen).toEqual(["allowed", "account_suspended"]);
  });
});

describe("whose it is", () => {
  it("nobody sees what was said of another, not for a moment", async () => {
    const { world, browser, tab } = await signedIn();
    world.server.refusals.set("plan", "plan_missing");
    const store = storeOf(tab);
    const told: string[] = [];
    store.watch("plan", () => told.push(`${tab.shows.split(" ")[1]} ${store.of("plan").status}`));
    await world.time.advance(100);
    world.server.refusals.clear();
    // An answer for Ada that arrives after Bob has signed in.
    world.network = (sent) => (isAsked(sent) && asked(world).length === 2 ? { down: 5000 } : undefined);
    void store.reload();
    await world.time.advance(50);
    const other = browser.open();
    void other.client.signIn.password(BOB);
    tab.client.subscribe(() => told.push(`${tab.shows.split(" ")[1]} ${store.of("plan").status}`));
    await world.time.advance(10_000);
    expect(tab.shows).toBe("signedIn bob live");
    expect(told).not.toContain("bob refused");
    expect(told.indexOf("bob unknown")).toBeGreaterThan(-1);
    expect(store.account()).toMatchObject({ account: { name: "Bob's" } });
    void tab.client.signOut();
    expect(store.of("plan")).toEqual({ status: "unknown" });
    expect(store.account()).toEqual({ status: "unknown", account: null });
  });
});

describe("what cannot be asked", () => {
  it.each([
    ["nothing", "lost", "unreachable"],
    ["a portal", { answer: { status: 200, body: "<h1>Wi-Fi</h1>" } }, "foreign_answer"],
    ["something else that is JSON", { answer: Response.json({ answers: [] }) }, "foreign_answer"],
    ["no answer in its place", { answer: Response.json({ answers: [null] }) }, "foreign_answer"],
  ] as const)(
    "%s: it is neither allowed nor refused, is tried again, and the session goes on",
    async (_, fate, code) => {
      const { world, tab } = await signedIn();
      let broken = true;
      world.network = (sent) =>
        !isAsked(sent) || !broken
          ? undefined
          : typeof fate === "object" && fate.answer instanceof Response
            ? { answer: fate.answer.clone() }
            : fate;
      const { seen } = watch(tab, "plan");
      await world.time.advance(5 * MINUTE);
      expect(seen).toEqual([`unavailable, ${code}`]);
      expect(asked(world).length).toBeGreaterThan(4);
      expect(asked(world).length).toBeLessThan(15);
      expect(tab.shows).toBe("signedIn ada live");
      expect(world.refreshes().filter(isRefresh).length).toBe(0);
      broken = false;
      await world.time.advance(MINUTE);
      expect(seen.at(-1)).toBe("allowed");
    },
  );

  it("what was said last stands meanwhile, and says that it is old", async () => {
    const { world, tab } = await signedIn();
    const { seen } = watch(tab, "plan");
    await world.time.advance(100);
    world.network = (sent) =>
      isAsked(sent) ? { answer: world.server.problem("storage_unavailable") } : undefined;
    await world.time.advance(16 * MINUTE);
    expect(seen).toEqual(["allowed", "allowed, storage_unavailable"]);
    expect(storeOf(tab).account()).toMatchObject({ status: "known", account: { name: "Ada's" } });
    world.network = () => undefined;
    await world.time.advance(2 * MINUTE);
    expect(seen.at(-1)).toBe("allowed");
    expect(tab.events).not.toContain("SIGNED_OUT");
  });

  it("an account that cannot be read refuses nothing", async () => {
    const { world, tab } = await signedIn();
    world.server.refusals.set("active_account", "storage_unavailable");
    const { seen } = watch(tab, "active_account");
    await world.time.advance(100);
    expect(seen).toEqual(["unavailable, storage_unavailable"]);
    world.server.refusals.clear();
    await world.time.advance(MINUTE);
    expect(seen.at(-1)).toBe("allowed");
  });

  it("what is no requirement is said, and not asked again", async () => {
    const { world, tab } = await signedIn();
    world.server.refusals.set("planet", "validation_failed");
    const { seen } = watch(tab, "planet");
    await world.time.advance(5 * MINUTE);
    expect(seen).toEqual(["unavailable, validation_failed"]);
    expect(asked(world).length).toBe(1);
  });
});

describe("more than fits into one question", () => {
  const all = (count: number) => Array.from({ length: count }, (_, i) => `permission:p${i}`);
  const states = (tab: Tab, names: readonly string[]) => [
    ...new Set(names.map((name) => storeOf(tab).of(name).status)),
  ];
  const malformed = (answers: unknown) => () => ({ answer: Response.json({ account: null, answers }) });
  /** Somebody who asks without end must fail the test and not keep it busy. */
  const TOO_MANY = 500;

  const ways: Readonly<Record<string, (world: World, sent: Sent) => Fate>> = {
    offline: () => "lost",
    "a limit": ({ server }) => ({ answer: server.problem("rate_limited", { retry_after: 50 }) }),
    "a server in trouble": ({ server }) => ({ answer: server.problem("storage_unavailable") }),
    "no list": malformed({}),
    "a list of nothing": (_, sent) => malformed(named(sent)?.map(() => null))(),
    "trouble in each answer": (_, sent) =>
      malformed(named(sent)?.map((require) => ({ require, allowed: false, problem: null })))(),
  };

  describe.each([65, 200])("%i", (count) => {
    it.each(Object.entries(ways))(
      "%s: it is tried again at times, and each is answered in the end",
      async (way, fate) => {
        const { world, tab } = await signedIn();
        let isBroken = true;
        world.network = (sent) => {
          if (!isAsked(sent)) return undefined;
          if (asked(world).length > TOO_MANY) return "hangs";
          return isBroken ? fate(world, sent) : undefined;
        };
        const names = all(count);
        for (const name of ["", ...names]) watch(tab, name);
        await world.time.advance(2000);
        // One that fails stands for all; answers that are no use are given part by part.
        const parts = way === "trouble in each answer" ? Math.ceil(count / 64) : 1;
        expect(asked(world).length).toBeLessThanOrEqual(parts * 2);
        expect(states(tab, names)).toEqual(["unavailable"]);
        await world.time.advance(5 * MINUTE);
        expect(asked(world).length).toBeLessThan(parts * 15);
        if (way === "a limit") {
          const times = asked(world).map(({ at }) => at);
          for (const [i, at] of times.slice(1).entries())
            expect(at - (times[i] ?? 0)).toBeGreaterThanOrEqual(50_000);
        }
        isBroken = false;
        await world.time.advance(1.5 * MINUTE);
        expect(states(tab, names)).toEqual(["allowed"]);
        expect(storeOf(tab).account().status).toBe("known");
        expect(tab.shows).toBe("signedIn ada live");
        expect(world.refreshes()).toEqual([]);
      },
    );
  });

  it("what appears while nothing can be asked waits like the rest, and is not shown as if it were coming", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) => (isAsked(sent) ? "lost" : undefined);
    watch(tab, "plan");
    await world.time.advance(500);
    const late = all(300);
    for (const name of late) {
      watch(tab, name);
      await world.time.advance(1);
    }
    expect(asked(world).length).toBe(1);
    expect(states(tab, late)).toEqual(["unavailable"]);
    world.network = () => undefined;
    await world.time.advance(5000);
    expect(states(tab, ["plan", ...late])).toEqual(["allowed"]);
  });

  it("some that no answer can be had for keep no others from theirs", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) => (isAsked(sent) && named(sent)?.includes("permission:p3") ? "lost" : undefined);
    const names = all(200);
    for (const name of names) watch(tab, name);
    await world.time.advance(5 * MINUTE);
    expect(states(tab, ["permission:p3"])).toEqual(["unavailable"]);
    expect(states(tab, names.slice(64))).toEqual(["allowed"]);
    expect(asked(world).length).toBeLessThan(20);
  });

  it("what is in trouble within an answer is asked again, and what is not is not", async () => {
    const { world, tab } = await signedIn();
    world.server.refusals.set("permission:p3", "storage_unavailable");
    const names = all(100);
    for (const name of names) watch(tab, name);
    await world.time.advance(1000);
    expect(asked(world).map((sent) => named(sent)?.length)).toEqual([64, 36]);
    await world.time.advance(2000);
    expect(asked(world).slice(2).map(named)).toEqual([["permission:p3"]]);
  });

  it("a wish is over when every part is answered", async () => {
    const { world, tab } = await signedIn();
    const names = all(100);
    for (const name of names) watch(tab, name);
    await world.time.advance(1000);
    for (const name of names) world.server.refusals.set(name, "plan_missing");
    const wish = storeOf(tab).reload();
    await world.time.advance(1000);
    await wish;
    expect(states(tab, names)).toEqual(["refused"]);
    expect(asked(world).length).toBe(4);
  });

  it("a client that answers less than it was asked has allowed none of the rest", async () => {
    const { world, tab } = await signedIn();
    const entitlements: typeof tab.client.entitlements = async () => ({
      data: { account: null, answers: [] },
      error: null,
    });
    const store = entitlementsOf({ ...tab.client, entitlements }, tab.edges());
    store.watch("plan", () => {});
    await world.time.advance(100);
    expect(store.of("plan")).toMatchObject({ status: "unavailable", error: { code: "foreign_answer" } });
  });

  it("a client that throws is in trouble, and asked again", async () => {
    const { world, tab } = await signedIn();
    let isBroken = true;
    let calls = 0;
    const entitlements: typeof tab.client.entitlements = (names) => {
      calls += 1;
      if (calls > TOO_MANY) return new Promise(() => {});
      if (isBroken) throw new Error("a bug of somebody's");
      return tab.client.entitlements(names);
    };
    const store = entitlementsOf({ ...tab.client, entitlements }, tab.edges());
    store.watch("plan", () => {});
    await world.time.advance(100);
    expect(store.of("plan")).toMatchObject({ status: "unavailable", error: { code: "unreachable" } });
    isBroken = false;
    await world.time.advance(5000);
    expect(store.of("plan")).toEqual({ status: "allowed" });
  });
});

describe("the client", () => {
  it("tells of refusals beside the answer, which stays whole", async () => {
    const { world, tab } = await signedIn();
    const heard: string[] = [];
    const stop = tab.client.onRefusal(({ code, status }) => heard.push(`${status} ${code}`));
    tab.client.onRefusal(() => {
      throw new Error("a listener's own bug");
    });
    const answers = {
      "/a": world.server.problem("plan_missing"),
      // Of another API, which says it in its own words; and what is no refusal.
      "/b": { status: 403, headers: { "content-type": "application/json" }, body: '{"detail":"No."}' },
      "/c": world.server.problem("origin_not_allowed"),
      "/d": world.server.problem("not_found"),
    };
    world.network = ({ url }) => {
      const answer = answers[new URL(url).pathname as keyof typeof answers];
      return answer && { answer };
    };
    for (const path of Object.keys(answers)) {
      const call = tab.client.fetch(HOME + path);
      await world.time.advance(100);
      const response = await call;
      const problem = await readProblem(response);
      expect(problem?.code).toBe(path === "/b" ? undefined : (await response.json()).code);
    }
    expect(heard).toEqual(["402 plan_missing"]);
    stop();
  });

  it("asks by itself as well, and what is not said to be allowed is not", async () => {
    const { world, tab } = await signedIn();
    world.network = (sent) =>
      isAsked(sent)
        ? { answer: Response.json({ account: null, answers: [{ require: "plan", problem: null }] }) }
        : undefined;
    const question = tab.client.entitlements(["plan"]);
    await world.time.advance(100);
    const { data } = await question;
    expect(data?.account).toBeNull();
    expect(data?.answers[0]?.problem).toMatchObject({ code: "foreign_answer", problemClass: "transport" });
  });

  it.each([
    ["no account", {}, null],
    ["null for an account", { account: null }, null],
    ["no plan", { account: { id: "acc_1", name: "A", status: "active" } }, { plan: null }],
    [
      "half a plan",
      { account: { id: "acc_1", plan: { slug: "pro" } } },
      { plan: { slug: "pro", limits: {}, features: [] } },
    ],
  ] as const)(
    "C30, C31: %s in the answer is that and no more, and the session goes on",
    async (_, body, account) => {
      const { world, tab } = await signedIn();
      world.network = (sent) =>
        isAsked(sent) ? { answer: Response.json({ answers: [], ...body }) } : undefined;
      watch(tab, "");
      await world.time.advance(100);
      expect(storeOf(tab).account()).toMatchObject({ status: "known", account });
      expect(tab.shows).toBe("signedIn ada live");
      expect(world.refreshes()).toEqual([]);
    },
  );

  it("has one store, whoever asks for it", () => {
    const client = createClient({ start: false, baseUrl: HOME });
    expect(entitlementsOf(client)).toBe(entitlementsOf(client));
  });
});

it("a requirement is written as the server reads it", () => {
  expect(requirementOf({})).toBe("");
  expect(requirementOf({ account: true, plan: ["pro", "team"], permission: "a" })).toBe(
    "active_account,plan:pro|team,permission:a",
  );
  expect(requirementOf({ plan: true, feature: ["x", "y"], limit: { seats: 6, projects: 2 } })).toBe(
    "plan,feature:x,feature:y,limit:seats=6,limit:projects=2",
  );
  expect(requirementOf({ plan: "pro" })).toBe("plan:pro");
});

it.each([
  { plan: "" },
  { plan: [] },
  { plan: ["pro", ""] },
  { plan: null },
  { plan: false },
  { feature: "" },
  { feature: [] },
  { feature: null },
  { limit: {} },
  { limit: { "": 5 } },
  { limit: null },
  { permission: "" },
  { permission: [] },
  { permission: ["a", undefined] },
])("only what is left out needs nothing: %o is a mistake", (needs) => {
  expect(() => requirementOf(needs as never)).toThrow(TypeError);
  const [name = ""] = Object.keys(needs);
  expect(() => requirementOf({ account: true, ...needs } as never)).toThrow(`\`${name}\``);
  expect(requirementOf({ [name]: undefined })).toBe("");
});
