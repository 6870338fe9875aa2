/** Mistakes that sign people out while their session is alive, as front ends make them. One is switched on at a time. */

import { api, client, interceptors, lastActivity, leave, logout, store } from "./app.js";

const IDLE_MS = 25 * 60_000;
const LOOK_MS = 200;

const when = (
  isMeant: (response: Response | undefined) => boolean,
  message: string,
  type: "AUTH_ERROR" | "UNKNOWN",
) =>
  interceptors.push((response) => {
    if (isMeant(response)) logout(message, type);
  });

export const BUGS: Readonly<Record<string, () => void>> = {
  forbidden: () => when((response) => response?.status === 403, "Access denied", "AUTH_ERROR"),

  payment: () => when((response) => response?.status === 402, "Subscription required", "AUTH_ERROR"),

  outage: () => when((response) => (response?.status ?? 0) >= 500, "Something went wrong", "UNKNOWN"),

  network: () => when((response) => !response, "Cannot reach the server", "UNKNOWN"),

  /** An idle timer that nobody remembers. */
  idle: () => {
    setInterval(() => {
      if (Date.now() - lastActivity > IDLE_MS) logout("Session timed out", "TOKEN_EXPIRED");
    }, LOOK_MS);
  },

  /** The same with a real sign-out: the server is told that the person wanted it. */
  kiosk: () => {
    const timer = setInterval(async () => {
      if (Date.now() - lastActivity <= IDLE_MS) return;
      clearInterval(timer);
      await client.signOut();
      leave();
    }, LOOK_MS);
  },

  /** Reads `exp` by this device's clock. */
  clock: () => {
    setInterval(async () => {
      const { data: token } = await client.getAccessToken();
      const [, payload = ""] = token?.split(".") ?? [];
      if (!payload) return;
      const { exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { exp: number };
      if (exp * 1000 < Date.now()) logout("JWT access token expired", "TOKEN_EXPIRED");
    }, LOOK_MS);
  },

  /** Takes a status of a refresh for the end, whoever answered. */
  proxy: () => {
    client.onAuthStateChange((_event, state) => {
      const status = state.status === "signedIn" && state.trouble?.error.status;
      if (status === 401) logout("Refresh token returned 401", "REFRESH_FAILED");
    });
  },

  /** A loop of its own, in which the tab that was not the last to renew believes that it has lost. */
  race: () => {
    const mine = crypto.randomUUID();
    addEventListener("storage", ({ key, newValue }) => {
      // After the token itself, of which the client hears on another way: browsers keep no order between the two.
      const lost = () => logout("Token was replaced", "REFRESH_FAILED");
      if (key === "last-refresh-by" && newValue !== mine) setTimeout(lost, 200);
    });
    setInterval(async () => {
      if (!(await client.refresh()).error) localStorage.setItem("last-refresh-by", mine);
    }, 1500);
  },

  /** A new version begins with an empty store, and takes that for "nobody is signed in". */
  startup: () => {
    if (store.user && localStorage.getItem("version") === "2") return;
    const was = store.user;
    localStorage.clear();
    localStorage.setItem("version", "2");
    // `logout` does nothing without a user; this code was written later.
    store.user = was;
    if (was) void client.ready().then(() => logout("No user in the store", "UNKNOWN"));
  },

  /** Starts the app afresh after any error. */
  error: () => {
    addEventListener("error", () => logout("The app was reset", "UNKNOWN"));
  },

  /** The tracker of another time, in a tab that has been open since: it knows neither session nor release. */
  "old-library": () => {
    interceptors.push((response) => {
      if (response?.status !== 403 || !store.user) return;
      const body = {
        type: "UNKNOWN",
        message: "logout",
        timestamp: Date.now(),
        idleMinutes: 0,
        location: location.pathname,
        context: { hasToken: true, hasRefreshToken: true, isAuthenticated: true },
      };
      store.user = null;
      void api("/api/v1/auth/logout-event/", { method: "POST", body: JSON.stringify(body) }).then(leave);
    });
  },
};
