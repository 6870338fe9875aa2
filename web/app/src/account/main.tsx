import { SessionProvider } from "@tenure/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { find } from "../forms/dom.js";
import { locale, openSession } from "../session.js";
import { AccountPage } from "./page.js";

const { client, tracker } = openSession();

createRoot(find("#root")).render(
  <StrictMode>
    <SessionProvider client={client} tracker={tracker} messages={{ locale }}>
      <AccountPage />
    </SessionProvider>
  </StrictMode>,
);
