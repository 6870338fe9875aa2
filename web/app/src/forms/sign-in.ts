import { find } from "./dom.js";
import { openPage } from "./page.js";
import { words } from "./words.js";

const page = openPage({
  required: { email: words.emailMissing, password: words.passwordMissing },
  pendingLabel: words.signingIn,
  async send(client, values) {
    const { data, error } = await client.signIn.password({
      email: String(values.get("email")).trim(),
      password: String(values.get("password")),
      rememberMe: values.has("remember_me"),
    });
    return { signedIn: data, error };
  },
});
find("#to-sign-up").hidden = !page.registrationOpen;
