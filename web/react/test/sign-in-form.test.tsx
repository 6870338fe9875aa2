import { act, fireEvent, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { SignedIn, SignedOut, SignInForm } from "../src/index.js";
import { FakeServer, problem } from "./server.js";
import { expectAccessible, open } from "./world.js";

const email = () => screen.getByLabelText<HTMLInputElement>("E-mail");
const password = () => screen.getByLabelText<HTMLInputElement>("Password");
const submit = () => screen.getByRole("button", { name: /^Sign/ });
const summary = () => screen.getByRole("group", { name: "That did not work" });

test("signs in with what was typed, and says who it was", async () => {
  const onSignIn = vi.fn();
  const content = (
    <>
      <SignedOut>
        <SignInForm onSignIn={onSignIn} />
      </SignedOut>
      <SignedIn>{(user) => <p>Hello {user.name}</p>}</SignedIn>
    </>
  );
  const { user, server } = await open(content);
  await user.type(email(), " ada@tenure.example ");
  await user.type(password(), "correct horse");
  await user.click(await screen.findByRole("checkbox", { name: "Remember me for 20 days" }));
  await user.click(submit());
  expect(await screen.findByText("Hello Ada Lovelace")).toBeDefined();
  expect(onSignIn).toHaveBeenCalledOnce();
  expect(onSignIn.mock.calls[0]?.[0]).toMatchObject({ user: { id: "usr_1" }, session: { remembered: true } });
  expect(server.requests.find(({ line }) => line === "POST auth/login")?.body).toMatchObject({
    email: "ada@tenure.example",
    password: "correct horse",
    remember_me: true,
  });
});

test("is walked by keyboard in reading order and sent with Enter", async () => {
  const { user, client } = await open(<SignInForm />);
  const order: (string | null)[] = [];
  for (let step = 0; step < 5; step += 1) {
    await user.tab();
    order.push(
      document.activeElement?.getAttribute("name") ??
        document.activeElement?.getAttribute("aria-label") ??
        "submit",
    );
  }
  expect(order).toEqual(["email", "password", "Show password", "remember_me", "submit"]);
  await user.type(email(), "ada@tenure.example");
  await user.type(password(), "correct horse{Enter}");
  await vi.waitFor(() => expect(client.getState().status).toBe("signedIn"));
});

test("what is missing is said in a focused summary, at the field, and one link away from it", async () => {
  const { user, server, page } = await open(<SignInForm />);
  await user.click(submit());
  expect(document.activeElement).toBe(summary());
  expect(email().getAttribute("aria-invalid")).toBe("true");
  expect(describing(email())).toContain("Enter your e-mail address.");
  expect(describing(password())).toContain("Enter your password.");
  await user.click(screen.getByRole("link", { name: "Enter your password." }));
  expect(document.activeElement).toBe(password());
  expect(location.hash).toBe("");
  expect(server.lines).not.toContain("POST auth/login");
  await expectAccessible(page.container);
});

test("a wrong password and an unknown person get the same words, and what was typed stays", async () => {
  const { user } = await open(<SignInForm />);
  const said: (string | null)[] = [];
  for (const address of ["ada@tenure.example", "nobody@tenure.example"]) {
    await user.clear(email());
    await user.type(email(), address);
    await user.clear(password());
    await user.type(password(), "wrong{Enter}");
    await vi.waitFor(() => expect(document.activeElement).toBe(summary()));
    said.push(summary().textContent);
    expect(email().value).toBe(address);
    expect(password().value).toBe("wrong");
  }
  expect(said[0]).toContain("E-mail or password is wrong.");
  expect(said[1]).toBe(said[0]);
});

test("a throttled person sees the time left count down, and nothing is sent before it is over", async () => {
  const { user, server, pass } = await open(<SignInForm />);
  server.next.set("POST auth/login", problem(429, "rate_limited", "transport", { retry_after: 90 }));
  await user.type(email(), "ada@tenure.example");
  await user.type(password(), "correct horse{Enter}");
  await vi.waitFor(() =>
    expect(summary().textContent).toMatch(/Too many attempts\. ?You can try again in 1 minute/),
  );
  await pass(60_000);
  expect(summary().textContent).toMatch(/try again in \d+ seconds/);
  await user.click(submit());
  expect(server.lines.filter((line) => line === "POST auth/login")).toHaveLength(1);
  expect(document.activeElement).toBe(summary());
  await pass(31_000);
  expect(summary().textContent).toContain("You can try again now.");
  await user.click(submit());
  await vi.waitFor(() => expect(server.lines.filter((line) => line === "POST auth/login")).toHaveLength(2));
});

test("a server that is away is said to be away, with a reference where it answered at all", async () => {
  const { user, server } = await open(<SignInForm />);
  server.down = true;
  await user.type(email(), "ada@tenure.example");
  await user.type(password(), "correct horse{Enter}");
  await vi.waitFor(() => expect(summary().textContent).toContain("The server cannot be reached."));
  server.down = false;
  server.next.set("POST auth/login", problem(500, "internal_error", "transport"));
  await user.click(submit());
  await vi.waitFor(() => expect(summary().textContent).toContain("Reference for support: req_1"));
});

test("while an answer is awaited it is sent once, the button keeps the focus, and the password is hidden", async () => {
  const { user, server } = await open(<SignInForm />);
  await user.type(email(), "ada@tenure.example");
  await user.type(password(), "wrong");
  await user.click(screen.getByRole("button", { name: "Show password" }));
  expect(password().type).toBe("text");
  const release = server.hold();
  await user.click(submit());
  expect(submit().textContent).toBe("Signing in…");
  expect(submit().getAttribute("aria-disabled")).toBe("true");
  expect(document.activeElement).toBe(submit());
  expect(password().type).toBe("password");
  await user.click(submit());
  await act(async () => release());
  await vi.waitFor(() => expect(submit().textContent).toBe("Sign in"));
  expect(server.lines.filter((line) => line === "POST auth/login")).toHaveLength(1);
});

test("password managers find what they look for, and pasting works", async () => {
  const { user } = await open(<SignInForm />);
  expect([email().name, email().id, email().autocomplete, email().type]).toEqual([
    "email",
    "tenure-sign-in-email",
    "username",
    "email",
  ]);
  expect([password().name, password().id, password().autocomplete, password().type]).toEqual([
    "password",
    "tenure-sign-in-password",
    "current-password",
    "password",
  ]);
  expect(email().form).toBe(password().form);
  await user.click(password());
  await user.paste("correct horse");
  expect(password().value).toBe("correct horse");
  // `false` would mean that a listener prevented it.
  expect(fireEvent.paste(email())).toBe(true);
});

test("takes over what was typed before its script had loaded", async () => {
  await open(
    <SignInForm defaultValues={{ email: "ada@tenure.example", password: "correct", rememberMe: true }} />,
  );
  expect(email().value).toBe("ada@tenure.example");
  expect(password().value).toBe("correct");
  expect(screen.getByRole<HTMLInputElement>("checkbox").checked).toBe(true);
});

test("the checkbox is off by default, promises nothing before the server has told, and asks again", async () => {
  const server = new FakeServer();
  server.next.set("GET system/status", problem(503, "maintenance", "transport"));
  const { pass } = await open(<SignInForm />, { server });
  const box = screen.getByRole<HTMLInputElement>("checkbox", { name: "Remember me" });
  expect(box.checked).toBe(false);
  expect(describing(box)).toBe("Leave it off on a computer that others use.");
  await pass(5000);
  expect(screen.getByRole("checkbox", { name: "Remember me for 20 days" })).toBe(box);
});

test("says first why the person was signed out; closing that leads to the form", async () => {
  const server = new FakeServer().signedIn();
  const content = (
    <SignedOut>
      <SignInForm />
    </SignedOut>
  );
  const { user, end, page } = await open(content, { server });
  await end("password_changed");
  const banner = page.container.querySelector("[data-tenure=logout-reason-banner]");
  expect(banner?.textContent).toContain(
    "Your password was changed on another device. Sign in again to continue.",
  );
  expect(page.container.querySelector("[data-tenure=sign-in-form]")?.firstElementChild).toBe(banner);
  await user.click(screen.getByRole("button", { name: "Close" }));
  expect(document.activeElement).toBe(email());
  expect(banner?.textContent).toBe("");
});

test("structure is sound", async () => {
  const { page } = await open(<SignInForm />);
  await expectAccessible(page.container);
});

function describing(element: Element): string {
  const ids = element.getAttribute("aria-describedby")?.split(" ") ?? [];
  return ids.map((id) => document.getElementById(id)?.textContent).join(" ");
}
