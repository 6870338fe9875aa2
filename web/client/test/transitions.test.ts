/** The reducer over every state and every event: as a table to read, and against rules that hold in every cell. */

import { describe, expect, it } from "vitest";
import { type Effect, step, type Tab } from "../src/session.js";
import { checkStep, endsRefresh, events, isAlive, moment, NOW, type Place, places } from "./cells.js";

const chances = [0, 0.5, 0.999];

/** The cells that can come about: what only follows on a refresh does not come without one. */
const cells = Object.entries(places).flatMap(([where, place]) =>
  Object.entries(events)
    .filter(([, event]) => place.tab.refreshing || !endsRefresh(event))
    .filter(([, event]) => event.is !== "due" || place.waiting)
    .filter(([, event]) => event.is !== "left" || place.tab.leaving !== undefined || place.tab.out)
    .filter(([, event]) => (event.is === "start") === (where === "before the start"))
    .map(([what, event]) => ({ where, place, what, event })),
);

describe("the reducer", () => {
  it("does in every state what transitions.md says", async () => {
    await expect(table()).toMatchFileSnapshot("./transitions.md");
  });

  it(`keeps its rules in each of the cells`, () => {
    expect(cells.length).toBeGreaterThan(900);
    const broken = failures(({ place, event }) => {
      for (const chance of chances) checkStep(place, event, step(place.tab, event, moment(NOW, chance)));
    });
    expect(broken).toEqual([]);
  });

  it("never stops asking: while nobody is signed out, a refresh or a wait is under way", () => {
    const stuck = failures(({ where, place, event }) => {
      const alive = isAlive(place.waiting, event, step(place.tab, event, moment()));
      expect(alive || where === "before the start").toBe(true);
    });
    expect(stuck).toEqual([]);
  });

  it("does not change the state it was given", () => {
    for (const { place, event } of cells) {
      const before = JSON.stringify(place);
      step(place.tab, event, moment());
      expect(JSON.stringify(place)).toBe(before);
    }
  });
});

/** The cells in which `check` throws, with the first line of what it says. */
function failures(check: (cell: (typeof cells)[number]) => void): string[] {
  return cells.flatMap((cell) => {
    try {
      check(cell);
      return [];
    } catch (error) {
      return [`${cell.where} / ${cell.what}: ${String(error).split("\n")[0]}`];
    }
  });
}

function table(): string {
  const lines = [
    "# What the client does",
    "",
    "Written by `transitions.test.ts` from the reducer; `vitest -u` writes it anew. A, B: sessions of ada; C: bob's;",
    "Z: one that is over. Events that change nothing and do nothing are listed at the end of each state.",
  ];
  for (const [where, place] of Object.entries(places)) {
    lines.push(
      "",
      `## ${where}`,
      "",
      `\`${words(place.tab)}\``,
      "",
      "| event | state after | effects |",
      "|---|---|---|",
    );
    const idle: string[] = [];
    for (const { what, event } of cells.filter((cell) => cell.place === place)) {
      const [after, effects] = step(place.tab, event, moment());
      if (after === place.tab && !effects.length) idle.push(what);
      else lines.push(`| ${what} | ${changes(place, after)} | ${effects.map(effectWords).join(", ")} |`);
    }
    if (idle.length) lines.push("", `Nothing: ${idle.join("; ")}.`);
  }
  return `${lines.join("\n")}\n`;
}

function changes(before: Place, after: Tab): string {
  return words(before.tab) === words(after) ? "the same" : words(after);
}

function words(tab: Tab): string {
  const { out, grant, trouble, doubt } = tab;
  return [
    out && `out of ${out.sessionId ?? "nothing"} (${out.reason})`,
    grant && `${grant.session.id} ${grant.user.name}, token of ${(grant.token.receivedAt - NOW) / 1000} s`,
    !out && !grant && "unknown",
    tab.remembered && `remembers ${tab.remembered.id}`,
    tab.refreshing && "refreshing",
    tab.discarded && "token refused",
    trouble && `trouble ${trouble.failures} (${trouble.error.code})`,
    doubt && `doubt (${doubt.code})`,
    tab.leaving !== undefined && `leaving, ${tab.leaving} failed`,
    tab.over.length > 0 && `over: ${tab.over.join(" ")}`,
  ]
    .filter(Boolean)
    .join("; ");
}

function effectWords(effect: Effect): string {
  switch (effect.do) {
    case "wait":
      return `wait ${effect.ms} ms`;
    case "emit":
      return effect.event;
    case "remember":
      return `remember ${effect.session?.id ?? "nothing"}`;
    case "note-leaving":
      return `${effect.do} ${effect.sessionId === undefined ? "nothing" : effect.sessionId || "somebody"}`;
    case "tell-grant":
      return `tell-grant ${effect.grant.session.id}`;
    case "tell-out":
      return `tell-out ${effect.out.sessionId}`;
    default:
      return effect.do;
  }
}
