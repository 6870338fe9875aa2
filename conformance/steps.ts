/** What each word of the vocabulary does. */

import { createHmac, randomBytes } from "node:crypto";
import { DAY, HOUR, MINUTE, SECOND } from "../e2e/simulation/timeline.js";
import {
  type Bearer,
  type CookieAct,
  type MachineStep,
  type OperatorStep,
  PASSWORD,
  type PersonStep,
  type RequestStep,
  type Span,
  STRIPE_SECRET,
  type Step,
  type TimeStep,
  type WireStep,
} from "./vocabulary.js";
import { stripeEvent } from "./world/machine.js";
import { answerOfHttp, type Cookie } from "./world/surface.js";
import { emailOf, type Site, type World } from "./world/world.js";

/** Commands that ask for no reason. */
const WITHOUT_REASON = /^(keys|user (create|show|list|enable)|.* (list|show)\b|acts|config|serve|logouts)/;

/** Does one step. What was asked for in it is answered with the different answers that came, in their order. */
export async function perform(world: World, step: Step): Promise<readonly string[]> {
  if ("wait" in step) return nothing(world.wait(ms(step.wait)));
  if ("every" in step) return repeat(world, step);
  if ("send" in step) return send(world, step);
  if ("operator" in step || "run" in step || "stripe" in step) return operate(world, step);
  if (isMachine(step)) return nothing(happen(world, step));
  if ("network" in step || "fault" in step || "faults" in step || "replace" in step) return wire(world, step);
  if ("addHeaders" in step || "cookie" in step || "foreignCookie" in step) return wire(world, step);
  if ("formPosted" in step) return [await (await world.site(step.on)).surface.formPosted(step.formPosted)];
  if ("page" in step) return (await world.site(step.on)).surface.page(step.page);
  return act(world, step);
}

const MACHINE = ["server", "keys", "sql", "database", "panics", "redis"] as const;
const isMachine = (step: Step): step is MachineStep => MACHINE.some((word) => word in step);

async function act(world: World, step: PersonStep): Promise<readonly string[]> {
  const site = await world.site(step.on);
  const { surface } = site;
  if ("signIn" in step) return [await signIn(world, site, step)];
  if ("open" in step) return nothing(surface.open(step.open));
  if ("reload" in step) return nothing(surface.reload());
  if ("reopen" in step) return nothing(surface.reopen());
  if ("awayFor" in step) return nothing(surface.away(() => world.wait(ms(step.awayFor))));
  if ("signOut" in step) return [await surface.signOut(step.signOut)];
  if ("call" in step) return different(await surface.call(step.call, step.times ?? 1, step.show));
  if ("may" in step) return different(await surface.call(requiring(step.may), step.times ?? 1, undefined));
  if ("refresh" in step) return different(await surface.refresh(step.refresh === "every tab"));
  if ("clockAhead" in step) return nothing(surface.clockAhead(ms(step.clockAhead)));
  return [await surface.changePassword(PASSWORD, step.changePassword)];
}

const requiring = (need: string) => `/api/v1/auth/check?require=${encodeURIComponent(need)}`;

async function signIn(
  world: World,
  site: Site,
  { signIn: person, remember }: Extract<PersonStep, { signIn: unknown }>,
): Promise<string> {
  const email = emailOf(person);
  if (!world.people.has(person)) {
    await world.tellTime();
    await world.machine.personCreate(email, PASSWORD);
    world.people.add(person);
  }
  const { answer, session } = await site.surface.signIn({
    email,
    password: PASSWORD,
    rememberMe: remember ?? true,
  });
  // The first session of a device is the one that a scenario is about.
  site.session ??= session;
  return answer;
}

async function repeat(
  world: World,
  { every, during, do: steps }: Extract<TimeStep, { every: unknown }>,
): Promise<readonly string[]> {
  const answers: string[] = [];
  for (let left = ms(during); left > 0; left -= ms(every)) {
    for (const step of steps) answers.push(...(await perform(world, step)));
    await world.wait(ms(every));
  }
  return different(answers);
}

