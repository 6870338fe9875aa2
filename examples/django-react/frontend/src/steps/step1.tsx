/** Observability: why people are signed out is told to Tenure. The app behaves as before. */

import "../before/observing.js";

export { App } from "./step0.js";
