import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const PAGES = ["sign-in", "sign-up", "reset-password", "account", "playground", "admin"];
const FORMS = ["sign-in", "sign-up"];
const html = (page: string) => readFileSync(new URL(`../${page}.html`, import.meta.url), "utf8");

test.each(PAGES)("%s says everything that a page has to say", (page) => {
  const text = html(page);
  expect(text).toMatch(/^<!doctype html>\s*<html lang="en">/);
  expect(text).toMatch(/<title>[^<]+ · Tenure<\/title>/);
  expect(text).toContain('<meta name="tenure-config" content="{{config}}">');
  expect(text).toMatch(/<a class="skip" href="#main">/);
  expect(text).toMatch(/<main id="main"/);
  expect(text.match(/<h1[ >]/g)?.length).toBeGreaterThan(0);
});

test.each(PAGES)("%s has nothing inline that its policy would refuse", (page) => {
  expect(html(page)).not.toMatch(/<style|<script(?![^>]* src=)|\sstyle=|\son\w+=|javascript:|https?:\/\//i);
});

test.each(FORMS)("%s has a form that works without script", (page) => {
  const text = html(page);
  expect(text).toContain(`method="post" action="${page}"`);
  expect(text).toContain('name="return_to" value="{{return_to}}"');
  expect(text).toMatch(/<a href="sign-(in|up)\?return_to={{return_to_in_query}}"/);
  expect(text).toMatch(/<div data-part="error-summary"[^>]*>{{message}}<\/div>/);
  expect(text).toMatch(/name="remember_me" value="true"[^>]* {{remember_me}}>/);
  expect(text).toContain("Remember me for {{remembered}}");
  for (const [, id] of text.matchAll(/<input(?![^>]*type="hidden")[^>]* id="([^"]+)"/g)) {
    expect(text).toContain(
      `<label data-part="${id?.endsWith("remember-me") ? "check" : "label"}" for="${id}">`,
    );
  }
});

test("placeholders are those that the server fills", () => {
  const known = [
    "base",
    "config",
    "remembered",
    "message",
    "email",
    "name",
    "remember_me",
    "return_to",
    "return_to_in_query",
  ];
  for (const page of PAGES) {
    for (const [, name] of html(page).matchAll(/{{([^}]*)}}/g)) expect(known).toContain(name);
  }
});