async function wire(world: World, step: WireStep): Promise<readonly string[]> {
  const { machine } = world;
  if ("fault" in step) {
    const { fault: kind, at, type, status, body, times } = step;
    const count = times === "until cleared" ? ("until_cleared" as const) : (times ?? 1);
    const details = {
      ...(status && { status }),
      ...(body !== undefined && { body }),
      ...(type && { content_type: type }),
    };
    return nothing(machine.testbed.fault({ kind, path_prefix: at, count, ...details }));
  }
  if ("faults" in step) return nothing(machine.testbed.clearFaults());
  const site = await world.site(step.on);
  if ("network" in step) return nothing(site.surface.network(step.network));
  if ("replace" in step) {
    const forged = await forge(world, site, step.by);
    site.surface.wire.replaceBearer(forged, step.times ?? 1);
    return [];
  }
  if ("addHeaders" in step) {
    site.surface.wire.headers = step.addHeaders;
    return [];
  }
  if ("foreignCookie" in step) return nothing(site.surface.setForeignCookie(step.foreignCookie));
  return nothing(befall(site, step.cookie));
}

async function befall(site: Site, what: CookieAct): Promise<void> {
  const { surface, kept } = site;
  const cookies = await surface.cookies();
  if (what === "kept") {
    kept.cookies = cookies;
    kept.bearer = await surface.bearer();
    return;
  }
  if (what === "put back") {
    for (const { name, value } of kept.cookies) await surface.setCookie(name, value);
    return;
  }
  for (const { name, value } of cookies) {
    await surface.setCookie(
      name,
      what === "deleted" || what === "moved to another name" ? undefined : harmed(value, what),
    );
    if (what === "moved to another name") await surface.setCookie("tenure_0badcafe", value);
  }
}

function harmed(
  token: string,
  what: Exclude<CookieAct, "kept" | "put back" | "deleted" | "moved to another name">,
): string {
  switch (what) {
    case "cut to 80 characters":
      return token.slice(0, 80);
    case "one bit flipped":
      return bitFlipped(token);
    case "random":
      return randomBytes(32).toString("base64url");
    case "under an unknown key": {
      // The id of the key is what a token begins with (protocol.md section 3).
      const bytes = Buffer.from(token.slice("tnr1_".length), "base64url");
      bytes.fill(0x5a, 0, 4);
      return `tnr1_${bytes.toString("base64url")}`;
    }
  }
}

/** One bit in the middle, which keeps the alphabet of base64url. */
function bitFlipped(token: string): string {
  const at = Math.floor(token.length * 0.9);
  const other = token[at] === "A" ? "B" : "A";
  return token.slice(0, at) + other + token.slice(at + 1);
}

async function forge(
  world: World,
  site: Site,
  by: Exclude<Bearer, "own">,
): Promise<(own: string) => string | undefined> {
  if (typeof by === "object") return () => by.text;
  switch (by) {
    case "none":
      return () => undefined;
    case "one bit flipped":
      return bitFlipped;
    case "cut in half":
      return (own) => own.slice(0, own.length / 2);
    case "without its signature":
      return (own) => `${own.slice(0, own.lastIndexOf("."))}.`;
    case "the refresh token": {
      const [cookie] = await site.surface.cookies();
      return () => cookie?.value;
    }
    case "the kept one": {
      const { bearer } = site.kept;
      return () => bearer;
    }
    default: {
      const other = await world.site(by.slice("of ".length));
      const bearer = await other.surface.bearer();
      return () => bearer;
    }
  }
}

