/** Somebody who uses a browser for twenty days, and what befalls them. */

import type { Tab } from "./browser.js";
import { ORIGIN, type Weather } from "./network.js";
import { DAY, HOUR, MINUTE, SECOND } from "./timeline.js";
import type { World } from "./world.js";

/** After the last disturbance a tab has so long to be live again: a few attempts, and the pauses between them. */
const RECOVERY_MS = 100 * SECOND;
/** 2S: crashes that roll the jar back are this far apart (H3 of docs/protocol.md). */
const CRASHES_APART_MS = 3 * MINUTE;
const TABS = 4;

export class Person {
  /** Raised whenever the weather changes, so that what would have cleared it up later does not. */
  #weatherTurn = 0;
  #crashedAt: number;
  /** Which way this device's clock goes wrong: one way only, a cookie has one day of margin. */
  readonly #clockError: number;
  #isClosed = false;
  #isOver = false;

  constructor(
    private readonly world: World,
    /** How old the jar of a crashed browser may be. */
    private readonly flushLagMs: number,
    /** The part of requests soon after which the device falls asleep. */
    private readonly naps: number,
  ) {
    this.#crashedAt = world.timeline.now;
    this.#clockError = world.random.pick([-1, 1]);
    world.network.onSend = () => this.#requestLeft();
    world.network.onCookie = () => this.#cookieCame();
  }

  /** Plans all days: when the device is awake, and what happens then. */
  plan(): void {
    const { timeline, random } = this.world;
    const alwaysOn = random.chance(0.04);
    const start = timeline.now;
    for (let day = 0; day < 20; day += 1) {
      if (!alwaysOn && random.chance(0.2)) continue;
      let at = start + day * DAY + (day === 0 ? 20 * MINUTE : random.spread(1, 10 * HOUR));
      const bedtime = Math.min(start + (day + 1) * DAY, this.world.expiresAt);
      while (at < bedtime) {
        const until = Math.min(bedtime, at + random.spread(MINUTE, 1.5 * HOUR));
        this.#sitting(at, until, alwaysOn);
        at = until + random.spread(5 * MINUTE, 20 * HOUR);
      }
    }
  }

  /** Comes back for good, and nothing else happens. */
  return(): void {
    this.#isOver = true;
    this.#weather("fine");
    this.#setClock(0);
    this.#wake();
    this.#reopen();
  }

