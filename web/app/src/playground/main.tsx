import { SessionProvider } from "@tenure/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { readConfig } from "../config.js";
import { find } from "../forms/dom.js";
import { locale, openSession } from "../session.js";
import { Breakage } from "./breakage.js";
import { continueBurst } from "./burst.js";
import { EventLog } from "./events.js";
import { PlaygroundPage } from "./page.js";
import { TabCounter } from "./tabs.js";

const breakage = new Breakage({
  fetch: (input, init) => fetch(input, init),
  wallNow: () => Date.now(),
  // What browsers say when the network returns, and what the client listens to.
  wake: () => dispatchEvent(new Event("online")),
});
const burst = continueBurst();
const { client, tracker } = openSession(breakage.edges);
const events = new EventLog(client);
const tabs = new TabCounter();
addEventListener("pagehide", () => tabs.leave());

createRoot(find("#root")).render(
  <StrictMode>
    <SessionProvider client={client} tracker={tracker} messages={{ locale }}>
      <PlaygroundPage
        play={{ client, breakage, events }}
        tabs={tabs}
        config={readConfig()}
        burst={burst === "going on" ? null : burst}
      />
    </SessionProvider>
  </StrictMode>,
);
