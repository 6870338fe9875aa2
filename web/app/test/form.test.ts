// @vitest-environment jsdom
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ProblemError } from "@tenure/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { enhance } from "../src/forms/form.js";

const PAGE = readFileSync(join(import.meta.dirname, "../sign-in.html"), "utf8");

let form: HTMLFormElement;
let sent: FormData[];
let answer: () => Promise<ProblemError | null>;

function open(message = "", email = ""): void {
  const body = PAGE.slice(PAGE.indexOf("<body>") + 6, PAGE.indexOf("</body>"));
  const filled = body
    .replace("{{message}}", message)
    .replace("{{email}}", email)
    .replace("{{remember_me}}", "");
  document.body.innerHTML = filled;
  form = document.querySelector("form") as HTMLFormElement;
  enhance(form, {
    required: { email: "Enter your e-mail address.", password: "Enter your password." },
    pendingLabel: "Signing in…",
    send(values) {
      sent.push(values);
      return answer();
    },
  });
}

const input = (name: string) => form.querySelector(`[name=${name}]`) as HTMLInputElement;
const summary = () => form.querySelector("[data-part=error-summary]") as HTMLElement;
const button = () => form.querySelector("[type=submit]") as HTMLButtonElement;
const submit = async () => {
  form.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
  await vi.advanceTimersByTimeAsync(0);
};
const type = (email: string, password: string) => {
  input("email").value = email;
  input("password").value = password;
};
const problem = (code: ProblemError["code"], details: ProblemError["details"] = {}) =>
  new ProblemError(code, "request", 400, "In the server's words.", details);

beforeEach(() => {
  vi.useFakeTimers();
  // What the page's browsers all have, and this document has not.
  vi.stubGlobal("CSS", { escape: (text: string) => text });
  sent = [];
  answer = async () => null;
  open();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("what is missing is said at the field and in a summary that has the focus", async () => {
  await submit();
  expect(sent).toHaveLength(0);
  expect(document.activeElement).toBe(summary());
  expect(input("email").getAttribute("aria-invalid")).toBe("true");
  const fault = document.getElementById(input("email").getAttribute("aria-describedby") ?? "");
  expect(fault?.textContent).toBe("Enter your e-mail address.");
  const links = [...summary().querySelectorAll("a")];
  expect(links.map((link) => link.textContent)).toEqual([
    "Enter your e-mail address.",
    "Enter your password.",
  ]);
  links[1]?.click();
  expect(document.activeElement).toBe(input("password"));
});

test("a password of spaces is a password, an address of spaces is none", async () => {
  type("  ", "   ");
  await submit();
  expect(sent).toHaveLength(0);
  expect(input("password").hasAttribute("aria-invalid")).toBe(false);
});

test("faults are gone with the next attempt", async () => {
  await submit();
  type("ada@example.com", "correct horse battery");
  await submit();
  expect(sent).toHaveLength(1);
  expect(summary().childNodes).toHaveLength(0);
  expect(form.querySelectorAll("[aria-invalid], [data-part=error]")).toHaveLength(0);
  expect(input("email").hasAttribute("aria-describedby")).toBe(false);
});

test("it is sent once, and the button says so and keeps the focus", async () => {
  let finish = (_: null) => {};
  answer = () =>
    new Promise((resolve) => {
      finish = resolve;
    });
  type("ada@example.com", "correct horse battery");
  button().focus();
  await submit();
  await submit();
  expect(sent).toHaveLength(1);
  expect(button().textContent).toBe("Signing in…");
  expect(button().getAttribute("aria-disabled")).toBe("true");
  expect(document.activeElement).toBe(button());
  finish(null);
  await vi.advanceTimersByTimeAsync(0);
  expect(button().textContent).toBe("Sign in");
  expect(button().hasAttribute("aria-disabled")).toBe(false);
});

test("known codes are told in our words, others in the server's, and fields by their codes", async () => {
  type("ada", "x");
  const faults = [
    { field: "email", code: "not_an_address", message: "no" },
    { field: "elsewhere", code: "odd", message: "Something else." },
  ];
  answer = async () => problem("validation_failed", { fields: faults });
  await submit();
  expect(summary().textContent).toContain("Enter an e-mail address like name@example.com.");
  expect(summary().textContent).toContain("Something else.");
  expect(input("email").getAttribute("aria-invalid")).toBe("true");
  answer = async () => problem("account_suspended");
  await submit();
  expect(summary().textContent).toContain("In the server's words.");
});

test("it waits as long as the server asked for", async () => {
  type("ada@example.com", "wrong");
  answer = async () => problem("rate_limited", { retryAfterMs: 3000 });
  await submit();
  expect(summary().textContent).toContain("You can try again in 3 seconds.");
  await submit();
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(3000);
  expect(summary().textContent).toContain("You can try again now.");
  await submit();
  expect(sent).toHaveLength(2);
});

test("a password can be looked at, and is hidden while it is sent", async () => {
  const reveal = form.querySelector("[data-part=reveal]") as HTMLButtonElement;
  expect(reveal.getAttribute("aria-label")).toBe("Show password");
  reveal.click();
  expect(input("password").type).toBe("text");
  expect(reveal.getAttribute("aria-label")).toBe("Hide password");
  type("ada@example.com", "correct horse battery");
  await submit();
  expect(input("password").type).toBe("password");
});

test("what the server wrote into the page after a form without script is shown and focused", () => {
  open("E-mail or password is wrong.", "ada@example.com");
  expect(summary().textContent).toBe("That did not workE-mail or password is wrong.");
  expect(document.activeElement).toBe(summary());
  expect(input("email").value).toBe("ada@example.com");
});
