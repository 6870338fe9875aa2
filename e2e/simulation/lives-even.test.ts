import { lives } from "./lives.js";

lives((seed) => seed % 2 === 0);
