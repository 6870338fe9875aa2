/** A world to live in: a server, a device with a browser, the network between them, and a person who has signed in. */

import { Browser, type Features, type Mutation } from "./browser.js";
import { Device } from "./device.js";
import { Network } from "./network.js";
import { Random } from "./random.js";
import { Testbed } from "./testbed.js";
import { DAY, MINUTE, Timeline } from "./timeline.js";
import { Trace } from "./trace.js";
import { Witness } from "./witness.js";

/** When every simulated world begins. */
const START = 1_795_000_000_000;
const PASSWORD = "correct horse battery staple";

export interface World {
  readonly testbed: Testbed;
  readonly timeline: Timeline;
  /** For whatever else is decided by chance. */
  readonly random: Random;
  readonly trace: Trace;
  readonly witness: Witness;
  readonly device: Device;
  readonly network: Network;
  readonly browser: Browser;
  /** When the session ends. */
  readonly expiresAt: number;
}

export interface WorldOptions {
  readonly seed: number;
  /** Drawn from the seed if left out. */
  readonly features?: Features;
  /** A client that is not as it should be. */
  readonly mutation?: Mutation;
}

/** Makes a world, has a person sign in with "remember me" in its first minute, and does `work` in it. */
export async function inWorld<T>(options: WorldOptions, work: (world: World) => Promise<T>): Promise<T> {
  const testbed = await Testbed.start(options.seed, START);
  try {
    return await work(await signedIn(testbed, options));
  } finally {
    testbed.stop();
  }
}

async function signedIn(testbed: Testbed, options: WorldOptions): Promise<World> {
  const random = new Random(options.seed);
  const timeline = new Timeline(START);
  const trace = new Trace(timeline, START);
  const witness = new Witness(timeline, trace);
  const device = new Device(timeline, random.chance(0.5));
  const network = new Network(timeline, testbed, random.fork(), trace);
  const drawn = { locks: random.chance(0.7), channel: random.chance(0.8), storage: random.chance(0.9) };
  const features = options.features ?? drawn;
  trace.say(`seed ${options.seed}, ${JSON.stringify(features)}`);
  const mutation = options.mutation ?? ((edges) => edges);
  const around = { timeline, device, network, random: random.fork(), trace, watcher: witness, mutation };
  const browser = new Browser(features, around);

  const email = "person@example.com";
  await testbed.userCreate(email, PASSWORD);
  const { mishaps } = network;
  network.mishaps = 0;
  const { client } = browser.open();
  const signingIn = client.signIn.password({ email, password: PASSWORD, rememberMe: true });
  await timeline.run(START + MINUTE, () => false);
  const { data, error } = await signingIn;
  if (error) throw error;
  network.mishaps = mishaps;
  const { user, session } = data;
  witness.signed = { userId: user.id, sessionId: session.id, expiresAt: session.expiresAt };
  if (session.expiresAt - session.createdAt !== 20 * DAY)
    witness.complain("the session does not last 20 days");
  const { expiresAt } = session;
  return { testbed, timeline, random: random.fork(), trace, witness, device, network, browser, expiresAt };
}
