/** The buttons that break something: what each does, and what to expect of it. */

import type { AuthState, Client } from "@tenure/client";
import { accountBreaks, planBreaks, storm } from "./account.js";
import type { Breakage, Broken, Staged } from "./breakage.js";
import { type Burst, startBurst } from "./burst.js";
import type { EventLog } from "./events.js";

/** What a break works on. */
export interface Play {
  readonly client: Client;
  readonly breakage: Breakage;
  readonly events: EventLog;
}

export interface Break {
  readonly id: string;
  readonly label: string;
  /** What was done, in a sentence. */
  readonly did: string;
  /** What should come of it. */
  readonly expect: string;
  /** Does it, and tells what the app saw. `say` tells what is waited for meanwhile. */
  run(play: Play, say: (progress: string) => void): Promise<string> | string;
}

export interface Group {
  readonly title: string;
  readonly breaks: readonly Break[];
}

const DAY_MS = 86_400_000;
/** The client does not throw away a token that is younger, or an API that refuses all would make it ask without end. */
const TOKEN_YOUNG_MS = 10_500;
const PATIENCE_MS = 12_000;

const SHAPES: readonly { staged: Staged; label: string; means: string }[] = [
  { staged: 401, label: "401", means: "a 401 that is not about the session, as from another API" },
  { staged: 402, label: "402", means: "402: the plan is not active" },
  { staged: 403, label: "403", means: "403: you may not do this" },
  { staged: 500, label: "500", means: "500: something went wrong" },
  { staged: "html", label: "HTML", means: "a web page with status 200, as a hotel's Wi-Fi does" },
];

const apiAnswers: readonly Break[] = SHAPES.map(({ staged, label, means }) => ({
  id: `api-${staged}`,
  label,
  did: `An API call of the app was answered with ${means}.`,
  expect:
    "The app gets that answer, and nothing happens to the session: what an API says never signs anybody out.",
  run({ client, breakage }) {
    breakage.answerNext("api", staged);
    return callApi(client);
  },
}));

const refreshAnswers: readonly Break[] = SHAPES.map(({ staged, label, means }) => ({
  id: `refresh-${staged}`,
  label,
  did: `The refresh was answered with ${means}.`,
  expect:
    "The client does not believe it: it says “reconnecting” and asks again until the server itself answers.",
  async run(play) {
    play.breakage.answerNext("refresh", staged);
    return refreshed(play);
  },
}));

const dropAnswer: Break = {
  id: "drop",
  label: "Lose the next answer",
  did: "A refresh reached the server, which handed out a new token, and the answer was thrown away.",
  expect:
    "This page now holds less than the server gave. It asks again and is served: a lost answer costs nothing.",
  async run(play) {
    play.breakage.dropNext("refresh");
    return refreshed(play);
  },
};

const goOffline: Break = {
  id: "offline",
  label: "Go offline",
  did: "Nothing this page sends leaves it any more.",
  expect:
    "You stay signed in, “reconnecting”, for as long as it takes. Go online again when you have seen enough.",
  async run({ client, breakage }) {
    breakage.setOffline(true);
    const { error } = await client.refresh();
    return error ? `A refresh failed: ${error.message}` : "A refresh had just succeeded.";
  },
};

const goOnline: Break = {
  id: "online",
  label: "Go online again",
  did: "The network is back.",
  expect: "The client hears of it and asks at once, without waiting for its next attempt.",
  async run(play) {
    play.breakage.setOffline(false);
    return waitFor(play.client, isLive, "There is a fresh token.");
  },
};

const expireToken: Break = {
  id: "expire",
  label: "Expire the access token",
  did: "From now on the server refuses the access token that this tab holds, and the app made a call with it.",
  expect:
    "The call is refused with 401, a new token is fetched, the call is repeated, and the app never notices.",
  async run({ client, breakage, events }, say) {
    const { data: token, error } = await client.getAccessToken();
    if (error) return `There is no token to expire: ${error.message}`;
    breakage.refuse(token);
    const youngMs = TOKEN_YOUNG_MS - events.tokenAgeMs;
    if (youngMs > 0) {
      say(`A token of less than ten seconds is not thrown away. Calling in ${Math.ceil(youngMs / 1000)} s.`);
      await sleep(youngMs);
    }
    return callApi(client);
  },
};

const jumps: readonly Break[] = [
  ["forward", "Clock + 1 day", DAY_MS, "a day ahead"],
  ["back", "Clock − 1 day", -DAY_MS, "a day back"],
].map(([id, label, ms, where]) => ({
  id: `clock-${id}`,
  label: String(label),
  did: `The clock of this device was set ${where}, as far as this page can see it.`,
  expect: "Time is judged by the server's clock, so the session neither ends early nor lasts longer.",
  async run(play) {
    play.breakage.jump(Number(ms));
    return waitFor(
      play.client,
      isLive,
      "The client found out what time it is from the server's own answers.",
    );
  },
}));

