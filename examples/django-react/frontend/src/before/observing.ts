/** From step 1 on: tells Tenure why the app signs people out, and changes nothing. To be imported before anything is sent or stored. */

import { observe } from "@tenure/client/observe";
import { KEYS } from "./tokens.js";

observe({
  reportTo: location.origin,
  refreshUrl: "/api/token/refresh/",
  signInPage: "/sign-in",
  signOutUrl: "/api/token/blacklist/",
  storageKeys: Object.values(KEYS),
});
