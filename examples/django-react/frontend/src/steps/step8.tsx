/** Nothing is left of the tokens of before, here and in the browser. */

import { createClient } from "@tenure/client";
import { createTracker } from "@tenure/client/tracker";
import { appOf } from "../after/app.js";
import { KEYS } from "../before/tokens.js";

const client = createClient({ migrate: { removeKeys: Object.values(KEYS) } });
createTracker(client);

export const App = appOf(client);
