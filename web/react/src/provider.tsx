/** The provider, and the one place where React reads the client. */

import type { AuthState, Client, UnknownState } from "@tenure/client";
import type { Tracker } from "@tenure/client/tracker";
import {
  createContext,
  type JSX,
  type ReactNode,
  type RefObject,
  useCallback,
  useContext,
  useMemo,
  useRef,
  useSyncExternalStore,
} from "react";
import type { MessageOverrides } from "./messages.js";

export interface SessionProviderProps {
  /** Made once with `createClient`, outside of React: it outlives every render. */
  client: Client;
  /** From `createTracker(client)`. Adds idle times, places and the history of sign-outs to the components. */
  tracker?: Tracker | undefined;
  /** Sentences that replace the English ones; what is left out stays English. */
  messages?: MessageOverrides | undefined;
  children?: ReactNode;
}

interface Provided {
  readonly client: Client;
  readonly tracker: Tracker | undefined;
  readonly messages: MessageOverrides | undefined;
  /** The end whose banner the person has closed, so that the next sign-in form does not tell it again. */
  readonly told: RefObject<AuthState | null>;
}

const Context = /* @__PURE__ */ createContext<Provided | null>(null);
const UNKNOWN: UnknownState = { status: "unknown" };
const unknownOnServers = (): AuthState => UNKNOWN;

/** Gives the session to everything below it. It starts nothing and stops nothing: the client is yours. */
export function SessionProvider({ client, tracker, messages, children }: SessionProviderProps): JSX.Element {
  const told = useRef<AuthState | null>(null);
  const provided = useMemo(() => ({ client, tracker, messages, told }), [client, tracker, messages]);
  return <Context.Provider value={provided}>{children}</Context.Provider>;
}

/** What the provider holds. Throws without a provider, because nothing could work then. */
export function useProvided(): Provided {
  const provided = useContext(Context);
  if (!provided) throw new Error("Put a <SessionProvider client={...}> around what uses the session.");
  return provided;
}

/** The client that the provider was given. */
export function useClient(): Client {
  return useProvided().client;
}

/** The state as it is, for a `switch` over `status`. On a server and while hydrating it is `unknown`. */
export function useAuthState(): AuthState {
  const client = useClient();
  const subscribe = useCallback((listener: () => void) => client.subscribe(listener), [client]);
  return useSyncExternalStore(subscribe, () => client.getState(), unknownOnServers);
}
