import { el, find } from "./dom.js";
import { openPage } from "./page.js";
import { words } from "./words.js";

const outcome = find("[data-part=outcome]");

const page = openPage({
  required: { name: words.nameMissing, email: words.emailMissing, password: words.passwordMissing },
  pendingLabel: words.signingUp,
  async send(client, values) {
    const { data, error } = await client.signUp({
      name: String(values.get("name")).trim(),
      email: String(values.get("email")).trim(),
      password: String(values.get("password")),
      rememberMe: values.has("remember_me"),
    });
    return { signedIn: data?.signedIn ?? null, error };
  },
  onDone({ form, onward }) {
    form.hidden = true;
    outcome.replaceChildren(words.signedUp, " ", el("a", { href: onward("sign-in") }, words.signIn));
    outcome.focus();
  },
});

if (!page.registrationOpen) {
  page.form.hidden = true;
  outcome.textContent = words.signUpClosed;
}
