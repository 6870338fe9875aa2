import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Edges } from "@tenure/client";
import { act, render, screen } from "@testing-library/react";
import { type ReactNode, StrictMode, useEffect } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";
import {
  isInvoluntary,
  Protect,
  SessionProvider,
  SignedIn,
  SignedOut,
  Unknown,
  useAuthState,
  useLogoutReceipt,
  useSession,
  useSessions,
  useSignIn,
  useSignOut,
  useUser,
} from "../src/index.js";
import { FakeServer, problem, START } from "./server.js";
import { clientOf, open, startClock } from "./world.js";

const everyState = (
  <>
    <Unknown>unknown</Unknown>
    <SignedIn>signed in</SignedIn>
    <SignedOut>signed out</SignedOut>
  </>
);

test("while the server cannot be asked, neither the app nor a sign-in page is shown", async () => {
  const server = new FakeServer();
  server.down = true;
  const { page, pass } = await open(everyState, { server });
  expect(page.container.textContent).toBe("unknown");
  await pass(60_000);
  expect(page.container.textContent).toBe("unknown");
  server.down = false;
  await pass(60_000);
  expect(page.container.textContent).toBe("signed out");
});

test("trouble takes nothing away from who is signed in", async () => {
  const { server, page, pass, client } = await open(everyState, { server: new FakeServer().signedIn() });
  server.down = true;
  await pass(3_600_000);
  expect(client.getState()).toMatchObject({ status: "signedIn", freshness: "reconnecting" });
  expect(page.container.textContent).toBe("signed in");
});

test("a server renders what is unknown, and a browser takes it over without a word", async () => {
  startClock();
  const client = clientOf(new FakeServer().signedIn());
  await vi.advanceTimersByTimeAsync(0);
  expect(client.getState().status).toBe("signedIn");
  const tree = <SessionProvider client={client}>{everyState}</SessionProvider>;
  const html = renderToString(tree);
  expect(html).toBe("unknown");
  const complaints = vi.spyOn(console, "error");
  const place = document.createElement("div");
  place.innerHTML = html;
  await act(async () => void hydrateRoot(place, tree));
  expect(place.textContent).toBe("signed in");
  expect(complaints).not.toHaveBeenCalled();
});

test("useSession, useUser, useAuthState and useLogoutReceipt agree through a session's life", async () => {
  const seen: unknown[] = [];
  function Probe() {
    const { status, user, session, reason } = useSession();
    const record = { status, user: user?.name, session: session?.id, reason, of: useUser()?.name };
    const state = useAuthState().status;
    const receipt = useLogoutReceipt();
    useEffect(() => void seen.push({ ...record, state, receipt }));
    return null;
  }
  const { end } = await open(<Probe />, { server: new FakeServer().signedIn() });
  await end("admin_revoked");
  const reason = "admin_revoked";
  expect(seen[0]).toMatchObject({ status: "unknown", state: "unknown", reason: null, receipt: null });
  expect(seen).toContainEqual({
    ...{ status: "signedIn", state: "signedIn", reason: null, receipt: null },
    ...{ user: "Ada Lovelace", of: "Ada Lovelace", session: "ses_1" },
  });
  expect(seen.at(-1)).toEqual({
    ...{
      status: "signedOut",
      state: "signedOut",
      user: undefined,
      of: undefined,
      session: undefined,
      reason,
    },
    receipt: { reason, receipt: "rcp_4711", sessionId: "ses_1" },
  });
});

test("refetch brings a change of role", async () => {
  function Role() {
    const { user, refetch } = useSession();
    return (
      <button type="button" onClick={() => void refetch()}>
        {user?.role}
      </button>
    );
  }
  const { server, user } = await open(<Role />, { server: new FakeServer().signedIn() });
  const [ada] = server.accounts;
  if (ada) ada.role = "admin";
  await user.click(screen.getByRole("button", { name: "user" }));
  expect(await screen.findByRole("button", { name: "admin" })).toBeDefined();
});

test("useSignIn and useSignOut tell pending and errors, and forget them", async () => {
  function Buttons() {
    const { signIn, pending, error, reset } = useSignIn();
    const { signOut } = useSignOut();
    const enter = (password: string) => void signIn({ email: "ada@tenure.example", password });
    return (
      <>
        <p>{`${useAuthState().status} ${pending} ${error?.code}`}</p>
        <button type="button" onClick={() => enter("wrong")}>
          wrong
        </button>
        <button type="button" onClick={() => enter("correct horse")}>
          right
        </button>
        <button type="button" onClick={reset}>
          reset
        </button>
        <button type="button" onClick={() => void signOut()}>
          out
        </button>
      </>
    );
  }
  const { user, server } = await open(<Buttons />);
  const release = server.hold();
  await user.click(screen.getByText("wrong"));
  expect(screen.getByText("signedOut true undefined")).toBeDefined();
  await act(async () => release());
  await screen.findByText("signedOut false invalid_credentials");
  await user.click(screen.getByText("reset"));
  await screen.findByText("signedOut false undefined");
  await user.click(screen.getByText("right"));
  await screen.findByText("signedIn false undefined");
  await user.click(screen.getByText("out"));
  await screen.findByText("signedOut false undefined");
});

