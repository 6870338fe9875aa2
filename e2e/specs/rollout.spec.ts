/**
 * The road of `docs/guide/rollout.md` from its beginning to its end, and back a step: people who are signed in keep their
 * tabs open while each step is deployed, and nobody is signed out.
 */

import { type Browser, expect, test } from "@playwright/test";
import { addressOf, Customer } from "../support/customer.js";
import { Desk, PASSWORD } from "../support/desk.js";
import { CAUSES, MISHAPS } from "../support/mishaps.js";
import { until } from "../support/until.js";

const DAY = 24 * 3_600_000;
/** Who walks the road, with how many tabs. */
const PEOPLE = { Ada: 2, Ben: 2, Cem: 1, Dia: 1 };
const STEPS = [1, 2, 3, 4, 5, 6, 7, 8];

/** Who shows what a step mends, and is signed out by it. */
const visitor = (step: number) => `Visitor${step}`;

// Eight deploys, each with a build of the pages and three restarts.
test.setTimeout(600_000);
test.use({ actionTimeout: 20_000 });

test("eight steps, and one back, sign nobody out", async ({ browser }) => {
  const desk = await Desk.start();
  try {
    await desk.manage(0, "people", ...[...Object.keys(PEOPLE), ...STEPS.map(visitor)].map(addressOf));
    await desk.deploy(0);
    const people = await Promise.all(
      Object.entries(PEOPLE).map(([name, tabs]) => Customer.signIn(browser, desk, name, { tabs })),
    );
    for (const step of STEPS)
      await test.step(`step ${step}`, async () => {
        const road = { people, desk, browser, step };
        await BEFORE[step]?.(road);
        await take(road);
        await AFTER[step]?.(road);
        for (const one of people) expect(one.signInsSeen, `${one.name} at step ${step}`).toEqual([]);
      });
    await test.step("back to step 7", () => take({ people, desk, browser, step: 7 }));
    await test.step("and forth", () => take({ people, desk, browser, step: 8 }));
    for (const mishap of Object.values(MISHAPS)) {
      await mishap(people, desk, 8);
      for (const one of people) await one.isIn(...one.tabs);
    }
    for (const one of people) {
      expect(one.signInsSeen, one.name).toEqual([]);
      expect(sessionsOf(desk, one), `the one session of ${one.name}`).toHaveLength(1);
    }
    expect((await desk.tenure.stats()).dead_tokens).toBe(0);
    await test.step("the 20 days end, and that is why", () => ends(people, desk));
  } finally {
    await desk.stop();
  }
});

interface Road {
  readonly people: readonly Customer[];
  readonly desk: Desk;
  readonly browser: Browser;
  readonly step: number;
}

/** Deploys a step under the hands of people who keep their tabs open. */
async function take({ people, desk, step }: Road): Promise<void> {
  // While Django is away, whoever calls it is told so and stays, from step 2 on.
  await desk.deploy(step, async () => {
    if (step > 2) await Promise.all(people.map((one) => one.asksForTeam(/^502/)));
  });
  await reload(people);
}

/** The pages that are open go on; then one tab has the new ones, beside the old; and then all. */
async function reload(people: readonly Customer[]): Promise<void> {
  const work = () => Promise.all(people.flatMap((one) => one.tabs.map((page) => one.works(page))));
  await work();
  await Promise.all(people.map((one) => one.first.reload()));
  await work();
  await Promise.all(people.flatMap(({ tabs }) => tabs.slice(1).map((page) => page.reload())));
  for (const one of people) await one.isIn(...one.tabs);
}

async function ends(people: readonly Customer[], desk: Desk): Promise<void> {
  await desk.pass(2 * DAY);
  await Promise.all(
    people.map(async (one) => {
      await one.waits();
      await one.first.reload();
      await one.isOut(one.first);
      const [session] = sessionsOf(desk, one);
      expect(session).toMatchObject({ end: { reason: "remembered_lifetime" } });
    }),
  );
}

const sessionsOf = (desk: Desk, { email }: Customer): unknown[] =>
  JSON.parse(desk.product("--json", "session", "list", email, "--all"));

type Scene = (road: Road) => Promise<unknown>;

/** What a step mends is there before it. */
const BEFORE: Record<number, Scene> = {
  async 6({ browser, desk }) {
    const one = await Customer.visit(browser, desk, visitor(6));
    await expect(one.first.getByRole("button", { name: "Sign in" })).toBeVisible();
    await expect(one.first.getByRole("checkbox")).toHaveCount(0);
    await one.leaves();
  },
  async 7({ browser, desk }) {
    const one = await Customer.signIn(browser, desk, visitor(7), { tabs: 2 });
    await one.signsOut();
    await one.isIn(one.tabs[1]);
    await one.leaves();
  },
  async 8({ desk }) {
    const answer = await post(desk, "/api/token/", { username: addressOf(visitor(8)), password: PASSWORD });
    left = (await answer.json()) as typeof left;
    expect(await me(desk, left.access)).toBe(200);
  },
};

