/** One seed: somebody signs in, lives with it for twenty days and all that happens in them, and is signed out once. */

import type { Mutation } from "./browser.js";
import { Person } from "./person.js";
import type { Stats } from "./testbed.js";
import { HOUR, MINUTE, SECOND } from "./timeline.js";
import type { Trace } from "./trace.js";
import { inWorld, type World } from "./world.js";

/** A session is served this long after its end, so that no disagreement between clocks shortens it. */
const GRACE_MS = MINUTE;

export interface Outcome {
  /** What should not have happened; empty in a good life. */
  readonly complaints: readonly string[];
  readonly trace: Trace;
  readonly stats: Stats;
}

/** Ways in which a world can be worse than the protocol allows. */
export interface Spoilt {
  readonly mutation?: Mutation;
  /** How old a crashed browser's jar may be; 30 s is C. */
  readonly flushLagMs?: number;
  /** The device falls asleep again and again while requests are under way. */
  readonly isRestless?: boolean;
}

/** Lives the life that `seed` determines, as it should be or spoilt. */
export function live(seed: number, { mutation, ...spoilt }: Spoilt = {}): Promise<Outcome> {
  return inWorld({ seed, ...(mutation ? { mutation } : {}) }, (world) => twentyDays(world, spoilt));
}

async function twentyDays(
  world: World,
  { flushLagMs = 30 * SECOND, isRestless = false }: Spoilt,
): Promise<Outcome> {
  const { timeline, random, browser, device, testbed, witness, expiresAt, trace } = world;
  const isSpoilt = () => witness.complaints.length > 0;
  const person = new Person(world, flushLagMs, isRestless ? 0.2 : 0.01);
  person.plan();
  // Some are there when it ends, some come back hours later.
  await timeline.run(expiresAt + random.pick([-2 * MINUTE, 0, 30 * SECOND, HOUR, 20 * HOUR]), isSpoilt);
  person.return();
  const isCookieGone = browser.jar.hasOutlived(device.wallNow());
  // A device that slept and whose clock was set back cannot tell that its token is old; it asks when that seems due.
  await timeline.run(Math.max(timeline.now, expiresAt + GRACE_MS) + 20 * MINUTE, isSpoilt);
  const stats = await testbed.stats();
  if (!isSpoilt()) judge(world, stats, isCookieGone);
  return { complaints: witness.complaints, trace, stats };
}

/** What must be true when everything is over. */
function judge({ witness, browser, expiresAt }: World, stats: Stats, isCookieGone: boolean): void {
  if (browser.tabs.length === 0) witness.complain("no tab is left to be signed out");
  for (const tab of browser.tabs) {
    const out = witness.signedOut.get(tab);
    // Without a cookie nobody can ask; and a tab that is opened after the others were told has nothing to explain.
    const isExplained =
      out?.reason === "remembered_lifetime" ||
      (out?.reason === "cookie_missing" && isCookieGone) ||
      (out?.reason === "never_signed_in" && tab.openedAt >= expiresAt);
    if (!out) witness.complain(`${tab.name} is not signed out after the end`);
    else if (!isExplained) witness.complain(`${tab.name} explains the end as ${out.reason}`);
  }
  if (stats.dead_tokens > 0) witness.complain(`${stats.dead_tokens} dead tokens were presented`);
  if (stats.panics > 0) witness.complain("the server panicked");
  const ends = JSON.stringify(stats.ends);
  const noted = isCookieGone ? "{}" : '{"remembered_lifetime":1}';
  if (ends !== noted) witness.complain(`the server counted the ends ${ends}`);
}
