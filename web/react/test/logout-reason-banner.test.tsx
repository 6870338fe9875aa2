import { fireEvent, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { LogoutReasonBanner, messagesWith } from "../src/index.js";
import { logoutIcon } from "../src/logout-story.js";
import { FakeServer } from "./server.js";
import { expectAccessible, open } from "./world.js";

const banner = () => {
  const element = document.querySelector<HTMLElement>("[data-tenure=logout-reason-banner]");
  if (!element) throw new Error("There is no banner.");
  return element;
};
const ended = async (options = {}) => {
  const world = await open(<LogoutReasonBanner />, { server: new FakeServer().signedIn(), ...options });
  await world.end("remembered_lifetime");
  return world;
};

test("is an empty status before anything has happened, so that what appears in it is told", async () => {
  const { end } = await open(<LogoutReasonBanner />, { server: new FakeServer().signedIn() });
  const status = screen.getByRole("status");
  expect(banner().textContent).toBe("");
  await end("remembered_lifetime");
  expect(screen.getByRole("status")).toBe(status);
  expect(status.textContent).toBe("The time you asked to stay signed in is over. Sign in again to continue.");
  expect(status.querySelector("svg")?.getAttribute("aria-hidden")).toBe("true");
});

test("says nothing to somebody who was never signed in", async () => {
  await open(<LogoutReasonBanner />);
  expect(banner().textContent).toBe("");
});

test("does not ask those to come back who chose to go", async () => {
  const { client, pass } = await open(<LogoutReasonBanner />, { server: new FakeServer().signedIn() });
  await client.signOut();
  await pass(0);
  expect(screen.getByRole("status").textContent).toBe("You signed out.");
});

test("closes by itself after 30 s, and not before", async () => {
  const { pass } = await ended();
  await pass(20_000);
  expect(screen.getByRole("status").textContent).not.toBe("");
  await pass(11_000);
  expect(banner().textContent).toBe("");
});

test("stays while it is pointed at", async () => {
  const { user, pass } = await ended();
  await user.hover(banner());
  await pass(120_000);
  expect(banner().dataset.open).toBe("true");
  await user.unhover(banner());
  await pass(29_000);
  expect(banner().dataset.open).toBe("true");
  await pass(2000);
  expect(banner().dataset.open).toBe("false");
});

test("stays while something in it has the focus, also when that moves on inside", async () => {
  const { user, pass } = await ended();
  await user.tab();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Close" }));
  await pass(60_000);
  fireEvent.blur(document.activeElement ?? banner());
  screen.getByText("Technical details").focus();
  fireEvent.focus(screen.getByText("Technical details"));
  await pass(60_000);
  expect(banner().dataset.open).toBe("true");
  fireEvent.blur(screen.getByText("Technical details"));
  await pass(31_000);
  expect(banner().dataset.open).toBe("false");
});

test("stays while its details are unfolded", async () => {
  const { pass } = await ended();
  const details = banner().querySelector("details");
  if (details) details.open = true;
  await pass(120_000);
  expect(banner().dataset.open).toBe("true");
  if (details) details.open = false;
  await pass(35_000);
  expect(banner().dataset.open).toBe("false");
});

test("never closes by itself where it is told so", async () => {
  const world = await open(<LogoutReasonBanner closeAfterMs={null} />, {
    server: new FakeServer().signedIn(),
  });
  await world.end("remembered_lifetime");
  await world.pass(3_600_000);
  expect(banner().dataset.open).toBe("true");
});

test("closed by hand it stays closed, also on the next page that has one", async () => {
  const world = await open(<LogoutReasonBanner />, { server: new FakeServer().signedIn(), tracked: true });
  await world.end("remembered_lifetime");
  expect(world.tracker?.lastReason()).not.toBeNull();
  await world.user.click(screen.getByRole("button", { name: "Close" }));
  expect(banner().dataset.open).toBe("false");
  expect(world.tracker?.lastReason()).toBeNull();
  world.page.rerender(world.around(<LogoutReasonBanner key="next page" />));
  await world.pass(0);
  expect(banner().dataset.open).toBe("false");
});

test("folds away what support asks for: reason, type, time, idling, page, receipt, session", async () => {
  const { tracker } = await ended({ tracked: true });
  expect(tracker?.history()).toHaveLength(1);
  const facts = Object.fromEntries(
    [...banner().querySelectorAll("dl > div")].map((row) => [
      row.querySelector("dt")?.textContent,
      row.querySelector("dd")?.textContent,
    ]),
  );
  expect(facts).toMatchObject({
    Reason: "remembered_lifetime",
    Type: "TOKEN_EXPIRED",
    Receipt: "rcp_4711",
    Session: "ses_1",
    Page: "/",
    "Idle before": "0 seconds",
  });
  expect(facts.Time).toMatch(/2026/);
  expect(banner().querySelector("details")?.open).toBe(false);
});

test("after the page was loaded anew, the tracker still knows why", async () => {
  const first = await ended({ tracked: true });
  first.page.unmount();
  first.client.dispose();
  first.tracker?.dispose();
  const { client } = await open(<LogoutReasonBanner />, { tracked: true });
  expect(client.getState()).toMatchObject({ status: "signedOut", reason: "never_signed_in" });
  expect(screen.getByRole("status").textContent).toContain("The time you asked to stay signed in is over.");
});

test("what only the app has said is told in its words", async () => {
  const { tracker, pass, page, client } = await open(<p />, { tracked: true });
  tracker?.track("Your trial has ended.", "AUTH_ERROR", {});
  await pass(0);
  page.unmount();
  expect(tracker?.lastReason()?.message).toBe("Your trial has ended.");
  client.dispose();
  tracker?.dispose();
  await open(<LogoutReasonBanner />, { tracked: true });
  expect(screen.getByRole("status").textContent).toContain("Your trial has ended.");
});

test("another language, from right to left, replaces only what it names", async () => {
  const messages = { reasons: { remembered_lifetime: "انتهت المدة." }, close: "إغلاق" };
  await ended({ messages });
  expect(screen.getByRole("status").textContent).toBe("انتهت المدة. Sign in again to continue.");
  expect(screen.getByRole("button", { name: "إغلاق" })).toBeDefined();
  expect(messagesWith(messages).reasons.admin_revoked).toBe("An administrator ended this session.");
});

test("leaves no timer behind", async () => {
  const { page, client, tracker } = await ended({ tracked: true, strict: true });
  client.dispose();
  tracker?.dispose();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  page.unmount();
  expect(vi.getTimerCount()).toBe(0);
});

test("structure is sound, and each family of reasons has its drawing", async () => {
  await ended({ tracked: true });
  await expectAccessible(banner());
  expect(
    ["signed_out", "short_lifetime", "token_reuse", "cookie_missing", undefined].map(logoutIcon),
  ).toEqual(["door", "clock", "shield", "info", "info"]);
});