test("Protect shows each its own: unknown, signed out, not allowed, allowed", async () => {
  const content = (
    <Protect role={["admin", "superuser"]} unknown="wait" fallback="sign in" denied="not for you">
      {(user) => `for ${user.name}`}
    </Protect>
  );
  const server = new FakeServer();
  const release = server.hold();
  const { page, pass, client } = await open(content, { server });
  expect(page.container.textContent).toBe("wait");
  await act(async () => release());
  await pass(5000);
  expect(page.container.textContent).toBe("sign in");
  await act(() => client.signIn.password({ email: "ada@tenure.example", password: "correct horse" }));
  expect(page.container.textContent).toBe("not for you");
  await act(() => client.signIn.password({ email: "grace@tenure.example", password: "battery staple" }));
  expect(page.container.textContent).toBe("for Grace");
});

test("Protect asks its predicate, and the fallback stands for denied where that is left out", async () => {
  const content = (
    <Protect when={(user, session) => user.email.startsWith("grace") && session.remembered} fallback="no">
      yes
    </Protect>
  );
  const { page, client } = await open(content, { server: new FakeServer().signedIn() });
  expect(page.container.textContent).toBe("no");
  const credentials = { email: "grace@tenure.example", password: "battery staple" };
  await act(() => client.signIn.password(credentials));
  expect(page.container.textContent).toBe("no");
  await act(() => client.signIn.password({ ...credentials, rememberMe: true }));
  expect(page.container.textContent).toBe("yes");
});

test("kept content outlives an involuntary end and goes on for the same person, but not for another", async () => {
  const content = (
    <Protect keepAfterEnd fallback="sign in">
      <textarea aria-label="Letter" />
    </Protect>
  );
  const letter = () => screen.getByLabelText<HTMLTextAreaElement>("Letter");
  const { user, end, client, page } = await open(content, { server: new FakeServer().signedIn() });
  await user.type(letter(), "Dear Charles");
  await end("admin_revoked");
  expect(client.getState().status).toBe("signedOut");
  expect(letter().value).toBe("Dear Charles");
  await act(() => client.signIn.password({ email: "ada@tenure.example", password: "correct horse" }));
  expect(letter().value).toBe("Dear Charles");
  await act(() => client.signIn.password({ email: "grace@tenure.example", password: "battery staple" }));
  expect(letter().value).toBe("");
  await act(() => client.signOut());
  expect(page.container.textContent).toBe("sign in");
});

/** Another tab that only the storage tells of, as where browsers have no channel. */
function quietTab() {
  const kept = new Map<string, string>();
  let heard: (key: string) => void = () => {};
  const edges: Partial<Edges> = {
    storage: {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    },
    onStorage: (changed) => {
      heard = changed;
      return () => {};
    },
  };
  const signsIn = (id: string) => {
    kept.set("tenure:session", JSON.stringify({ id, remembered: true, expiresAt: START + 86_400_000 }));
    act(() => heard("tenure:session"));
  };
  return { edges, signsIn };
}

test("kept content stays while it is found out who signed in elsewhere", async () => {
  const { edges, signsIn } = quietTab();
  const content = (
    <Protect keepAfterEnd fallback="sign in" unknown="loading">
      <textarea aria-label="Letter" />
    </Protect>
  );
  const server = new FakeServer().signedIn();
  const { user, end, client, pass } = await open(content, { server, edges });
  const letter = () => screen.getByLabelText<HTMLTextAreaElement>("Letter");
  await user.type(letter(), "Dear Charles");
  await end("admin_revoked");
  server.down = true;
  server.signedIn();
  signsIn("ses_2");
  expect(client.getState().status).toBe("unknown");
  expect(letter().value).toBe("Dear Charles");
  server.down = false;
  await pass(60_000);
  expect(client.getState().status).toBe("signedIn");
  expect(letter().value).toBe("Dear Charles");
});

