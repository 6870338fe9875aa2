/** What a person does with the account: sign out, end sessions, change password and profile. */

import { authorization, type Bearer } from "./bearer.js";
import type { Engine } from "./engine.js";
import type { Grant } from "./session.js";
import { type Call, done, failure, foreign } from "./transport.js";
import type { Client, Result } from "./types.js";
import { readEntitlements, readSessions, readToken, readUser } from "./wire.js";

export function accountCalls(
  engine: Engine,
  bearer: Bearer,
): Pick<Client, "signOut" | "sessions" | "changePassword" | "updateProfile" | "entitlements"> {
  /** A call to Tenure's own API with the token; repeated once if the token is refused. */
  async function send<T>(call: Call, read: (body: unknown) => T | undefined): Promise<Result<T>> {
    const { data: held, error } = await bearer.held();
    if (error) return failure(error);
    const attempt = (grant: Grant) =>
      engine.transport.send({ ...call, path: `/api/v1/auth/${call.path}`, headers: authorization(grant) });
    const answer = await attempt(held);
    if (answer.error?.status !== 401 || answer.error.problemClass !== "authentication")
      return readAs(answer, read);
    const next = await bearer.another(held);
    return readAs(next ? await attempt(next) : answer, read);
  }

  return {
    async signOut({ scope = "this" } = {}) {
      const logout = () => send({ method: "POST", path: "logout", json: { scope } }, () => scope);
      const { error } = scope === "this" ? done(scope) : await logout();
      const delivered = scope === "others" || (await engine.signOut());
      // The person is signed out here in any case; that other devices are not must be said.
      return error ? failure(error) : done({ delivered });
    },
    sessions: {
      list: () => send({ method: "GET", path: "sessions" }, readSessions),
      async end(id) {
        const path = `sessions/${encodeURIComponent(id)}`;
        const answer = await send({ method: "DELETE", path }, () => ({ ended: id }));
        // Whoever ends the session of this browser signs out of it.
        if (answer.data && id === engine.tab.grant?.session.id) await engine.signOut();
        return answer;
      },
    },
    changePassword({ current, next }) {
      const json = { current_password: current, new_password: next };
      const sessionId = engine.tab.grant?.session.id ?? "";
      return send({ method: "POST", path: "password/change", json }, (body) => {
        // All earlier access tokens of the person are dead; this one takes their place.
        const token = readToken(body, engine.edges.random());
        if (token) engine.dispatch({ is: "token", sessionId, token });
        return token && { endedSessions: (body as { ended_sessions: number }).ended_sessions };
      });
    },
    entitlements(requirements = []) {
      // A semicolon would make two of one, and every answer after it another's.
      const asked = requirements.map((requirement) => requirement.replaceAll(";", ",")).join(";");
      const path = `entitlements?require=${encodeURIComponent(asked)}`;
      return send({ method: "GET", path }, (body) => readEntitlements(body, requirements.length));
    },
    async updateProfile(json) {
      const answer = await send({ method: "PATCH", path: "profile", json }, readUser);
      // Every tab hears of it with the next token.
      if (answer.data) await bearer.renew();
      return answer;
    },
  };
}

/** What an answer says in our names; an answer that cannot be read so is not the server's. */
export function readAs<T>(answer: Result<unknown>, read: (body: unknown) => T | undefined): Result<T> {
  if (answer.error) return answer;
  const data = read(answer.data);
  return data === undefined ? failure(foreign(200)) : done(data);
}
