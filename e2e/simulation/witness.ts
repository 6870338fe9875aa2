/** Who looks on, and notes whatever a person was promised would not happen. */

import type { AuthEvent, AuthState, SignedOutState } from "../../web/client/src/types.js";
import type { Tab, Watcher } from "./browser.js";
import type { Timeline } from "./timeline.js";
import type { Trace } from "./trace.js";

/** The session that everything is about. */
export interface Signed {
  readonly userId: string;
  readonly sessionId: string;
  readonly expiresAt: number;
}

export class Witness implements Watcher {
  /** What went wrong, in sentences; empty in a good run. */
  readonly complaints: string[] = [];
  signed: Signed | undefined;
  /** The last words of each tab that was signed out. */
  readonly signedOut = new Map<Tab, SignedOutState>();

  constructor(
    private readonly timeline: Timeline,
    private readonly trace: Trace,
  ) {}

  complain(text: string): void {
    this.trace.say(`!!! ${text}`);
    this.complaints.push(text);
  }

  changed(tab: Tab, event: AuthEvent, state: AuthState): void {
    const said = state.status === "signedIn" ? state.freshness : state.status;
    if (event !== "INITIAL_STATE" && event !== "TOKEN_REFRESHED")
      this.trace.say(`${tab.name}: ${event}, ${said}`);
    const { signed } = this;
    if (!signed) return;
    if (event === "USER_CHANGED") this.complain(`${tab.name} shows another user`);
    if (state.status === "signedIn") this.#isSame(tab, signed, state.user.id, state.session.id);
    if (event !== "SIGNED_OUT" || state.status !== "signedOut") return;
    if (this.timeline.now < signed.expiresAt) {
      this.complain(`${tab.name} was signed out before the end: ${state.reason}`);
    } else if (this.signedOut.has(tab)) {
      this.complain(`${tab.name} was signed out twice`);
    }
    this.signedOut.set(tab, state);
  }

  #isSame(tab: Tab, signed: Signed, userId: string, sessionId: string): void {
    if (this.signedOut.has(tab)) this.complain(`${tab.name} came back after the end`);
    if (userId !== signed.userId) this.complain(`${tab.name} shows the user ${userId}`);
    if (sessionId !== signed.sessionId) this.complain(`${tab.name} shows the session ${sessionId}`);
  }

  /** A tab that nothing has disturbed for a while has to be live. */
  isLive(tab: Tab): void {
    const state = tab.client.getState();
    if (state.status !== "signedIn" || state.freshness !== "live") {
      const said = state.status === "signedIn" ? state.freshness : state.status;
      this.complain(`${tab.name} is ${said} although nothing has been wrong for a while`);
    }
  }
}
