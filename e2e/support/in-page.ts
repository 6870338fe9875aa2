/** What runs in the harness page: the SDK as an app would have it, and a record of what the app was told. */

import { type AuthEvent, type AuthState, type Client, createClient } from "@tenure/client";
import { entitlementsOf } from "@tenure/client/entitlements";
import { fromSimpleJwt, type SimpleJwtOptions } from "@tenure/client/migrate";
import axios from "axios";

export interface Told {
  /** Unix milliseconds with fractions, the same in all tabs of one machine. */
  readonly at: number;
  readonly event: AuthEvent;
  readonly state: AuthState;
}

declare global {
  interface Window {
    createClient: typeof createClient;
    axios: typeof axios;
    entitlementsOf: typeof entitlementsOf;
    client: Client;
    told: Told[];
    /** Set before the page runs: what the app left here when it went by another system. */
    migrateBy?: SimpleJwtOptions;
  }
}

window.createClient = createClient;
window.axios = axios;
window.entitlementsOf = entitlementsOf;
window.told = [];
window.client = createClient(window.migrateBy ? { migrate: fromSimpleJwt(window.migrateBy) } : {});
window.client.onAuthStateChange((event, state) => {
  window.told.push({ at: performance.timeOrigin + performance.now(), event, state });
});
