import { expect, test } from "vitest";
import { lookUp } from "../../src/console/lookup.js";

const ID = "0199c0a41c3b7d0ea1f0b2c3d4e5f607";

test.each([
  ["an id of a session", ` ses_${ID} `, { to: "session", id: `ses_${ID}` }],
  ["one in capitals", `SES_${ID.toUpperCase()}`, { to: "session", id: `ses_${ID}` }],
  ["of a user", `usr_${ID}`, { to: "user", id: `usr_${ID}` }],
  ["of an account", `acc_${ID}`, { to: "account", id: `acc_${ID}` }],
  ["a receipt", "R-7K3M-Q9TD", { receipt: "R-7K3M-Q9TD" }],
  ["one that was said", "r7k3mq9td", { receipt: "R-7K3M-Q9TD" }],
  ["with letters that look like digits", "r-7k3m-o9il", { receipt: "R-7K3M-0911" }],
  ["an address", "ada@example.com", { search: "ada@example.com" }],
  ["part of an id", "usr_0199", { search: "usr_0199" }],
  ["a name", "Ada Lovelace", { search: "Ada Lovelace" }],
  ["a name that could be a receipt", "Rasmussen", { search: "Rasmussen" }],
  ["a letter that no receipt has", "R-7K3M-Q9TU", { search: "R-7K3M-Q9TU" }],
])("%s", (_, typed, target) => {
  expect(lookUp(typed)).toEqual(target);
});

test("nothing is nothing", () => {
  expect(lookUp("  ")).toBeNull();
});
