/** The pages go by the client's state, which all tabs of a browser share. */

import { appOf } from "../after/app.js";
import { client } from "./step5.js";

export const App = appOf(client);
