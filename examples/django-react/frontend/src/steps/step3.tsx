/**
 * One refresh at a time, in this tab and among all tabs of the browser. Whoever waited takes what the other has got:
 * presenting the old token once more would sign everybody out.
 */

import { appWith } from "../before/app.js";
import { type Policy, tokenSession } from "../before/session.js";
import { kept } from "../before/tokens.js";
import { policy as patient } from "./step2.js";

const LOOK_AGAIN_MS = 1000;

let underWay: Promise<void> | undefined;

export const policy: Policy = {
  ...patient,
  renew(refused) {
    underWay ??= navigator.locks
      .request("refresh", () => renewAlone(refused))
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  },
};

async function renewAlone(refused: string | null): Promise<void> {
  if (kept("access") !== refused) return;
  const presented = kept("refresh");
  try {
    await patient.renew(refused);
  } catch (error) {
    // Tabs have processes of their own, and what one has written to localStorage may reach another after the lock has.
    await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
    if (kept("refresh") === presented) throw error;
  }
}

export const App = appWith(tokenSession(policy));
