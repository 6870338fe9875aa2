/**
 * A small front end as many are: a store of its own that says whether somebody is signed in, a function that forgets it
 * and goes to the sign-in page, and the client and its tracker beside it. One of the planted bugs may be switched on by
 * the page's address: `?bug=forbidden`.
 */

import { createClient } from "@tenure/client";
import { createTracker, type LogoutType, trackLogout } from "@tenure/client/tracker";
import { BUGS } from "./bugs.js";

export const client = createClient();
createTracker(client, { release: "2026.11.1" });

/** What the app itself believes, as front ends keep it. */
export const store = {
  get user(): string | null {
    return localStorage.getItem("auth-storage");
  },
  set user(name: string | null) {
    if (name) localStorage.setItem("auth-storage", name);
    else localStorage.removeItem("auth-storage");
  },
};

/** Forgets who is there, and goes to the sign-in page. It ends nothing on the server. */
export function logout(message: string, type: LogoutType): void {
  if (!store.user) return;
  trackLogout(message, type);
  leave();
}

// Where the client says that the session is over, it is.
client.onAuthStateChange((event) => {
  if (event === "SIGNED_OUT") store.user = null;
});

export function leave(): void {
  store.user = null;
  location.href = "/mystery/sign-in";
}

/** What the app does with each answer of its API, and with none; bugs add to it. */
export const interceptors: ((response: Response | undefined) => void)[] = [];

/** A call of the app's API. */
export async function api(path: string, init?: RequestInit): Promise<number> {
  const response = await client.fetch(path, init).catch(() => undefined);
  for (const intercept of interceptors) intercept(response);
  return response?.status ?? 0;
}

export let lastActivity = Date.now();
for (const name of ["mousemove", "keydown", "click"])
  addEventListener(name, () => {
    lastActivity = Date.now();
  });

const page = document.body;
if (location.pathname.endsWith("/sign-in"))
  page.innerHTML = "<h1>Sign in</h1><p>Please sign in to continue.</p>";
else {
  page.innerHTML = `<h1>Dashboard</h1><button data-path="/api/reports">Reports</button>
<button data-path="/api/upgrade">Upgrade</button><button id="chart">Chart</button><button id="out">Sign out</button><p id="answer"></p>`;
  for (const button of document.querySelectorAll<HTMLElement>("[data-path]"))
    button.onclick = async () => {
      const status = await api(button.dataset.path ?? "");
      document.querySelector("#answer")?.replaceChildren(`Answered ${status}`);
    };
  const chart = document.querySelector<HTMLElement>("#chart");
  if (chart)
    chart.onclick = () => {
      (undefined as unknown as { series: { draw(): void } }).series.draw();
    };
  const out = document.querySelector<HTMLElement>("#out");
  if (out) out.onclick = () => void client.signOut();
  BUGS[new URLSearchParams(location.search).get("bug") ?? ""]?.();
}

Object.assign(window, { mystery: { client, store, api } });

declare global {
  interface Window {
    mystery: { client: typeof client; store: typeof store; api: typeof api };
  }
}
