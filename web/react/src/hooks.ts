/** Hooks. None of them throws for what can be expected to happen: errors are values, as the client's are. */

import type {
  Client,
  Credentials,
  ProblemError,
  Result,
  ServerStatus,
  Session,
  SessionEntry,
  SignedIn,
  SignedOutReason,
  Trouble,
  User,
} from "@tenure/client";
import { useCallback, useEffect, useRef, useState } from "react";
import { useAuthState, useClient } from "./provider.js";

interface Refetchable {
  /** Present while the server cannot be asked. Nothing ends because of it. */
  readonly trouble: Trouble | undefined;
  /** Gets a new access token and with it the person as the server knows them now, as after a change of role. */
  refetch(): Promise<Result<SignedIn>>;
}

/** The session with every member always there, so that it can be taken apart: `const { user } = useSession()`. */
export type UseSession = Refetchable &
  (
    | { readonly status: "unknown"; readonly user: null; readonly session: null; readonly reason: null }
    | { readonly status: "signedIn"; readonly user: User; readonly session: Session; readonly reason: null }
    | {
        readonly status: "signedOut";
        readonly user: null;
        readonly session: null;
        readonly reason: SignedOutReason;
      }
  );

export function useSession(): UseSession {
  const client = useClient();
  const state = useAuthState();
  const refetch = useCallback(() => client.refresh(), [client]);
  const none = { user: null, session: null, reason: null, trouble: undefined, refetch };
  switch (state.status) {
    case "unknown":
      return { ...none, status: "unknown", trouble: state.trouble };
    case "signedIn":
      return {
        ...none,
        status: "signedIn",
        user: state.user,
        session: state.session,
        trouble: state.trouble,
      };
    case "signedOut":
      return { ...none, status: "signedOut", reason: state.reason };
  }
}

/** The person who is signed in, or null. */
export function useUser(): User | null {
  const state = useAuthState();
  return state.status === "signedIn" ? state.user : null;
}

/** What there is to quote to support about the end of the session. */
export interface LogoutReceipt {
  readonly reason: SignedOutReason;
  readonly receipt: string | null;
  readonly sessionId: string | null;
}

/** The receipt of the end that signed the person out here; null while signed in, unknown, or never signed in. */
export function useLogoutReceipt(): LogoutReceipt | null {
  const state = useAuthState();
  if (state.status !== "signedOut" || state.reason === "never_signed_in") return null;
  return { reason: state.reason, receipt: state.receipt ?? null, sessionId: state.sessionId ?? null };
}

/** Whether an end came over the person, rather than being what they had just asked for. */
export function isInvoluntary(reason: SignedOutReason): boolean {
  return reason !== "never_signed_in" && reason !== "signed_out" && reason !== "signed_out_everywhere";
}

interface Action<Input extends unknown[], Output> {
  run(...input: Input): Promise<Result<Output>>;
  /** Whether an answer is awaited. */
  readonly pending: boolean;
  /** How the last attempt failed; null before, meanwhile and after a success. */
  readonly error: ProblemError | null;
  /** Forgets the error, as when the person has begun to correct the form. */
  reset(): void;
}

function useAction<Input extends unknown[], Output>(
  act: (client: Client, ...input: Input) => Promise<Result<Output>>,
): Action<Input, Output> {
  const client = useClient();
  const [{ pending, error }, set] = useState<{ pending: boolean; error: ProblemError | null }>(IDLE);
  const run = useCallback(
    async (...input: Input) => {
      set({ pending: true, error: null });
      let failed: ProblemError | null = null;
      try {
        const result = await act(client, ...input);
        failed = result.error;
        return result;
      } finally {
        set({ pending: false, error: failed });
      }
    },
    [client, act],
  );
  const reset = useCallback(() => set(IDLE), []);
  return { run, pending, error, reset };
}

const IDLE = { pending: false, error: null };

