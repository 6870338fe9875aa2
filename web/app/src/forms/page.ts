/** What the sign-in page and the sign-up page share. */

import type { Client, ProblemError, SignedIn } from "@tenure/client";
import { readConfig } from "../config.js";
import { returnTarget, withReturn } from "../return-target.js";
import { openSession } from "../session.js";
import { banner } from "./banner.js";
import { find } from "./dom.js";
import { enhance } from "./form.js";

export interface Page {
  readonly client: Client;
  readonly form: HTMLFormElement;
  readonly registrationOpen: boolean;
  /** Goes to where the person wanted to go. */
  leave(): void;
  /** A page that will go there in the end. */
  onward(page: string): string;
}

export interface PageIntent {
  readonly required: Readonly<Record<string, string>>;
  readonly pendingLabel: string;
  /** Sends the form; `signedIn` is null if the person has yet to sign in. */
  send(client: Client, values: FormData): Promise<{ signedIn: SignedIn | null; error: ProblemError | null }>;
  /** Called if it worked and nobody is signed in. */
  onDone?(page: Page): void;
}

/** Takes over the form of this page. Whoever is signed in already is told, and may go on or use another account. */
export function openPage(intent: PageIntent): Page {
  const { client, tracker } = openSession();
  const panel = find("#form");
  const form = find<HTMLFormElement>("form", panel);
  const email = find<HTMLInputElement>("input[name=email]", form);
  const given = find<HTMLInputElement>("input[name=return_to]", form).value;
  const target = returnTarget(given, location.href);
  const page: Page = {
    client,
    form,
    registrationOpen: readConfig().registration_open,
    leave: () => location.assign(target),
    onward: (name) => withReturn(name, target),
  };
  let leaving = false;
  let another = false;

  enhance(form, {
    required: intent.required,
    pendingLabel: intent.pendingLabel,
    async send(values) {
      leaving = true;
      const { signedIn, error } = await intent.send(client, values);
      leaving = !error && signedIn !== null;
      if (leaving) page.leave();
      else if (!error) intent.onDone?.(page);
      return error;
    },
  });
  for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-onward]")) {
    link.href = page.onward(link.dataset.onward ?? "");
  }

  const tell = banner(find("[data-tenure=logout-reason-banner]"), tracker, () => email.focus());
  const already = alreadySignedIn(target, () => {
    another = true;
    look();
    email.focus();
  });
  function look(): void {
    const state = client.getState();
    tell(state);
    if (leaving) return;
    const here = state.status === "signedIn" && !another;
    // The focus goes along, or it would be lost with what is hidden.
    const hadFocus = panel.contains(document.activeElement);
    panel.hidden = here;
    already(state.status === "signedIn" ? `${state.user.name} (${state.user.email})` : "", here, hadFocus);
  }
  client.subscribe(look);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    // Back from where the form led: nobody else in front of this screen is to find a password in it.
    leaving = false;
    find<HTMLInputElement>("input[name=password]", form).value = "";
    look();
  });
  look();
  return page;
}

function alreadySignedIn(target: string, onAnother: () => void) {
  const panel = find("#already");
  const who = find("#already-who");
  find<HTMLAnchorElement>("#already-continue").href = target;
  find("#already-another").addEventListener("click", onAnother);
  return (name: string, shown: boolean, takeFocus: boolean): void => {
    const appears = shown && panel.hidden;
    who.textContent = name;
    panel.hidden = !shown;
    if (appears && takeFocus) find("h1", panel).focus();
  };
}
