/** The app that signs people out: on whatever goes wrong, and by itself when it refreshes twice at once. */

import { appWith } from "../before/app.js";
import { tokenSession } from "../before/session.js";
import { renew } from "../before/tokens.js";

export const App = appWith(tokenSession({ renew, isEnd: () => true }));
