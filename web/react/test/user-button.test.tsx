import { fireEvent, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { UserButton, type UserButtonProps } from "../src/index.js";
import { FakeServer } from "./server.js";
import { expectAccessible, open } from "./world.js";

const button = () => screen.getByRole("button", { name: "Account of Ada Lovelace" });
const focused = () => document.activeElement?.textContent;

async function ready(props: UserButtonProps = { accountHref: "/account" }) {
  const content = (
    <>
      <UserButton {...props} />
      <a href="#next">next</a>
    </>
  );
  return open(content, { server: new FakeServer().signedIn() });
}

test("shows initials, and behind them who it is, the account page and the way out", async () => {
  const { user } = await ready();
  expect(button().firstElementChild?.textContent).toBe("AL");
  expect(button().getAttribute("aria-expanded")).toBe("false");
  await user.click(button());
  expect(button().getAttribute("aria-expanded")).toBe("true");
  expect(screen.getByText("ada@tenure.example")).toBeDefined();
  expect(screen.getAllByRole("menuitem").map((item) => item.textContent)).toEqual(["Account", "Sign out"]);
  expect(screen.getByRole("menuitem", { name: "Account" }).getAttribute("href")).toBe("/account");
});

test("is a menu button for the keyboard", async () => {
  const { user } = await ready();
  await user.tab();
  await user.keyboard("{Enter}");
  expect(focused()).toBe("Account");
  await user.keyboard("{ArrowDown}");
  expect(focused()).toBe("Sign out");
  await user.keyboard("{ArrowDown}");
  expect(focused()).toBe("Account");
  await user.keyboard("{ArrowUp}");
  expect(focused()).toBe("Sign out");
  await user.keyboard("{Home}");
  expect(focused()).toBe("Account");
  await user.keyboard("{End}");
  expect(focused()).toBe("Sign out");
  await user.keyboard("{Escape}");
  expect(screen.queryByRole("menu")).toBeNull();
  expect(document.activeElement).toBe(button());
  await user.keyboard("{ArrowUp}");
  expect(focused()).toBe("Sign out");
  await user.tab();
  expect(screen.queryByRole("menu")).toBeNull();
  expect(focused()).toBe("next");
});

test("a press outside closes it, one inside does not", async () => {
  const { user } = await ready();
  await user.click(button());
  await user.click(screen.getByText("ada@tenure.example"));
  expect(screen.queryByRole("menu")).not.toBeNull();
  fireEvent.pointerDown(document.body);
  expect(screen.queryByRole("menu")).toBeNull();
});

test("signs out, then says so to the app, and is gone", async () => {
  const onSignOut = vi.fn();
  const { user, client } = await ready({ onSignOut });
  await user.click(button());
  expect(screen.queryByRole("menuitem", { name: "Account" })).toBeNull();
  await user.click(screen.getByRole("menuitem", { name: "Sign out" }));
  await vi.waitFor(() => expect(onSignOut).toHaveBeenCalledOnce());
  expect(client.getState()).toMatchObject({ status: "signedOut", reason: "signed_out" });
  expect(screen.queryByRole("button")).toBeNull();
});

test("a router takes the account link over", async () => {
  const onAccount = vi.fn();
  const { user } = await ready({ accountHref: "/account", onAccount });
  await user.click(button());
  const followed = fireEvent.click(screen.getByRole("menuitem", { name: "Account" }));
  expect(followed).toBe(false);
  expect(onAccount).toHaveBeenCalledOnce();
  expect(screen.queryByRole("menu")).toBeNull();
});

test("structure is sound", async () => {
  const { user } = await ready();
  await user.click(button());
  await expectAccessible(document.body);
});
