/** Only a refusal of the refresh token itself signs out, or none being there. A refresh that is not answered is tried again. */

import "../before/observing.js";
import { isAxiosError } from "axios";
import { appWith } from "../before/app.js";
import { type Policy, tokenSession } from "../before/session.js";
import { kept, renew } from "../before/tokens.js";

const PAUSES_MS = [500, 1000, 2000, 4000];

const wasRefused = (error: unknown) =>
  isAxiosError(error) && error.config?.url === "/api/token/refresh/" && error.response?.status === 401;

export const policy: Policy = {
  isEnd: (error) => wasRefused(error) || !kept("refresh"),

  async renew() {
    for (const pause of PAUSES_MS) {
      const error = await renew().catch((error: unknown) => error);
      if (!error) return;
      if (policy.isEnd(error)) throw error;
      await new Promise((done) => setTimeout(done, pause * (0.5 + Math.random())));
    }
    await renew();
  },
};

export const App = appWith(tokenSession(policy));