/** And is not after it. */
const AFTER: Record<number, Scene> = {
  async 6({ people, browser, desk }) {
    const short = await Customer.signIn(browser, desk, visitor(6), { tabs: 1 });
    await desk.pass(19 * DAY);
    await Promise.all([...people, short].map((one) => one.waits()));
    await Promise.all(people.map((one) => one.works(one.first)));
    await short.first.reload();
    await short.isOut(short.first);
    await Promise.all(people.map((one) => one.reload()));
    for (const one of people) await one.isIn(...one.tabs);
    await short.leaves();
  },
  async 7({ browser, desk }) {
    const one = await Customer.signIn(browser, desk, visitor(7), { tabs: 2 });
    await one.signsOut();
    for (const page of one.tabs) await one.isOut(page);
    await one.leaves();
  },
  async 8({ people, desk }) {
    for (const one of people) expect(await one.kept("refresh_token")).toBeNull();
    expect(await me(desk, left.access)).toBe(401);
    const trade = { kind: "simplejwt", token: left.refresh, attempt: "a".repeat(32) };
    const answer = await post(desk, "/api/v1/auth/exchange", trade);
    expect(await answer.json()).toMatchObject({ status: 403, code: "exchange_closed" });
    // Of Django's own API below the same prefix nothing has gone to Tenure.
    expect((await fetch(`${desk.url}/api/v1/tickets/`)).headers.get("content-type")).toContain("text/html");
  },
};

for (const [name, mishap] of Object.entries(MISHAPS)) {
  const step = Number(name);
  BEFORE[step] = async ({ browser, desk }) => {
    const one = await Customer.signIn(browser, desk, visitor(step), { tabs: 1 });
    await mishap([one], desk, step - 1);
    await one.isOut(one.first);
    expect(one.signInsSeen, "what is looked for in everybody else").not.toEqual([]);
    await until(async () => expect(observed(desk)).toContain(CAUSES[step]), 20_000);
    await one.leaves();
    if (step === 5) await desk.import(step);
  };
  AFTER[step] = async ({ people, browser, desk }) => {
    await mishap(people, desk, step);
    for (const one of people) await one.isIn(...one.tabs);
    if (step !== 5) return;
    await comesLate(browser, desk);
    // The first step that stores something elsewhere is gone back from as well.
    for (const pages of [4, 5]) {
      await desk.deployPages(pages);
      await reload(people);
    }
  };
}

/** Somebody who signed up in Django after the import keeps what they have until it is taken, and lives on at Tenure. */
async function comesLate(browser: Browser, desk: Desk): Promise<void> {
  const one = await Customer.visit(browser, desk, "Late");
  await desk.manage(4, "people", one.email);
  const answer = await post(desk, "/api/token/", { username: one.email, password: PASSWORD });
  const { refresh } = (await answer.json()) as typeof left;
  await one.keeps("refresh_token", refresh);
  for (const window of ["closed", "open"] as const) {
    await desk.window(window);
    await one.reload();
    await one.isOut(one.first);
    expect(await one.kept("refresh_token"), window).toBe(refresh);
  }
  await desk.import(5);
  await one.reload();
  await one.isIn(one.first);
  await one.works(one.first);
  await one.signsOut();
  await one.forgets("another way to the sea");
  await one.signsIn("another way to the sea");
  await one.leaves();
  const next = await Customer.visit(browser, desk, "New");
  // What Tenure refuses is made in neither.
  await next.asksToJoin("short");
  await expect(next.first.getByText(/use at least \d+ characters/)).toBeVisible();
  await next.joins();
  await next.works(next.first);
  await next.leaves();
}

/** simplejwt's tokens of somebody who has not come by since step 5. */
let left = { access: "", refresh: "" };

const me = async (desk: Desk, access: string): Promise<number> =>
  (await fetch(`${desk.url}/api/me/`, { headers: { Authorization: `Bearer ${access}` } })).status;

function post(desk: Desk, path: string, body: object): Promise<Response> {
  const headers = { "Content-Type": "application/json", Origin: desk.url };
  return fetch(desk.url + path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** The causes of sign-outs that Tenure has heard of. */
function observed(desk: Desk): string[] {
  const { observed } = JSON.parse(desk.product("--json", "logouts", "stats", "--since", "1h"));
  return observed.by_cause.map(({ cause }: { cause: string }) => cause);
}
