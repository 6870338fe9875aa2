/** Importing this module watches every client of the page: `import "@tenure/client/monitor/auto";`. */

import { watchClients } from "../registry.js";
import { startMonitor } from "./index.js";

watchClients((client) => startMonitor(client).stop);