test("what was kept is gone for good once the person signs out", async () => {
  const { edges, signsIn } = quietTab();
  const content = (
    <Protect keepAfterEnd fallback="sign in" unknown="loading">
      for Ada
    </Protect>
  );
  const server = new FakeServer().signedIn();
  const { client, page, pass } = await open(content, { server, edges });
  await act(() => client.signOut());
  expect(page.container.textContent).toBe("sign in");
  signsIn("ses_2");
  expect(page.container.textContent).toBe("loading");
  await pass(60_000);
  // Somebody signed in elsewhere, and their cookie went before this tab could ask.
  expect(client.getState()).toMatchObject({ status: "signedOut", reason: "cookie_missing" });
  expect(page.container.textContent).toBe("sign in");
});

test("content that is not to be kept goes with the session", async () => {
  const { end, page } = await open(<Protect fallback="sign in">for Ada</Protect>, {
    server: new FakeServer().signedIn(),
  });
  await end("admin_revoked");
  expect(page.container.textContent).toBe("sign in");
});

test("what one person typed is not there for the next", async () => {
  const content = (
    <SignedIn>
      <input aria-label="Note" />
    </SignedIn>
  );
  const { user, client } = await open(content, { server: new FakeServer().signedIn() });
  await user.type(screen.getByLabelText("Note"), "mine");
  await act(() => client.signIn.password({ email: "grace@tenure.example", password: "battery staple" }));
  expect(screen.getByLabelText<HTMLInputElement>("Note").value).toBe("");
});

test("no rendering of useSessions shows one person's list to another", async () => {
  const seen: string[] = [];
  function Probe() {
    const name = useUser()?.name;
    const { sessions, loading } = useSessions();
    seen.push(`${name}: ${sessions?.map(({ id }) => id)} ${loading}`);
    return null;
  }
  const { client, pass } = await open(<Probe />, { server: new FakeServer().signedIn() });
  await act(() => client.signIn.password({ email: "grace@tenure.example", password: "battery staple" }));
  await pass(0);
  await act(() => client.signOut());
  expect([...new Set(seen)]).toEqual([
    "undefined: undefined false",
    "Ada Lovelace: undefined true",
    "Ada Lovelace: ses_1 false",
    "Grace: undefined true",
    "Grace: ses_2 false",
  ]);
});

test("in StrictMode, whose components start twice, the client is asked once and left alone at the end", async () => {
  startClock();
  const server = new FakeServer().signedIn();
  const client = clientOf(server);
  const dispose = vi.spyOn(client, "dispose");
  const stopped = vi.fn();
  const subscribe = client.subscribe;
  let listening = 0;
  vi.spyOn(client, "subscribe").mockImplementation((listener) => {
    listening += 1;
    const stop = subscribe.call(client, listener);
    return () => {
      listening -= 1;
      stopped();
      stop();
    };
  });
  const page = render(
    <StrictMode>
      <SessionProvider client={client}>{everyState}</SessionProvider>
    </StrictMode>,
  );
  await act(async () => void (await vi.advanceTimersByTimeAsync(0)));
  expect(page.container.textContent).toBe("signed in");
  // Once for the time and once for the token.
  expect(server.lines).toEqual(["GET system/ping", "POST auth/refresh"]);
  expect(listening).toBeGreaterThan(0);
  page.unmount();
  expect(listening).toBe(0);
  expect(stopped).toHaveBeenCalled();
  expect(dispose).not.toHaveBeenCalled();
});

test("a hook without a provider says what to do", () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const Lost = (): ReactNode => useUser()?.name;
  expect(() => render(<Lost />)).toThrow("<SessionProvider client={...}>");
});

test("only what the person asked for is no involuntary end", () => {
  const openapi = JSON.parse(readFileSync(join(import.meta.dirname, "../../../api/openapi.json"), "utf8"));
  const reasons = openapi.components.schemas.EndReason.enum;
  expect(reasons.filter((reason: never) => !isInvoluntary(reason))).toEqual([
    "signed_out",
    "signed_out_everywhere",
  ]);
  expect(isInvoluntary("never_signed_in")).toBe(false);
  expect(isInvoluntary("cookie_missing")).toBe(true);
});

test("an API that answers 402, 403 or 500 changes nothing that is shown", async () => {
  const { server, client, page } = await open(everyState, { server: new FakeServer().signedIn() });
  for (const [status, code] of [
    [402, "plan_inactive"],
    [403, "permission_denied"],
    [500, "internal_error"],
  ] as const) {
    server.next.set(
      "GET auth/sessions",
      problem(status, code, status === 500 ? "transport" : "authorization"),
    );
    const { error } = await act(() => client.sessions.list());
    expect(error?.code).toBe(code);
    expect(page.container.textContent).toBe("signed in");
  }
});
