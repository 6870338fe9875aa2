import { act, screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { DeviceList } from "../src/index.js";
import { FakeServer, json, problem } from "./server.js";
import { expectAccessible, open } from "./world.js";

function twoDevices(): FakeServer {
  const server = new FakeServer();
  server.open("ada@tenure.example", { label: "Safari on iPhone" });
  return server.signedIn();
}
const device = (name: RegExp) =>
  screen.getAllByRole("listitem").find((item) => name.test(item.textContent ?? "")) as HTMLElement;
const askToEnd = () => screen.getByRole("button", { name: "End the sign-in on Safari on iPhone" });
const deletions = (server: FakeServer) =>
  server.lines.filter((line) => line.startsWith("DELETE auth/sessions"));

test("shows each device with what helps to know it, and marks this browser, which cannot be ended here", async () => {
  await open(<DeviceList />, { server: twoDevices() });
  await screen.findByText("Safari on iPhone");
  const here = device(/Firefox/);
  expect(here.textContent).toContain("This browser");
  expect(within(here).queryByRole("button")).toBeNull();
  expect(device(/Safari/).textContent).toMatch(
    /Safari on iPhone Last used 3 hours agoFrom 192\.0\.2\.7Signed in .*2026.*Ends in (20|19) days/,
  );
});

test("ends one after asking once more, tells so, and the focus is not lost", async () => {
  const server = twoDevices();
  const { user } = await open(<DeviceList />, { server });
  await screen.findByText("Safari on iPhone");
  await user.click(askToEnd());
  expect(deletions(server)).toEqual([]);
  const question = screen.getByRole("group", { name: "End the sign-in on Safari on iPhone?" });
  await user.click(within(question).getByRole("button", { name: "End it" }));
  await vi.waitFor(() => expect(screen.queryByText("Safari on iPhone")).toBeNull());
  expect(deletions(server)).toEqual(["DELETE auth/sessions/ses_1"]);
  expect(screen.getByRole("status").textContent).toBe("The sign-in on Safari on iPhone has ended.");
  expect(document.activeElement).toBe(screen.getByRole("status"));
});

test("the question is answered by keyboard, with the harmless answer first and Escape as a way back", async () => {
  const server = twoDevices();
  const { user } = await open(<DeviceList />, { server });
  await screen.findByText("Safari on iPhone");
  askToEnd().focus();
  await user.keyboard("{Enter}");
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Keep" }));
  await user.keyboard("{Enter}");
  expect(document.activeElement).toBe(askToEnd());
  await user.keyboard("{Enter}{Escape}");
  expect(document.activeElement).toBe(askToEnd());
  expect(deletions(server)).toEqual([]);
  await user.keyboard("{Enter}{Shift>}{Tab}{/Shift}{Enter}");
  await vi.waitFor(() => expect(deletions(server)).toHaveLength(1));
});

test("one that cannot be ended now stays, with the reason; one that has ended meanwhile goes", async () => {
  const server = twoDevices();
  const { user } = await open(<DeviceList />, { server });
  await screen.findByText("Safari on iPhone");
  const end = async () => {
    await user.click(askToEnd());
    await user.click(screen.getByRole("button", { name: "End it" }));
  };
  server.next.set("DELETE auth/sessions/ses_1", problem(503, "storage_unavailable", "transport"));
  await end();
  await vi.waitFor(() =>
    expect(screen.getByRole("status").textContent).toContain("Something is not working just now."),
  );
  expect(screen.getByText("Safari on iPhone")).toBeDefined();
  server.next.set("DELETE auth/sessions/ses_1", problem(404, "not_found", "request"));
  await end();
  await vi.waitFor(() => expect(screen.queryByText("Safari on iPhone")).toBeNull());
});

test("ends all others at once, after asking", async () => {
  const server = twoDevices();
  server.open("ada@tenure.example", { label: "Chrome on Windows" });
  const { user, client } = await open(<DeviceList />, { server });
  await user.click(await screen.findByRole("button", { name: "End all others" }));
  await user.click(screen.getByRole("button", { name: "End them" }));
  await vi.waitFor(() => expect(screen.queryByText("Chrome on Windows")).toBeNull());
  expect(screen.queryByText("Safari on iPhone")).toBeNull();
  expect(screen.getByText(/Firefox on Linux/)).toBeDefined();
  expect(client.getState().status).toBe("signedIn");
  expect(screen.getByRole("status").textContent).toBe("All other sign-ins have ended.");
});

test("says that it loads", async () => {
  const server = twoDevices();
  server.next.set("GET auth/sessions", new Promise(() => {}));
  await open(<DeviceList />, { server });
  expect(screen.getByRole("status").textContent).toBe("Loading your devices…");
  expect(screen.getByRole("region", { name: "Your devices" }).getAttribute("aria-busy")).toBe("true");
});

test("says that it failed, with a way to try again", async () => {
  const server = twoDevices();
  server.next.set("GET auth/sessions", problem(503, "overloaded", "transport"));
  const { user } = await open(<DeviceList />, { server });
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("Your devices cannot be shown just now.");
  await user.click(within(alert).getByRole("button", { name: "Try again" }));
  expect(await screen.findByText(/Firefox on Linux/)).toBeDefined();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("says that there is nothing", async () => {
  const server = twoDevices();
  server.next.set("GET auth/sessions", json(200, { sessions: [] }));
  await open(<DeviceList title={null} />, { server });
  expect(await screen.findByText("No sign-ins to show.")).toBeDefined();
  expect(screen.queryByRole("heading")).toBeNull();
});

test("one device alone has nothing to end", async () => {
  await open(<DeviceList />, { server: new FakeServer().signedIn() });
  await screen.findByText(/Firefox on Linux/);
  expect(screen.queryByRole("button")).toBeNull();
});

const grace = { email: "grace@tenure.example", password: "battery staple" };

test("one person's list is gone as soon as another is there, before there is a new one", async () => {
  const server = twoDevices();
  const { client } = await open(<DeviceList />, { server });
  await screen.findByText("Safari on iPhone");
  server.next.set("GET auth/sessions", new Promise(() => {}));
  await act(() => client.signIn.password(grace));
  expect(screen.queryByText("Safari on iPhone")).toBeNull();
  expect(screen.getByRole("status").textContent).toBe("Loading your devices…");
});

test("a late answer about one person does not show to another", async () => {
  const server = twoDevices();
  let answer = (_: Response) => {};
  server.next.set("GET auth/sessions", new Promise((resolve) => (answer = resolve)));
  const { client, pass } = await open(<DeviceList />, { server });
  await act(() => client.signIn.password(grace));
  await screen.findByText(/Firefox on Linux/);
  const times = { created_at: 0, expires_at: 0, last_used_at: 0 };
  const entry = { id: "ses_1", label: "Safari on iPhone", remembered: true, current: false, address: null };
  answer(json(200, { sessions: [{ ...entry, ...times }] }));
  await pass(100);
  expect(screen.queryByText("Safari on iPhone")).toBeNull();
  expect(screen.getByText(/Firefox on Linux/)).toBeDefined();
});

test("structure is sound, also while it asks", async () => {
  const { user, page } = await open(<DeviceList />, { server: twoDevices() });
  await screen.findByText("Safari on iPhone");
  await user.click(askToEnd());
  await expectAccessible(page.container);
});
