/** Tenure keeps the session. Whoever is signed in by simplejwt is taken along, and the pages stay as they are. */

import { createClient } from "@tenure/client";
import { fromSimpleJwt } from "@tenure/client/migrate";
import { createTracker } from "@tenure/client/tracker";
import axios from "axios";
import { appWith } from "../before/app.js";
import { leave, type Session } from "../before/session.js";
import { KEYS } from "../before/tokens.js";

export const client = createClient({
  migrate: fromSimpleJwt({
    refreshKey: KEYS.refresh,
    remove: [KEYS.access, KEYS.name],
    // Until step 8: tabs with the front end of before go on with them, and so does everybody if this step is taken back.
    keepUntilSignOut: true,
  }),
});
createTracker(client);

const api = axios.create();
client.attachAxios(api);
api.interceptors.response.use(undefined, (error) => {
  if (client.getState().status === "signedOut") leave();
  throw error;
});

export const session: Session = {
  api,
  async name() {
    const state = await client.ready();
    return state.status === "signedIn" ? state.user.name : null;
  },
  async signIn(email, password, rememberMe) {
    const { error } = await client.signIn.password({ email, password, rememberMe });
    return error?.message;
  },
  async signOut() {
    await client.signOut();
  },
};

export const App = appWith(session, { joins: true });