  /** The device is awake from `at` to `until`, and is used. */
  #sitting(at: number, until: number, alwaysOn: boolean): void {
    const { timeline, random } = this.world;
    timeline.at(at, () => this.#wake());
    for (let then = at; then < until; then += random.spread(MINUTE, HOUR))
      timeline.at(then, () => this.#use());
    for (let then = at + random.spread(SECOND, HOUR); then < until; then += random.spread(MINUTE, 8 * HOUR))
      timeline.at(then, () => this.#befall());
    for (let then = at + 5 * MINUTE; then < until; then += 5 * MINUTE) timeline.at(then, () => this.#look());
    if (!alwaysOn) timeline.at(until, () => this.#sleep());
  }

  #wake(): void {
    const { device, trace, browser, random } = this.world;
    if (!device.isAsleep) return;
    trace.say("the device wakes");
    device.wake();
    this.world.network.disturb();
    // Some systems tell the pages, and some leave it to them to find out.
    if (random.chance(0.7)) device.after(random.between(0, 500), () => browser.wake());
    if (browser.tabs.length === 0) this.#reopen();
  }

  #sleep(): void {
    const { device, trace, browser, network } = this.world;
    if (device.isAsleep || this.#isOver) return;
    trace.say("the device sleeps");
    for (const tab of browser.tabs) network.suspend(tab);
    device.sleep();
  }

  /** An ordinary act. */
  #use(): void {
    const { random, browser, device } = this.world;
    if (device.isAsleep || this.#isOver) return;
    if (this.#isClosed) this.#reopen();
    const tab = random.pick(browser.tabs);
    const draw = random.next();
    if (draw < 0.6) void this.#call(tab);
    else if (draw < 0.75) this.#reload(tab);
    else if (draw < 0.8) for (const other of [...browser.tabs]) this.#reload(other);
    else if (draw < 0.9 && browser.tabs.length < TABS + 2) browser.open();
    else if (browser.tabs.length > 1) browser.close(tab);
  }

  /** What a person cannot help. */
  #befall(): void {
    const { random, device, testbed, timeline, trace, network } = this.world;
    if (this.#isOver) return;
    const draw = random.next();
    if (draw < 0.5) {
      this.#badWeather();
    } else if (draw < 0.6) {
      this.#restart();
    } else if (draw < 0.65) {
      trace.say("the signing key changes");
      void timeline.hold(testbed.rotateKeys(timeline.now));
    } else if (draw < 0.75) {
      this.#setClock(random.chance(0.5) ? this.#clockError * random.spread(MINUTE, DAY) : 0);
    } else if (draw < 0.85) {
      this.#burst(random.between(3, 20));
    } else if (draw < 0.95) {
      this.#crash();
    } else if (!device.isAsleep) {
      this.#nap();
    }
    network.disturb();
  }

  #badWeather(): void {
    const { random, timeline } = this.world;
    const kind = random.pick([
      "offline",
      "silent",
      "bad",
      "bad",
      "bad",
      "portal",
      "proxy",
      "failing",
    ] as const);
    const longest = kind === "offline" || kind === "bad" ? 2 * DAY : 2 * HOUR;
    this.#weather(kind);
    const turn = this.#weatherTurn;
    timeline.after(random.spread(10 * SECOND, longest), () => {
      if (turn === this.#weatherTurn) this.#weather("fine");
    });
  }

  #weather(weather: Weather): void {
    const { network, trace, device, browser, random } = this.world;
    if (weather === network.weather) return;
    trace.say(`the network is ${weather}`);
    const wasOffline = network.weather === "offline";
    this.#weatherTurn += 1;
    network.weather = weather;
    network.disturb();
    if (wasOffline && !device.isAsleep && random.chance(0.8))
      device.after(random.between(0, 300), () => browser.wake());
  }

  #restart(): void {
    const { random, timeline, testbed, trace } = this.world;
    this.#weather("down");
    const turn = this.#weatherTurn;
    timeline.after(random.spread(SECOND, 10 * MINUTE), () => {
      trace.say("the server starts again");
      void timeline.hold(testbed.restart(timeline.now)).then(() => {
        if (turn === this.#weatherTurn) this.#weather("fine");
      });
    });
  }

  #setClock(offsetMs: number): void {
    const { device, trace, network } = this.world;
    if (offsetMs === device.wallOffsetMs) return;
    trace.say(`the device's clock is set to be ${offsetMs} ms ahead`);
    device.wallOffsetMs = offsetMs;
    network.disturb();
  }

  #reload(tab: Tab): void {
    const { browser, random, device } = this.world;
    browser.close(tab);
    this.#isClosed = browser.tabs.length === 0;
    device.after(random.between(20, 400), () => {
      this.#isClosed = false;
      browser.open();
    });
  }

  /** Somebody leans on the reload key, in one tab or in all. */
  #burst(times: number): void {
    const { browser, random, device } = this.world;
    for (const tab of random.chance(0.3) ? [...browser.tabs] : browser.tabs.slice(0, 1)) this.#reload(tab);
    if (times > 1) device.after(random.between(410, 1500), () => this.#burst(times - 1));
  }

  /** Seconds or minutes of sleep in the middle of everything. */
  #nap(): void {
    const { random, timeline, device } = this.world;
    if (device.isAsleep) return;
    this.#sleep();
    timeline.after(random.spread(SECOND, 20 * MINUTE), () => this.#wake());
  }

  /** Sleep is most dangerous while a request is under way. */
  #requestLeft(): void {
    const { random, timeline } = this.world;
    if (random.chance(this.naps)) timeline.after(random.spread(5, 5 * SECOND), () => this.#nap());
  }

  /** A crash is most dangerous just after a cookie has come. */
  #cookieCame(): void {
    const { random, timeline } = this.world;
    if (random.chance(0.01)) timeline.after(random.between(0, 40 * SECOND), () => this.#crash());
  }

  #crash(): void {
    const { timeline, browser, random, device, network } = this.world;
    if (timeline.now - this.#crashedAt < CRASHES_APART_MS || device.isAsleep || this.#isOver) return;
    this.#crashedAt = timeline.now;
    network.disturb();
    browser.crash(random.between(0, this.flushLagMs - 100));
    this.#isClosed = true;
    device.after(random.spread(SECOND, 2 * HOUR), () => this.#reopen());
  }

  #reopen(): void {
    const { browser } = this.world;
    this.#isClosed = false;
    for (let count = browser.tabs.length; count < TABS; count += 1) browser.open();
  }

  /** A page asks the API for something. */
  async #call(tab: Tab): Promise<void> {
    const { network, timeline, witness, browser } = this.world;
    const calledAt = timeline.now;
    const wasQuiet = this.#isQuiet(tab);
    const outcome = await tab.client.fetch(`${ORIGIN}/api/v1/auth/sessions`).then(
      (response) => response.status,
      (error: Error) => error.message,
    );
    const isMeant = wasQuiet && network.disturbedAt < calledAt && browser.tabs.includes(tab);
    if (isMeant && outcome !== 200 && timeline.now < this.world.expiresAt)
      witness.complain(`${tab.name} called the API and got ${outcome}`);
  }

  #look(): void {
    const { browser, witness, timeline, device } = this.world;
    if (device.isAsleep || timeline.now >= this.world.expiresAt || this.#isOver) return;
    for (const tab of browser.tabs) if (this.#isQuiet(tab)) witness.isLive(tab);
  }

  /** Nothing has been wrong for this tab for so long that it has to be live. */
  #isQuiet(tab: Tab): boolean {
    const { network, timeline } = this.world;
    const since = Math.max(network.disturbedAt, tab.openedAt);
    return ["fine", "bad"].indexOf(network.weather) === 0 && timeline.now - since > RECOVERY_MS;
  }
}
