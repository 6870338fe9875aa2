/** The back end no longer signs anybody out. Nothing changes here. */

export { App } from "./step3.js";
