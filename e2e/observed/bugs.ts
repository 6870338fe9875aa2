/** Mistakes that sign people out of an app with simplejwt, as front ends make them. One is switched on at a time. */

import { app, lastActivity, logout, renew, store } from "./app.js";

const IDLE_MS = 25 * 60_000;
const LOOK_MS = 200;

const onStatus = (isMeant: (status: number) => boolean) => {
  app.failed = (status) => {
    if (isMeant(status)) logout();
  };
};

export const BUGS: Readonly<Record<string, () => void>> = {
  forbidden: () => onStatus((status) => status === 403),

  payment: () => onStatus((status) => status === 402),

  outage: () => onStatus((status) => status >= 500),

  network: () => onStatus((status) => status === 0),

  /** Never heard of refresh tokens. */
  unauthorized: () => {
    app.unauthorized = () => {
      logout();
      return false;
    };
  },

  /** An idle timer that nobody remembers. */
  idle: () => {
    setInterval(() => {
      if (Date.now() - lastActivity.at > IDLE_MS) logout();
    }, LOOK_MS);
  },

  /** Reads `exp` by this device's clock. */
  clock: () => {
    setInterval(() => {
      const [, payload = ""] = store.access.split(".");
      if (!payload) return;
      const { exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { exp: number };
      if (exp * 1000 < Date.now()) logout();
    }, LOOK_MS);
  },

  /** Each tab keeps the refresh token that it has read when it was loaded. */
  race: () => {
    let mine = store.refresh;
    app.refresh = async () => {
      await renew(mine);
      mine = store.refresh;
    };
  },

  /** Every request that was refused refreshes for itself, one after the other, with the token of when it began. */
  parallel: () => {
    let queue = Promise.resolve();
    app.refresh = (_access, held) => {
      const turn = queue.then(() => renew(held));
      queue = turn.catch(() => {});
      return turn;
    };
  },

  /** A new version begins with an empty store. */
  startup: () => {
    if (localStorage.getItem("version") === "2") return;
    localStorage.clear();
    localStorage.setItem("version", "2");
    location.href = "/app/login";
  },

  /** Goes to the sign-in page and leaves the tokens where they are. */
  redirect: () => {
    app.failed = (status) => {
      if (status === 403) location.href = "/app/login";
    };
  },
};
