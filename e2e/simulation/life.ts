/** One seed: somebody signs in, lives with it for twenty days and all that happens in them, and is signed out once. */

import type { SignedOutState } from "../../web/client/src/types.js";
import { Browser, type Mutation, type Tab } from "./browser.js";
import { Device } from "./device.js";
import { Network } from "./network.js";
import { Person } from "./person.js";
import { Random } from "./random.js";
import { type Stats, Testbed } from "./testbed.js";
import { DAY, HOUR, MINUTE, SECOND, Timeline } from "./timeline.js";
import { Trace } from "./trace.js";
import { Witness } from "./witness.js";

/** When every simulated world begins. */
const START = 1_795_000_000_000;
/** A session is served this long after its end, so that no disagreement between clocks shortens it. */
const GRACE_MS = MINUTE;
const PASSWORD = "correct horse battery staple";

export interface Outcome {
  readonly complaints: readonly string[];
  readonly trace: Trace;
  readonly stats: Stats;
  readonly refreshes: number;
}

/** Lives the life that `seed` determines, with the client as it is or as `mutation` spoils it. */
export async function live(seed: number, mutation: Mutation = (edges) => edges): Promise<Outcome> {
  const testbed = await Testbed.start(seed, START);
  try {
    return await liveWith(testbed, seed, mutation);
  } finally {
    testbed.stop();
  }
}

async function liveWith(testbed: Testbed, seed: number, mutation: Mutation): Promise<Outcome> {
  const random = new Random(seed);
  const timeline = new Timeline(START);
  const trace = new Trace(timeline, START);
  const witness = new Witness(timeline, trace);
  const device = new Device(timeline, random.chance(0.5));
  const network = new Network(timeline, testbed, random.fork(), trace);
  const features = {
    locks: random.chance(0.7),
    channel: random.chance(0.8),
    storage: random.chance(0.9),
  };
  trace.say(`seed ${seed}, ${JSON.stringify(features)}`);
  const surroundings = {
    timeline,
    device,
    network,
    random: random.fork(),
    trace,
    watcher: witness,
    mutation,
  };
  const browser = new Browser(features, surroundings);
  const isSpoilt = () => witness.complaints.length > 0;

  await testbed.userCreate("person@example.com", PASSWORD);
  const signedIn = browser.open().client.signIn.password({
    email: "person@example.com",
    password: PASSWORD,
    rememberMe: true,
  });
  await timeline.run(START + MINUTE, () => false);
  const { data, error } = await signedIn;
  if (error) throw error;
  const { expiresAt } = data.session;
  witness.signed = { userId: data.user.id, sessionId: data.session.id, expiresAt };
  if (expiresAt - data.session.createdAt !== 20 * DAY) witness.complain("the session does not last 20 days");

  const scene = { timeline, random: random.fork(), browser, device, network, testbed, witness, trace };
  const person = new Person(scene, expiresAt);
  person.plan();
  // Some are there when it ends, some come back hours later.
  const back = expiresAt + random.pick([-2 * MINUTE, 0, 30 * SECOND, HOUR, 20 * HOUR]);
  await timeline.run(back, isSpoilt);
  person.return();
  // A device that slept and whose clock was set back cannot tell that its token is old; it asks when that seems due.
  await timeline.run(Math.max(timeline.now, expiresAt + GRACE_MS) + 20 * MINUTE, isSpoilt);

  const stats = await testbed.stats();
  if (!isSpoilt()) judge(witness, browser.tabs, stats);
  return { complaints: witness.complaints, trace, stats, refreshes: count(stats.refreshes) };
}

/** What must be true when everything is over. */
function judge(witness: Witness, tabs: readonly Tab[], stats: Stats): void {
  for (const tab of tabs) {
    const state = tab.client.getState();
    if (state.status !== "signedOut") witness.complain(`${tab.name} is not signed out after the end`);
  }
  const words = new Set([...witness.signedOut.values()].map(inWords));
  if (words.size !== 1) witness.complain(`the tabs disagree about the end: ${[...words].join(", ")}`);
  for (const { reason } of witness.signedOut.values())
    if (reason !== "remembered_lifetime") witness.complain(`the end is explained by ${reason}`);
  if (stats.dead_tokens > 0) witness.complain(`${stats.dead_tokens} dead tokens were presented`);
  if (stats.panics > 0) witness.complain("the server panicked");
  const ends = JSON.stringify(stats.ends);
  if (ends !== '{"remembered_lifetime":1}') witness.complain(`the server counted the ends ${ends}`);
}

function inWords({ reason, sessionId }: SignedOutState): string {
  return `${reason} of ${sessionId}`;
}

function count(numbers: Readonly<Record<string, number>>): number {
  return Object.values(numbers).reduce((sum, number) => sum + number, 0);
}
