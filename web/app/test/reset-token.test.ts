import { expect, test } from "vitest";
import { tokenIn } from "../src/forms/reset-token.js";

test.each([
  ["#token=abc-_.123", "abc-_.123"],
  ["#token=a%2Bb", "a+b"],
  ["#x=1&token=t", "t"],
  ["#token=", null],
  ["#tokens=t", null],
  ["", null],
])("%j holds %j", (fragment, token) => {
  expect(tokenIn(fragment)).toBe(token);
});
