import { describe, expect, test } from "vitest";
import { basePath, returnTarget, withReturn } from "../src/return-target.js";

const PAGE = "https://auth.example.com/sign-in?return_to=x";
const HOME = "/account";

describe("the return target", () => {
  test.each([
    ["/account", "/account"],
    ["/account#password", "/account#password"],
    ["/app/orders?id=7&sort=up#top", "/app/orders?id=7&sort=up#top"],
    ["/", "/"],
    ["/search?q=https://elsewhere.example/", "/search?q=https://elsewhere.example/"],
    ["https://auth.example.com/app?x=1", "/app?x=1"],
    // Other origins come from the server, which knows the list of those it allows.
    ["https://app.example.com/start", "https://app.example.com/start"],
    ["http://localhost:5173/", "http://localhost:5173/"],
  ])("goes to %s", (fromServer, expected) => {
    expect(returnTarget(fromServer, PAGE)).toBe(expected);
  });

  test.each([
    "",
    "{{return_to}}",
    "account",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " /account",
    "/a b",
    "/ä",
    "/.//evil.example",
    "/x/..//evil.example",
    "javascript:alert(1)",
    "JavaScript://auth.example.com/%0aalert(1)",
    "data:text/html,x",
    "https:evil.example",
    "https:/evil.example",
    "https://auth.example.com@evil.example/",
    "https://",
    "ftp://auth.example.com/",
    // Forms would send a person who is signed in back here.
    "/sign-in",
    "/sign-up?return_to=/sign-in",
    "https://auth.example.com/sign-in",
  ])("does not go to %j", (fromServer) => {
    expect(returnTarget(fromServer, PAGE)).toBe(HOME);
  });

  test("the account page is where the pages are", () => {
    expect(returnTarget("", "https://example.com/auth/sign-in")).toBe("/auth/account");
    expect(returnTarget("/auth/sign-in", "https://example.com/auth/sign-in")).toBe("/auth/account");
    expect(returnTarget("/sign-in", "https://example.com/auth/sign-in")).toBe("/sign-in");
  });

  test("survives being carried by another page whole", () => {
    const target = "/app?x=1&y=ü#z".replace("ü", "%C3%BC");
    const url = new URL(withReturn("sign-up", target), PAGE);
    expect(url.searchParams.get("return_to")).toBe(target);
  });
});

test("the base path is the folder of the page", () => {
  expect(basePath("https://example.com/")).toBe("");
  expect(basePath("https://example.com/sign-in?return_to=/a/b")).toBe("");
  expect(basePath("https://example.com/auth/account#password")).toBe("/auth");
});
