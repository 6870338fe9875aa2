/** People choose: 20 days, or until the browser is closed and a day at most. */

import { appWith } from "../before/app.js";
import { session } from "./step5.js";

export const App = appWith(session, { asksHowLong: true, joins: true });
