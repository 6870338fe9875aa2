import { fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { AuthDebugPanel } from "../src/index.js";
import { redacted } from "../src/redact.js";
import { FakeServer } from "./server.js";
import { expectAccessible, open } from "./world.js";

afterEach(() => vi.unstubAllEnvs());

const toggle = () => screen.getByRole("button", { name: "Auth debug panel" });
const panel = () => screen.getByRole("complementary", { name: "Auth debug panel" });
const fact = (term: string) =>
  [...panel().querySelectorAll("dl > div")]
    .find((row) => row.querySelector("dt")?.textContent === term)
    ?.querySelector("dd")?.textContent;

test("unfolds by its button and by Ctrl+Shift+D, whose own meaning is taken away", async () => {
  const { user } = await open(<AuthDebugPanel />, { server: new FakeServer().signedIn() });
  expect(screen.queryByText("Auth status")).toBeNull();
  await user.click(toggle());
  expect(screen.getByText("Auth status")).toBeDefined();
  expect(toggle().getAttribute("aria-expanded")).toBe("true");
  const shortcut = { code: "KeyD", key: "D", ctrlKey: true, shiftKey: true };
  expect(fireEvent.keyDown(document.body, shortcut)).toBe(false);
  expect(screen.queryByText("Auth status")).toBeNull();
  expect(fireEvent.keyDown(document.body, { ...shortcut, shiftKey: false })).toBe(true);
  expect(screen.queryByText("Auth status")).toBeNull();
});

test("shows status, person and times", async () => {
  await open(<AuthDebugPanel defaultOpen />, { server: new FakeServer().signedIn() });
  expect(fact("Status")).toBe("signedIn");
  expect(fact("User")).toBe("usr_1");
  expect(fact("E-mail")).toBe("ada@tenure.example");
  expect(fact("Access token")).toMatch(/^1[45] minutes(, \d+ seconds)? left$/);
  expect(fact("Refreshes sent by this tab")).toBe("1");
});

test("counts down every five seconds while it is open, and not at all while it is closed", async () => {
  const { pass, user, client } = await open(<AuthDebugPanel defaultOpen />, {
    server: new FakeServer().signedIn(),
  });
  const before = fact("Access token");
  await pass(5000);
  expect(fact("Access token")).not.toBe(before);
  await user.click(toggle());
  const inspect = vi.spyOn(client, "inspect");
  await pass(60_000);
  expect(inspect).not.toHaveBeenCalled();
});

test("shows the last five sign-outs with idle time and age", async () => {
  const { tracker, pass } = await open(<AuthDebugPanel defaultOpen />, { tracked: true });
  for (let count = 1; count <= 7; count += 1) {
    tracker?.track(`sign-out ${count}`, "AUTH_ERROR");
    await pass(120_000);
  }
  const shown = [...panel().querySelectorAll("[data-part=sign-outs] li")].map((item) => item.textContent);
  expect(shown).toHaveLength(5);
  expect(shown[0]).toMatch(/AUTH_ERROR 2 minutes agosign-out 7Idle: /);
  expect(shown[4]).toContain("sign-out 3");
});

test("logs everything but tokens and addresses", async () => {
  const { user } = await open(<AuthDebugPanel defaultOpen />, {
    server: new FakeServer().signedIn(),
    tracked: true,
  });
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await user.click(screen.getByRole("button", { name: "Log full state to console" }));
  const [, logged] = log.mock.calls[0] ?? [];
  expect(logged).toMatchObject({
    state: { status: "signedIn", user: { id: "usr_1", email: "a…@tenure.example" } },
    refreshesSent: 1,
    signOuts: [],
  });
  expect(JSON.stringify(logged)).not.toContain("ada@");
});

test("blots out what must not be pasted into a report", () => {
  const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl";
  const cause = Object.assign(new Error(`refused ${jwt}`), { code: "unreachable" });
  const value = {
    hasToken: true,
    accessToken: "abc",
    note: `tnr1_AbC-9_x and ${jwt}`,
    list: [{ password: "x" }],
    cause,
  };
  expect(redacted(value)).toEqual({
    hasToken: true,
    accessToken: "[redacted]",
    note: "[token] and [token]",
    list: [{ password: "[redacted]" }],
    cause: { code: "unreachable", message: "refused [token]" },
  });
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  expect(JSON.stringify(redacted(loop))).toContain("[…]");
});

test("is not there in production, unless it is asked for", async () => {
  vi.stubEnv("NODE_ENV", "production");
  const { page, around } = await open(<AuthDebugPanel />);
  expect(page.container.innerHTML).toBe("");
  fireEvent.keyDown(document.body, { code: "KeyD", ctrlKey: true, shiftKey: true });
  expect(page.container.innerHTML).toBe("");
  page.rerender(around(<AuthDebugPanel enabled />));
  expect(toggle()).toBeDefined();
});

test("leaves no timer and no shortcut behind", async () => {
  const { page, client } = await open(<AuthDebugPanel defaultOpen />, { strict: true });
  client.dispose();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  page.unmount();
  expect(vi.getTimerCount()).toBe(0);
  expect(fireEvent.keyDown(document.body, { code: "KeyD", ctrlKey: true, shiftKey: true })).toBe(true);
});

test("structure is sound", async () => {
  await open(<AuthDebugPanel defaultOpen />, { server: new FakeServer().signedIn(), tracked: true });
  await expectAccessible(panel());
});
