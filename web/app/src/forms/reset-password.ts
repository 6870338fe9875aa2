/** Choosing a new password with a link from an administrator. It knows no session and makes none. */

import { browserEdges } from "@tenure/client/edges.js";
import { Transport } from "@tenure/client/transport.js";
import { basePath } from "../return-target.js";
import { el, find } from "./dom.js";
import { enhance } from "./form.js";
import { tokenIn } from "./reset-token.js";
import { words } from "./words.js";

const form = find<HTMLFormElement>("form");
const outcome = find("[data-part=outcome]");
const transport = new Transport(basePath(location.href), browserEdges(), () => {});
const token = tokenIn(location.hash);
// Before anybody looks over a shoulder or takes a picture, and out of what the browser remembers.
history.replaceState(null, "", location.pathname);

function say(...sentence: (Node | string)[]): void {
  form.hidden = true;
  outcome.replaceChildren(...sentence);
  outcome.focus();
}

const incomplete = "This address is not the whole link. Open the link you were given, or copy all of it.";
if (token) form.hidden = false;
else say(incomplete);

// A second link that is opened here changes the address alone, and would otherwise do nothing.
addEventListener("hashchange", () => location.reload());

enhance(form, {
  required: { new_password: "Enter a new password." },
  pendingLabel: "Setting the password…",
  async send(values) {
    const { error } = await transport.send({
      method: "POST",
      path: "/api/v1/auth/password/reset",
      json: { token, new_password: String(values.get("new_password")) },
    });
    if (error?.code === "reset_link_invalid") {
      say("This link is not good any more: it was used, or is too old. Ask for another.");
      return null;
    }
    if (!error) say("Your password is set. ", el("a", { href: "sign-in" }, words.signIn));
    return error;
  },
});
