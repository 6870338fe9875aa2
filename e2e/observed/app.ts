/**
 * A small front end for Django with simplejwt, as many are: tokens in localStorage, axios with an interceptor that refreshes
 * and retries, calls by `fetch` beside it. It is written as it should be, and is observed. One of the planted bugs may be
 * switched on by the page's address: `?bug=forbidden`.
 */

import { observe } from "@tenure/client/observe";
import axios, { type AxiosError, type InternalAxiosRequestConfig } from "axios";
import { BUGS } from "./bugs.js";

const http = axios.create({ baseURL: "/api/" });
const bare = axios.create({ baseURL: "/api/" });

const observer = observe({
  reportTo: window.reportTo,
  refreshUrl: /token\/refresh/,
  signInPage: "/app/login",
  storageKeys: ["access_token", "refresh_token"],
  release: "2026.11.1",
  axios: bare,
});

interface Tokens {
  readonly access: string;
  readonly refresh?: string;
}

export const store = {
  get access(): string {
    return localStorage.getItem("access_token") ?? "";
  },
  get refresh(): string {
    return localStorage.getItem("refresh_token") ?? "";
  },
  keep({ access, refresh }: Tokens): void {
    localStorage.setItem("access_token", access);
    if (refresh) localStorage.setItem("refresh_token", refresh);
  },
  clear(): void {
    localStorage.removeItem("access_token");
    localStorage.removeItem("refresh_token");
  },
};

export function logout(): void {
  if (!store.refresh) return;
  store.clear();
  location.href = "/app/login";
}

export const renew = async (refresh: string): Promise<void> =>
  store.keep((await bare.post<Tokens>("token/refresh/", { refresh })).data);

/** What the app does; bugs change it. */
export const app = {
  /** Gets another access token in the place of one that was refused. `held` is the refresh token as the request began. */
  refresh: (access: string, _held: string): Promise<void> =>
    // One tab for all, and the token as it is stored by then.
    navigator.locks.request("refresh", async () => {
      if (store.access === access) await renew(store.refresh);
    }),
  /** What is done about a request that failed, by its status; 0 without an answer. */
  failed(_status: number): void {},
  /** What is done about a 401; false: nothing more. */
  unauthorized: (): boolean => true,
};

type Config = InternalAxiosRequestConfig & { access?: string; refresh?: string; isRetry?: boolean };

http.interceptors.request.use((config: Config) => {
  Object.assign(config, { access: store.access, refresh: store.refresh });
  config.headers.set("authorization", `Bearer ${store.access}`);
  return config;
});
http.interceptors.response.use(undefined, async (error: AxiosError) => {
  const config = error.config as Config;
  const status = error.response?.status ?? 0;
  app.failed(status);
  if (status !== 401 || config.isRetry || !app.unauthorized()) throw error;
  try {
    await app.refresh(config.access ?? "", config.refresh ?? "");
  } catch (refused) {
    // Whoever did not say that the token is refused has said nothing.
    if ((refused as AxiosError).response?.status === 401) logout();
    throw refused;
  }
  return http.request({ ...config, isRetry: true } as Config);
});

/** A call of the API; its status, or 0. */
const call = (path: string): Promise<number> =>
  http.get(path).then(
    ({ status }) => status,
    (error: AxiosError) => error.response?.status ?? 0,
  );

async function callByFetch(path: string): Promise<number> {
  const headers = { authorization: `Bearer ${store.access}` };
  const response = await fetch(`/api/${path}`, { headers }).catch(() => undefined);
  app.failed(response?.status ?? 0);
  return response?.status ?? 0;
}

async function signIn(username: string): Promise<void> {
  const form = { username, password: "correct horse" };
  store.keep((await bare.post<Tokens>("token/", form)).data);
}

async function signOut(): Promise<void> {
  // Somebody else counts it, where nobody forbids that.
  await fetch("https://counter.example/count", { method: "POST", mode: "no-cors" }).catch(() => {});
  await bare.post("token/blacklist/", { refresh: store.refresh }).catch(() => {});
  logout();
}

export const lastActivity = {
  at: Date.now(),
};
for (const name of ["mousemove", "keydown", "click"])
  addEventListener(name, () => {
    lastActivity.at = Date.now();
  });

if (location.pathname.endsWith("/login")) document.body.innerHTML = "<h1>Sign in</h1>";
else {
  document.body.innerHTML = `<h1>Dashboard</h1><button data-path="me/">Me</button><button data-path="users/">Users</button>
<button data-path="answer/402/">Pay</button><button data-path="answer/503/">Broken</button>
<button data-path="unreachable/">Unreachable</button><button id="out">Sign out</button><p id="answer"></p>`;
  for (const button of document.querySelectorAll<HTMLElement>("[data-path]"))
    button.onclick = async () => {
      const status = await call(button.dataset.path ?? "");
      document.querySelector("#answer")?.replaceChildren(`Answered ${status}`);
    };
  const out = document.querySelector<HTMLElement>("#out");
  if (out) out.onclick = () => void signOut();
  // Without its other tabs an app of one of them is told that a sign-in is over.
  addEventListener("storage", ({ key, newValue }) => {
    if (key === "refresh_token" && !newValue) location.href = "/app/login";
  });
  BUGS[new URLSearchParams(location.search).get("bug") ?? ""]?.();
}

/** An access token that the back end takes no more. */
const spoil = (): void => localStorage.setItem("access_token", store.access.replace(/[^.]+$/, "spoilt"));

Object.assign(window, {
  observed: { profile: observer.profile, store, call, callByFetch, signIn, spoil, app },
});

declare global {
  interface Window {
    /** The server that takes reports. */
    reportTo: string;
    observed: {
      profile: string;
      store: typeof store;
      call: typeof call;
      callByFetch: typeof callByFetch;
      signIn: typeof signIn;
      spoil: typeof spoil;
      app: typeof app;
    };
  }
}