type Named<Name extends string, Input extends unknown[], Output> = Omit<Action<Input, Output>, "run"> & {
  readonly [Key in Name]: (...input: Input) => Promise<Result<Output>>;
};

type Person = Credentials & { name: string };
type SignOutOptions = { scope?: "this" | "others" | "everywhere" };

const signIn = (client: Client, credentials: Credentials) => client.signIn.password(credentials);
const signUp = (client: Client, person: Person) => client.signUp(person);
const signOut = (client: Client, options?: SignOutOptions) => client.signOut(options);

/** `signIn(credentials)` with `pending` and `error` for a form. */
export function useSignIn(): Named<"signIn", [Credentials], SignedIn> {
  const { run, ...rest } = useAction(signIn);
  return { signIn: run, ...rest };
}

/** `signUp(person)` with `pending` and `error` for a form. */
export function useSignUp(): Named<"signUp", [Person], { signedIn: SignedIn | null }> {
  const { run, ...rest } = useAction(signUp);
  return { signUp: run, ...rest };
}

/** `signOut({ scope })`. Signing out of this browser takes effect at once, offline too. */
export function useSignOut(): Named<"signOut", [options?: SignOutOptions], { delivered: boolean }> {
  const { run, ...rest } = useAction(signOut);
  return { signOut: run, ...rest };
}

/** The device list. */
export interface UseSessions {
  /** Newest first; null before the first answer. A list stays while it is fetched again. */
  readonly sessions: readonly SessionEntry[] | null;
  readonly loading: boolean;
  readonly error: ProblemError | null;
  refetch(): Promise<void>;
  /** Ends one of them and takes it off the list. */
  end(id: string): Promise<Result<{ ended: string }>>;
}

/** A list, and whose it is: it is not shown to anybody else, not even for a moment. */
type OwnedList = Pick<UseSessions, "sessions" | "loading" | "error"> & { readonly owner: string | null };

/** The person's sessions on all devices, fetched when the component appears and when the person changes. */
export function useSessions(): UseSessions {
  const client = useClient();
  const owner = useUser()?.id ?? null;
  const [held, setHeld] = useState<OwnedList>(listOf(null));
  // The answer to the newest question counts; an older one may be about another person.
  const newest = useRef(0);

  const refetch = useCallback(async () => {
    newest.current += 1;
    const asked = newest.current;
    setHeld((list) => ({ ...listOf(owner, list), loading: true }));
    const { data, error } = await client.sessions.list();
    if (asked !== newest.current) return;
    setHeld((list) => {
      const before = listOf(owner, list);
      return { owner, sessions: data ?? before.sessions, loading: false, error };
    });
  }, [client, owner]);

  useEffect(() => {
    if (owner) void refetch();
    return () => {
      newest.current += 1;
    };
  }, [owner, refetch]);

  const end = useCallback(
    async (id: string) => {
      const result = await client.sessions.end(id);
      // What is not found has ended by itself meanwhile, which is what the person wanted.
      if (!result.error || result.error.code === "not_found") {
        setHeld((list) => ({ ...list, sessions: list.sessions?.filter((entry) => entry.id !== id) ?? null }));
      }
      return result;
    },
    [client],
  );
  const { sessions, loading, error } = listOf(owner, held);
  return { sessions, loading, error, refetch, end };
}

/** The list if it is the owner's, or else an empty one that is. */
function listOf(owner: string | null, held?: OwnedList): OwnedList {
  return held?.owner === owner ? held : { owner, sessions: null, loading: owner !== null, error: null };
}

const STATUS_RETRY_MS = 5000;

/** What the server says about itself; null until it has said so. Asked again while it does not answer. */
export function useServerStatus(): ServerStatus | null {
  const client = useClient();
  const [status, setStatus] = useState<ServerStatus | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const ask = async () => {
      const { data } = await client.serverStatus();
      if (stopped) return;
      if (data) setStatus(data);
      else timer = setTimeout(ask, STATUS_RETRY_MS);
    };
    void ask();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [client]);
  return status;
}
