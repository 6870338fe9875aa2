/** What mutants are built from. */

export { entitlementsOf } from "../src/entitlements/index.js";
export { createClient } from "../src/index.js";
export { fromSimpleJwt } from "../src/migrate/index.js";
