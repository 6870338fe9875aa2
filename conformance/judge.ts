/** Compares what is with what must be, in sentences. */

import type { AuthState } from "../web/client/src/types.js";
import { perform } from "./steps.js";
import type { ClientState, Receipt, Row, Scenario, Then } from "./vocabulary.js";
import { emailOf, LAPTOP, type OpenReal, type Planted, type Site, World } from "./world/world.js";

/** After the last step, for messages between tabs and attempts under way. */
const CALM_MS = 10_000;
/** In a real browser that time is real, and it is looked again and again until then. */
const CALM_REAL_MS = 15_000;

/** Of a session's end by the clock. */
const GRACE_MS = 60_000;

interface End {
  readonly receipt: string;
  readonly reason: string;
  readonly actor: string;
}

/** Carries a scenario out. What was not as it must be is told in sentences; none is a good outcome. */
export async function judge(
  scenario: Scenario,
  planted: Planted = {},
  real?: OpenReal,
): Promise<readonly string[]> {
  const world = await World.start(scenario, planted, real);
  try {
    for (const step of scenario.given) {
      const answers = await perform(world, step);
      if ("signIn" in step && answers[0] !== "200") throw new Error(`nobody could sign in: ${answers}`);
    }
    const before = await refreshes(world);
    const answers: string[] = [];
    for (const step of scenario.when) answers.push(...(await perform(world, step)));
    const sent = (await refreshes(world)) - before;
    return [
      ...differs("the answers", answers, scenario.then.answers),
      ...refreshed(sent, scenario.then),
      ...(await clients(world, scenario)),
      ...(await rows(world, scenario.then)),
      ...(await counters(world, scenario.then)),
    ];
  } finally {
    await world.stop();
  }
}

async function refreshes(world: World): Promise<number> {
  const stats = await world.machine.stats();
  return Object.values(stats?.refreshes ?? {}).reduce((sum, count) => sum + count, 0);
}

function refreshed(sent: number, { refreshes: wanted }: Then): string[] {
  if (wanted === undefined) return [];
  const isRight = typeof wanted === "number" ? sent === wanted : sent <= wanted.atMost;
  return isRight ? [] : [`${sent} refreshes were sent and not ${JSON.stringify(wanted)}`];
}

async function clients(world: World, { then, in: where }: Scenario): Promise<string[]> {
  const all: readonly (readonly [string, ClientState | undefined])[] = [
    [LAPTOP, then.client],
    ...Object.entries(then.others ?? {}).map(([device, { client }]) => [device, client] as const),
  ];
  const look = async () => {
    const found: string[] = [];
    for (const [device, wanted] of all) {
      const site = world.sites.get(device);
      if (!wanted) continue;
      if (!site) found.push(`there is no ${device}`);
      else found.push(...(await onDevice(device, site, wanted, device === LAPTOP ? then : undefined)));
    }
    return found;
  };
  if (where !== "browser") {
    await world.wait(CALM_MS);
    return look();
  }
  for (const deadline = Date.now() + CALM_REAL_MS; ; await world.wait(100)) {
    const found = await look();
    if (found.length === 0 || Date.now() > deadline) return found;
  }
}

async function onDevice(
  device: string,
  { surface }: Site,
  wanted: ClientState,
  then?: Then,
): Promise<string[]> {
  const found: string[] = [];
  const isOut = wanted.startsWith("signed out") && wanted !== "signed out: never_signed_in";
  for (const [at, { state, signedOut }] of (await surface.shown()).entries()) {
    const tab = `tab ${at + 1} of the ${device}`;
    if (state) found.push(...differs(tab, said(state), wanted));
    if (!isOut && signedOut > 0) found.push(`${tab} signed somebody out`);
    if (isOut && signedOut > 1) found.push(`${tab} said ${signedOut} times that it is signed out`);
    if (then?.shows && state?.status === "signedIn")
      found.push(...differs(`whom ${tab} shows`, state.user.email, emailOf(then.shows)));
  }
  return found;
}