async function send(world: World, step: RequestStep): Promise<readonly string[]> {
  const site = await world.site(step.on);
  const [method = "GET", path = "/"] = step.send.split(" ");
  const own =
    step.bearer && step.bearer !== "none" ? await site.surface.bearer().catch(() => undefined) : undefined;
  const forged =
    step.bearer && step.bearer !== "own" ? await forge(world, site, step.bearer) : (one: string) => one;
  const bearer = step.bearer ? forged(own ?? "") : undefined;
  const cookies = await cookiesFor(world, site, step.cookie);
  const headers: Record<string, string> = {
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    ...(cookies.length > 0 && { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; ") }),
    ...(step.body && { "content-type": "application/json" }),
    ...step.headers,
  };
  const request = { method, path, headers, body: step.body && JSON.stringify(step.body) };
  const once = async () => {
    const answer = await world.request(world.timeline.now, request).catch(() => undefined);
    return answer ? answerOfHttp(answer.status, answer.body, step.show) : "unreachable";
  };
  return different(await Promise.all(Array.from({ length: step.times ?? 1 }, once)));
}

async function cookiesFor(
  world: World,
  site: Site,
  which: RequestStep["cookie"],
): Promise<readonly Cookie[]> {
  if (!which) return [];
  if (which === "own") return site.surface.cookies();
  if (which === "own, with the access token in it") {
    const value = (await site.surface.bearer()) ?? "";
    return (await site.surface.cookies()).map(({ name }) => ({ name, value }));
  }
  if (which === "the kept one") return site.kept.cookies;
  return (await world.site(which.slice("of ".length))).surface.cookies();
}

async function operate(world: World, step: OperatorStep): Promise<readonly string[]> {
  const { machine } = world;
  await world.tellTime();
  if ("stripe" in step) {
    const body = stripeEvent(step.stripe, `cus_${step.of}`, step.price, world.timeline.now);
    const seconds = Math.floor(world.timeline.now / 1000);
    const tag = createHmac("sha256", STRIPE_SECRET).update(`${seconds}.${body}`).digest("hex");
    const headers = { "content-type": "application/json", "stripe-signature": `t=${seconds},v1=${tag}` };
    const path = "/api/v1/billing/stripe/webhook";
    const answer = await world.request(world.timeline.now, { method: "POST", path, headers, body });
    return [answerOfHttp(answer.status, answer.body)];
  }
  const line = "operator" in step ? step.operator : step.run;
  const args = words(world, line);
  if ("operator" in step) {
    await machine.operator(
      WITHOUT_REASON.test(line) ? args : [...args, "--reason", "conformance"],
      "another good password",
    );
    await world.planted.server?.(machine, line);
    return [];
  }
  const { code, out } = await machine.command(args, { ...step.environment });
  return [
    step.saying === undefined || out.includes(step.saying) ? String(code) : `${code} saying: ${out.trim()}`,
  ];
}

/** The words of a command line, of which those in single quotes are one. */
function words(world: World, line: string): string[] {
  const parts = line.match(/'[^']*'|\S+/g) ?? [];
  return parts.map((part) => {
    if (part.startsWith("'")) return part.slice(1, -1);
    if (part.startsWith("@")) return world.sites.get(part.slice(1))?.session ?? part;
    return part === "ada" || part === "bob" ? emailOf(part) : part;
  });
}

async function happen(world: World, step: MachineStep): Promise<void> {
  const { machine } = world;
  if (!("server" in step)) await world.tellTime();
  if ("sql" in step) machine.sql(step.sql.replace(/@(\w+)/g, (_, device: string) => rowId(world, device)));
  else if ("database" in step) machine.hold(step.database === "held");
  else if ("redis" in step) await machine.redis(step.redis);
  else if ("panics" in step)
    await machine.testbed.order("/panics", { count: step.panics, after: step.after ?? 0 });
  else if ("keys" in step) await machine.testbed.order("/keys/rotate", {});
  else {
    if (step.server === "restarted") await machine.testbed.restart();
    else if (step.server === "killed") await machine.testbed.kill();
    else await machine.testbed.startAgain();
    world.reconnect();
  }
}

/** The id as the database keeps it: its sixteen bytes. */
function rowId(world: World, device: string): string {
  const session = world.sites.get(device)?.session;
  if (!session) throw new Error(`nobody has signed in on ${device}`);
  return `x'${session.replace("ses_", "")}'`;
}

async function nothing(work: Promise<unknown>): Promise<readonly string[]> {
  await work;
  return [];
}

/** Without what was there before, so that five hundred equal answers are one. */
const different = (answers: readonly string[]): readonly string[] =>
  [[...new Set(answers)].sort().join(" or ")].filter(Boolean);

const UNITS = { s: SECOND, m: MINUTE, h: HOUR, d: DAY } as const;

function ms(span: Span): number {
  const unit = span.at(-1) as keyof typeof UNITS;
  return Number(span.slice(0, -1)) * UNITS[unit];
}
