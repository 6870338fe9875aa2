/** The lives that CI lives, in two files, because a file is a process and an ordinary machine has two cores. */

import { expect, test } from "vitest";
import { live } from "./life.js";

const only = process.env.SEED?.split(",").map(Number);
const all = only ?? Array.from({ length: Number(process.env.SEEDS ?? 200) }, (_, index) => index + 1);

/** SEED=17 lives one life and prints what happened in it; SEEDS=2000 lives more. */
export function lives(isMine: (seed: number) => boolean): void {
  const mine = all.filter(isMine);
  test.concurrent.for(mine)("seed %i is signed in for twenty days, and signed out once", async (seed) => {
    const { complaints, trace } = await live(seed, { isRestless: seed % 5 === 0 });
    if (only) console.log(trace.lines.join("\n"));
    expect(complaints, `SEED=${seed} replays this:\n${trace.last(60)}\n`).toEqual([]);
  });
}