function said(state: AuthState): string {
  switch (state.status) {
    case "unknown":
      return state.trouble ? "unknown, in trouble" : "unknown";
    case "signedIn":
      return state.freshness;
    case "signedOut":
      return `signed out: ${state.reason}`;
  }
}

async function rows(world: World, then: Then): Promise<string[]> {
  const found: string[] = [];
  const wanted = { [LAPTOP]: then, ...then.others };
  let ended = 0;
  for (const [device, { row, receipt }] of Object.entries(wanted)) {
    const site = world.sites.get(device);
    const { is, end } = await rowOf(world, site?.session);
    const seen = row.startsWith("alive, generation") ? is : is.replace(/^alive.*/, "alive");
    found.push(...differs(`the session of the ${device}`, seen, row));
    if (row.startsWith("ended")) ended += 1;
    if (site && receipt !== undefined) found.push(...(await receipts(device, site, end, row, receipt)));
  }
  const count = world.machine.count("SELECT count(*) FROM session WHERE ended_at IS NOT NULL");
  if (count !== ended) found.push(`${count} sessions have ended and not ${ended}`);
  return found;
}

async function rowOf(
  { machine, timeline }: World,
  session: string | undefined,
): Promise<{ is: Row; end?: End }> {
  if (!session) return { is: "none" };
  const { code, out } = await machine.command(["--dev", "--json", "session", "show", session], {});
  if (code !== 0 && out.includes("there is no session")) return { is: "none" };
  if (code !== 0 && out.includes("cannot be read")) return { is: "unreadable" };
  if (code !== 0) throw new Error(`the session could not be looked at: ${out}`);
  const row = JSON.parse(out) as { end: End | null; generation: number; expires_at: number };
  const { end, generation } = row;
  if (!end && row.expires_at + GRACE_MS <= timeline.now) return { is: "expired" };
  return end ? { is: `ended: ${end.reason}` as Row, end } : { is: `alive, generation ${generation}` };
}

async function receipts(
  device: string,
  { surface }: Site,
  end: End | undefined,
  row: Row,
  wanted: Receipt | null,
): Promise<string[]> {
  const open = (await surface.shown()).flatMap(({ state }) => (state ? [state] : []));
  const told = open.map((state) => (state.status === "signedOut" ? state.receipt : undefined));
  if (!wanted || !end) {
    const strays = told.filter((receipt) => receipt !== undefined);
    const missing = wanted && !end ? [`the ${device} has no receipt although it is ${row}`] : [];
    const surplus = !wanted && end ? [`there is a receipt for ${end.reason}`] : [];
    return [
      ...missing,
      ...surplus,
      ...strays.map((receipt) => `the ${device} was told a receipt, ${receipt}`),
    ];
  }
  return [
    ...differs(`who ended the session of the ${device}`, end.actor.split(":")[0] ?? "", wanted.by),
    ...(/^R-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/.test(end.receipt)
      ? []
      : [`${end.receipt} is no receipt`]),
    ...told.flatMap((receipt) =>
      differs(`the receipt on the ${device}`, receipt, wanted.told ? end.receipt : undefined),
    ),
  ];
}

async function counters(world: World, then: Then): Promise<string[]> {
  const stats = await world.machine.stats();
  const found = stats
    ? [...differs("panics", stats.panics, then.panics ?? 0), ...differs("dead tokens", stats.dead_tokens, 0)]
    : [];
  if (!then.cookie) return found;
  const [cookie] = (await world.sites.get(LAPTOP)?.surface.cookies()) ?? [];
  const isSecure = cookie?.secure && cookie.name.startsWith("__Secure-");
  const seen = cookie ? (isSecure ? "kept, Secure" : "kept") : "gone";
  return [...found, ...differs("the cookie", seen, then.cookie)];
}

function differs(what: string, is: unknown, wanted: unknown): string[] {
  const [one, other] = [JSON.stringify(is), JSON.stringify(wanted)];
  return one === other ? [] : [`${what}: ${one} and not ${other}`];
}
