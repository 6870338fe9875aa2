import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { find } from "../forms/dom.js";
import { App } from "./app.js";

const base = find<HTMLMetaElement>('meta[name="tenure-base"]').content;

createRoot(find("#root")).render(
  <StrictMode>
    <App base={base} />
  </StrictMode>,
);
