import { expect, test } from "vitest";
import { live } from "./life.js";

const only = process.env.SEED;
const seeds = only
  ? only.split(",").map(Number)
  : Array.from({ length: Number(process.env.SEEDS ?? 200) }, (_, index) => index + 1);

// SEED=17 lives one life and prints what happened in it; SEEDS=2000 lives more.
test.concurrent.for(seeds)("seed %i is signed in for twenty days, and signed out once", async (seed) => {
  const { complaints, trace } = await live(seed, { isRestless: seed % 5 === 0 });
  if (only) console.log(trace.lines.join("\n"));
  expect(complaints, `SEED=${seed} replays this:\n${trace.last(60)}\n`).toEqual([]);
});
