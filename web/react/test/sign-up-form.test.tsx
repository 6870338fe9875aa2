import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { SignUpForm } from "../src/index.js";
import { FakeServer, problem } from "./server.js";
import { expectAccessible, open } from "./world.js";

async function filled(server = new FakeServer()) {
  const onSignUp = vi.fn();
  const world = await open(<SignUpForm onSignUp={onSignUp} />, { server });
  await world.user.type(screen.getByLabelText("Name"), "Charles");
  await world.user.type(screen.getByLabelText("E-mail"), "charles@tenure.example");
  await world.user.type(screen.getByLabelText("Password"), "difference engine");
  return { ...world, onSignUp };
}
const submit = () => screen.getByRole("button", { name: "Create account" });
const summary = () => screen.getByRole("group", { name: "That did not work" });

test("registers and signs in", async () => {
  const { user, client, onSignUp, server } = await filled();
  await user.click(submit());
  await vi.waitFor(() =>
    expect(client.getState()).toMatchObject({ status: "signedIn", user: { name: "Charles" } }),
  );
  expect(onSignUp.mock.calls).toEqual([
    [expect.objectContaining({ user: expect.objectContaining({ name: "Charles" }) })],
  ]);
  expect(server.requests.find(({ line }) => line === "POST auth/register")?.body).toMatchObject({
    remember_me: false,
    password: "difference engine",
  });
});

test("says that the account is there where one has yet to sign in", async () => {
  const server = new FakeServer();
  server.registrationSignsIn = false;
  const { user, onSignUp } = await filled(server);
  await user.click(submit());
  await vi.waitFor(() =>
    expect(screen.getByRole("status").textContent).toBe("Your account is ready. You can sign in now."),
  );
  expect(onSignUp).toHaveBeenCalledWith(null);
  expect(screen.queryByRole("form")).toBeNull();
});

test("tells everything that the server finds at fault, each at its field", async () => {
  const { user, server, page } = await filled();
  const errors = [
    { field: "email", code: "not_an_address", message: "in English" },
    { field: "password", code: "too_new_to_be_known", message: "The server's own words." },
  ];
  server.next.set("POST auth/register", problem(422, "validation_failed", "request", { errors }));
  await user.click(submit());
  await vi.waitFor(() => expect(document.activeElement).toBe(summary()));
  const links = [...summary().querySelectorAll("a")].map((link) => link.textContent);
  expect(links).toEqual(["Enter an e-mail address like name@example.com.", "The server's own words."]);
  expect(screen.getByLabelText("Name").getAttribute("aria-invalid")).toBeNull();
  expect(screen.getByLabelText("Password").getAttribute("aria-invalid")).toBe("true");
  await expectAccessible(page.container);
});

test("an address that is taken is said to be", async () => {
  const { user } = await filled();
  await user.clear(screen.getByLabelText("E-mail"));
  await user.type(screen.getByLabelText("E-mail"), "ada@tenure.example");
  await user.click(submit());
  await vi.waitFor(() =>
    expect(summary().textContent).toContain("There is an account with that e-mail address already."),
  );
});

test("all that is missing is told at once", async () => {
  const { user } = await open(<SignUpForm />);
  await user.click(submit());
  expect(summary().querySelectorAll("a")).toHaveLength(3);
});

test("password managers propose a new password, and the advice belongs to the field", async () => {
  await open(<SignUpForm />);
  const password = screen.getByLabelText<HTMLInputElement>("Password");
  expect(password.autocomplete).toBe("new-password");
  const advice = document.getElementById(password.getAttribute("aria-describedby") ?? "");
  expect(advice?.textContent).toContain("At least 8 characters");
  expect(screen.getByLabelText<HTMLInputElement>("Name").autocomplete).toBe("name");
  expect(screen.getByLabelText<HTMLInputElement>("E-mail").autocomplete).toBe("username");
});

test("where registration is closed it says so and asks for nothing", async () => {
  const server = new FakeServer();
  server.registrationOpen = false;
  await open(<SignUpForm />, { server });
  expect(await screen.findByText("New accounts are not open here.")).toBeDefined();
  expect(screen.queryByRole("form")).toBeNull();
});