const setClockRight: Break = {
  id: "clock-right",
  label: "Set the clock right",
  did: "The clock of this device is right again.",
  expect: "That is a jump like any other.",
  async run(play) {
    play.breakage.jump(0);
    return waitFor(play.client, isLive, "All is as before.");
  },
};

const openTab: Break = {
  id: "tab",
  label: "Open a second tab",
  did: "Another tab with this page was opened.",
  expect:
    "It asks this one for a token instead of the server. Sign out in one of them, and the other follows.",
  run() {
    open(location.href, "_blank");
    return "Put the tabs side by side, and watch “tabs alive” and “tokens from other tabs”.";
  },
};

/** How many times, and so how many answers are lost on their way. */
const RELOADS = 8;

const reloadBurst: Break = {
  id: "reload",
  label: `Reload ${RELOADS} times`,
  did: `The page was loaded ${RELOADS} times in a row, each time before or just after its refresh was answered.`,
  expect:
    "Each load asks for a token, and some answers are lost. None of it is taken for theft of the session.",
  run({ client }) {
    const state = client.getState();
    return startBurst(RELOADS, state.status === "signedIn" ? state.session.id : undefined)
      ? "Reloading…"
      : "This browser denies the page the storage that it needs to count.";
  },
};

const revoke: Break = {
  id: "revoke",
  label: "Revoke this session",
  did: "The session was ended on the server, behind this tab's back, as from another device.",
  expect:
    "This is one of the few true reasons: the next refresh is told so, asks once more, and you are signed out.",
  async run({ client, breakage }) {
    const state = client.getState();
    const { data: token } = await client.getAccessToken();
    if (state.status !== "signedIn" || !token) return "There is no session to revoke just now.";
    // Not by `client.sessions.end`: with credentials left out the answer cannot touch this browser's cookie, which is
    // how it is when another device or an administrator does it.
    const answer = await breakage.edges.fetch(`${client.baseUrl}/api/v1/auth/sessions/${state.session.id}`, {
      method: "DELETE",
      credentials: "omit",
      headers: { Authorization: `Bearer ${token}` },
    });
    if (!answer.ok) return `That did not work: the server answered ${answer.status}.`;
    await client.refresh();
    return waitFor(client, isOut, "The end has a reason and a receipt, to quote to support.");
  },
};

const signOut: Break = {
  id: "sign-out",
  label: "Sign out",
  did: "You signed out.",
  expect: "It takes effect here at once, offline too, and in all tabs.",
  async run({ client }) {
    const { data, error } = await client.signOut();
    if (error) return error.message;
    return data.delivered ? "The server knows." : "The server will be told when it can be reached.";
  },
};

/** All of them, in the order of the page. Going offline and setting the clock have a way back. */
export function groups(broken: Broken): readonly Group[] {
  return [
    { title: "Network", breaks: [dropAnswer, broken.isOffline ? goOnline : goOffline] },
    { title: "An API call is answered with", breaks: apiAnswers },
    { title: "The refresh is answered with", breaks: refreshAnswers },
    {
      title: "Token and clock",
      breaks: [expireToken, ...jumps, ...(broken.jumpedMs === 0 ? [] : [setClockRight])],
    },
    { title: "Tabs", breaks: [openTab, reloadBurst] },
    { title: "Your account", breaks: [...accountBreaks, storm] },
    { title: "Your account has the plan", breaks: planBreaks },
    { title: "What does sign you out", breaks: [revoke, signOut] },
  ];
}

/** The break that the page has just come back from. */
export function burstEnded({ loads, tookMs }: Burst): { told: Break; result: string } {
  const seconds = (tookMs / 1000).toFixed(1);
  return { told: reloadBurst, result: `${loads} loads in ${seconds} seconds.` };
}

const isLive = (state: AuthState) => state.status === "signedIn" && state.freshness === "live";
const isOut = (state: AuthState) => state.status === "signedOut";

/** A call as an app makes it, and what came of it. */
async function callApi(client: Client): Promise<string> {
  try {
    const response = await client.fetch(`${client.baseUrl}/api/v1/auth/profile`);
    const isPage = response.headers.get("content-type")?.includes("html");
    return `The app's call was answered ${response.status}${isPage ? ", with a web page" : ""}.`;
  } catch (error) {
    return `The app's call failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function refreshed(play: Play): Promise<string> {
  const { error } = await play.client.refresh();
  const first = error ? `The first attempt failed: ${error.message}` : "The refresh succeeded.";
  if (!error) return first;
  return waitFor(play.client, isLive, `${first} The next one was answered.`);
}

/** Answers `then` once it is so, or that it is not so yet. */
async function waitFor(client: Client, isSo: (state: AuthState) => boolean, then: string): Promise<string> {
  return new Promise((resolve) => {
    const end = (sentence: string) => {
      clearTimeout(timer);
      stop();
      resolve(sentence);
    };
    const look = () => isSo(client.getState()) && end(then);
    const timer = setTimeout(() => end("Nothing has come of it yet; keep watching."), PATIENCE_MS);
    const stop = client.subscribe(look);
    look();
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
