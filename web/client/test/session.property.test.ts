/** The reducer under random orders of events: what must hold of a whole history, and not only of one step. */

import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type Effect, type Event, initial, step, type Tab } from "../src/session.js";
import {
  CLOSED,
  checkStep,
  endsRefresh,
  events,
  grant,
  isAlive,
  known,
  MINUTE,
  moment,
  must,
  NOW,
} from "./cells.js";
import { seeded } from "./world-time.js";

vi.setConfig({ testTimeout: 60_000 });

/** Another seed: `SEED=7 npx vitest run session.property`. A failure prints the seed that shows it. */
const seed = Number(process.env.SEED ?? 20_261_120);
const EVENTS = 250;
/** Of each property, every one with lives of its own. */
const RUNS = 200;

const names = Object.keys(events).filter((name) => events[name]?.is !== "start");
const starts = Object.keys(events).filter((name) => events[name]?.is === "start");

/** What a tab went through, and what follows from it by the protocol. */
class Life {
  tab: Tab = initial;
  waiting = false;
  now = NOW;
  /** How often in a row the server has said that the session known here is over. */
  heard = 0;

  /** Whether the engine could send this event now. */
  canHappen(event: Event): boolean {
    if (endsRefresh(event)) return this.tab.refreshing;
    if (event.is === "due") return this.waiting;
    return true;
  }

  take(event: Event, chance: number): readonly Effect[] {
    const before = this.tab;
    const took = step(before, event, moment(this.now, chance));
    const [after, effects] = took;
    checkStep({ tab: before, waiting: this.waiting }, event, took);
    this.#count(before, event, after);
    this.waiting = isAlive(this.waiting, event, took) && !after.refreshing;
    this.tab = after;
    return effects;
  }

  #count(before: Tab, event: Event, after: Tab): void {
    // Unasked it counts as much as asked, and alone it is not enough either.
    if (event.is === "hint" && CLOSED.some((one) => one === event.error.code))
      this.heard += event.error.details.sessionId === known(before) ? 1 : 0;
    if (event.is === "refused") {
      const { status, problemClass, code, details } = event.error;
      const about = details.sessionId;
      const ours = known(before);
      const isAboutUs = !about || !ours || about === ours;
      if (
        status === 401 &&
        problemClass === "authentication" &&
        CLOSED.some((one) => one === code) &&
        isAboutUs
      )
        this.heard += 1;
      const least = !ours && code === "no_session" ? 1 : 2;
      must(!after.out || !!before.out || this.heard >= least, `the server said so ${this.heard} times`);
    }
    const isServed = event.is === "granted" && after.grant !== before.grant;
    if (isServed || known(before) !== known(after)) this.heard = 0;
  }
}

let properties = 0;

function lives(check: (life: Life, event: Event, effects: readonly Effect[]) => void): void {
  // A life is one number, and is not made shorter: the last events before a failure say enough.
  fc.assert(
    fc.property(fc.nat(), (number) => live(number, check)),
    {
      seed: seed + ++properties,
      numRuns: RUNS,
      endOnFailure: true,
    },
  );
}

function live(number: number, check: (life: Life, event: Event, effects: readonly Effect[]) => void): void {
  const random = seeded(number);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const life = new Life();
  const past: string[] = [];
  for (let count = 0; count < EVENTS; ) {
    const name = pick(count ? names : starts);
    const event = aged(events[name] as Event, random(), life.now);
    life.now += pick([0, 1, 900, 5000, 60_000, 20 * MINUTE]);
    if (!life.canHappen(event)) continue;
    count += 1;
    past.push(name);
    try {
      check(life, event, life.take(event, random() * 0.999));
    } catch (cause) {
      throw new Error(`${String(cause)} after: ${past.slice(-8).join(" / ")}`, { cause });
    }
  }
}

/** Grants are of the present, most of them. */
function aged(event: Event, chance: number, now: number): Event {
  return event.is === "granted" && chance < 0.7
    ? { ...event, grant: grant(event.grant.session.id, now) }
    : event;
}

describe(`in ${RUNS} random lives of ${EVENTS} events each (seed ${seed})`, () => {
  it("every step keeps the rules, and signing out takes a cause heard twice", () => {
    lives(() => {});
  });

  it("a session that is over never comes back", () => {
    const gone = new WeakMap<Life, Set<string>>();
    lives((life) => {
      const over = gone.get(life) ?? gone.set(life, new Set()).get(life);
      for (const id of life.tab.over) over?.add(id);
      must(!over?.has(life.tab.grant?.session.id ?? ""), "it came back");
    });
  });

  it("something always goes on: a refresh, a wait, or telling the server", () => {
    lives((life, event) => {
      const { tab, waiting } = life;
      const rests = tab.out !== undefined && tab.leaving === undefined;
      must(tab.refreshing || waiting || rests || event.is === "outdate", "nothing goes on");
    });
  });

  it("after a failure on the way the next attempt is under way or due within five minutes", () => {
    lives((life, event, effects) => {
      if (event.is !== "refused" || life.tab.out) return;
      const ms = effects.flatMap((effect) => (effect.do === "wait" ? [effect.ms] : []));
      must(ms.length === 1 && ms.every((one) => one >= 100 && one <= 300_000), `waits ${ms} ms`);
    });
  });

  it("the person only changes together with a sign-in, a refresh or another tab's word", () => {
    let person: string | undefined;
    lives((life, event) => {
      const now = life.tab.grant?.user.id;
      must(!now || now === person || event.is === "granted", "another person");
      person = now;
    });
  });
});

describe("the waits", () => {
  it("grow from half a second to half a minute, with full jitter", () => {
    for (const [chance, most] of [
      [0.999, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]],
      [0, Array<number>(9).fill(100)],
    ] as const) {
      let tab = step(initial, events["start, nothing remembered"] as Event, moment())[0];
      for (const ms of most) {
        const [next, effects] = step(
          tab,
          events["refused, 0 unreachable (transport)"] as Event,
          moment(NOW, chance),
        );
        const wait = effects.find((effect) => effect.do === "wait");
        expect(wait && Math.round(wait.ms / 100) * 100).toBe(ms);
        tab = step(next, { is: "due" }, moment())[0];
      }
    }
  });
});
