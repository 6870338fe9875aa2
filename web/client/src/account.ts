/** What a person does with the account: sign out, end sessions, change password and profile. */

import { authorization, type Bearer } from "./bearer.js";
import type { Engine } from "./engine.js";
import type { Grant } from "./session.js";
import { type Call, done, failure, foreign } from "./transport.js";
import type { Client, Result } from "./types.js";
import { readSessions, readToken, readUser } from "./wire.js";

export function accountCalls(
  engine: Engine,
  bearer: Bearer,
): Pick<Client, "signOut" | "sessions" | "changePassword" | "updateProfile"> {
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

  /** A call that changes something about the session it was made for, and about no other that may have come since. */
  function change<T>(
    call: Call,
    read: (body: unknown) => { changed: Partial<Grant>; data: T } | undefined,
  ): Promise<Result<T>> {
    const sessionId = engine.tab.grant?.session.id ?? "";
    return send(call, (body) => {
      const answer = read(body);
      if (answer) engine.dispatch({ is: "changed", sessionId, changed: answer.changed });
      return answer?.data;
    });
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
        const isOwn = id === engine.tab.grant?.session.id;
        const path = `sessions/${encodeURIComponent(id)}`;
        const answer = await send({ method: "DELETE", path }, () => ({ ended: id }));
        // Whoever ends the session of this browser signs out of it.
        if (isOwn && answer.data) await engine.signOut();
        return answer;
      },
    },
    changePassword({ current, next }) {
      const json = { current_password: current, new_password: next };
      return change({ method: "POST", path: "password/change", json }, (body) => {
        // All earlier access tokens of the person are dead; this one takes their place.
        const token = readToken(body, engine.edges.random());
        const { ended_sessions: endedSessions } = body as { ended_sessions: number };
        return token && { changed: { token }, data: { endedSessions } };
      });
    },
    updateProfile: (profile) =>
      change({ method: "PATCH", path: "profile", json: profile }, (body) => {
        const user = readUser(body);
        return user && { changed: { user }, data: user };
      }),
  };
}

/** What an answer says in our names; an answer that cannot be read so is not the server's. */
export function readAs<T>(answer: Result<unknown>, read: (body: unknown) => T | undefined): Result<T> {
  if (answer.error) return answer;
  const data = read(answer.data);
  return data === undefined ? failure(foreign(200)) : done(data);
}
