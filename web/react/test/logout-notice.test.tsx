import { act, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { LogoutNotice, type LogoutNoticeProps } from "../src/index.js";
import { FakeServer } from "./server.js";
import { expectAccessible, open } from "./world.js";

/** A letter half written, and a session that ends above it. */
async function interrupted(props: Partial<LogoutNoticeProps> = {}, options = {}) {
  const onContinue = vi.fn();
  const content = (
    <>
      <textarea aria-label="Letter" />
      <LogoutNotice onContinue={onContinue} {...props} />
    </>
  );
  const world = await open(content, { server: new FakeServer().signedIn(), ...options });
  const letter = screen.getByLabelText<HTMLTextAreaElement>("Letter");
  await world.user.type(letter, "Dear Charles");
  return { ...world, onContinue, letter };
}

const dialog = () => screen.queryByRole("dialog", { name: "You have been signed out" });

test("tells an involuntary end, without pressing anything and without touching what was typed", async () => {
  const { end, letter, user, onContinue } = await interrupted();
  expect(dialog()).toBeNull();
  await end("admin_revoked");
  expect(dialog()?.hasAttribute("open")).toBe(true);
  expect(dialog()?.textContent).toContain("An administrator ended this session.");
  expect(dialog()?.textContent).toContain("What you have typed on this page is still there.");
  // Whoever is in the middle of a sentence goes on typing for a moment.
  expect(document.activeElement).toBe(screen.getByRole("heading", { name: "You have been signed out" }));
  await user.keyboard(" {Enter}");
  expect(onContinue).not.toHaveBeenCalled();
  expect(dialog()).not.toBeNull();
  expect(letter.value).toBe("Dear Charles");
});

test("staying closes it, gives the focus back, and it does not come again for the same end", async () => {
  const { end, user, letter, onContinue, pass } = await interrupted();
  await end("admin_revoked");
  await user.click(screen.getByRole("button", { name: "Stay on this page" }));
  expect(dialog()).toBeNull();
  expect(document.activeElement).toBe(letter);
  await pass(600_000);
  expect(dialog()).toBeNull();
  expect(onContinue).not.toHaveBeenCalled();
});

test("Escape closes it, and its countdown with it", async () => {
  const { end, user, letter, pass, onContinue } = await interrupted({ countdownSeconds: 10 });
  await end("admin_revoked");
  await user.keyboard("{Escape}");
  await pass(20_000);
  expect(document.querySelector("dialog")).toBeNull();
  expect(document.activeElement).toBe(letter);
  expect(onContinue).not.toHaveBeenCalled();
});

test("signing in again is the app's: it is called once and the notice is gone", async () => {
  const { end, user, onContinue } = await interrupted();
  await end("admin_revoked");
  await user.click(screen.getByRole("button", { name: "Sign in again" }));
  expect(onContinue).toHaveBeenCalledOnce();
  expect(dialog()).toBeNull();
});

test("goes by itself if somebody signs in meanwhile, and comes for the next end", async () => {
  const { end, client } = await interrupted();
  const credentials = { email: "ada@tenure.example", password: "correct horse" };
  await end("admin_revoked");
  await act(() => client.signIn.password(credentials));
  expect(dialog()).toBeNull();
  await end("password_reset");
  expect(dialog()?.textContent).toContain("Your password was reset.");
});

test("does not come for what the person did, nor for an end before this page", async () => {
  const { client, pass } = await interrupted();
  await act(() => client.signOut());
  await pass(0);
  expect(client.getState()).toMatchObject({ status: "signedOut", reason: "signed_out" });
  expect(dialog()).toBeNull();
  const server = new FakeServer().signedIn();
  if (server.jar) server.jar.ended = "admin_revoked";
  const later = await open(<LogoutNotice onContinue={() => {}} />, { server });
  await later.pass(10_000);
  expect(later.client.getState().status).toBe("signedOut");
  expect(dialog()).toBeNull();
});

test("tells how long the person had been idle, if that is known and worth a word", async () => {
  const { end, pass } = await interrupted({}, { tracked: true });
  await pass(23 * 60_000);
  await end("token_reuse");
  expect(dialog()?.textContent).toContain("You had been idle for 23 minutes.");
});

test("without a countdown it waits for ever", async () => {
  const { end, pass, onContinue } = await interrupted();
  await end("admin_revoked");
  await pass(86_400_000);
  expect(onContinue).not.toHaveBeenCalled();
  expect(dialog()).not.toBeNull();
});

test("a countdown goes on by itself in the end", async () => {
  const { end, pass, onContinue } = await interrupted({ countdownSeconds: 20 });
  await end("admin_revoked");
  expect(dialog()?.textContent).toMatch(/Continuing in \d+ seconds/);
  await pass(25_000);
  expect(onContinue).toHaveBeenCalledOnce();
  expect(dialog()).toBeNull();
  await pass(60_000);
  expect(onContinue).toHaveBeenCalledOnce();
});

test("a countdown can be stopped, and stands still out of sight", async () => {
  const { end, pass, user, onContinue } = await interrupted({ countdownSeconds: 20 });
  await end("admin_revoked");
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  await pass(600_000);
  expect(onContinue).not.toHaveBeenCalled();
  hidden.mockReturnValue(false);
  await user.click(screen.getByRole("button", { name: "Stop the countdown" }));
  await pass(600_000);
  expect(onContinue).not.toHaveBeenCalled();
  expect(dialog()?.textContent).not.toContain("Continuing");
});

test("taken off the page in the middle of its countdown it leaves nothing behind", async () => {
  const { end, page, client, pass, onContinue } = await interrupted(
    { countdownSeconds: 20 },
    { strict: true },
  );
  await end("admin_revoked");
  client.dispose();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  page.unmount();
  expect(vi.getTimerCount()).toBe(0);
  await pass(60_000);
  expect(onContinue).not.toHaveBeenCalled();
});

test("structure is sound", async () => {
  const { end } = await interrupted({ countdownSeconds: 20 }, { tracked: true });
  await end("admin_revoked");
  await expectAccessible(document.body);
});
