import { defineConfig } from "@playwright/test";

/** Debian's browsers, which `cargo xtask test` installs; Playwright's own builds are not needed. */
const chromium = {
  browserName: "chromium" as const,
  launchOptions: { executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] },
};
const firefox = {
  browserName: "firefox" as const,
  // The stock Firefox, driven over WebDriver BiDi: 153 does, 140 does not know all that the runner asks of it.
  channel: "moz-firefox",
  launchOptions: { executablePath: "/usr/bin/firefox-esr" },
};

const LONG = /(long|rollout)\.spec\.ts/;

export default defineConfig({
  testDir: "specs",
  outputDir: "results",
  globalSetup: "./support/setup.ts",
  fullyParallel: false,
  workers: 2,
  // A test that passes the second time has found something the first time.
  retries: 0,
  forbidOnly: !!process.env.CI,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  projects: [
    // First, because they last longest.
    { name: "long", testMatch: LONG, use: chromium },
    { name: "chromium", testIgnore: LONG, use: chromium },
    // One test of each kind: the whole would take twice as long, and say little about our code that Chromium does not.
    { name: "firefox", grep: /@firefox/, use: firefox },
  ],
});
