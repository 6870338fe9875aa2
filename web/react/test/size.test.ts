// @vitest-environment node

import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { expect, test } from "vitest";

const source = join(import.meta.dirname, "../src/index.ts");

/** Bytes after gzip that an app pays for what it imports, without React and the client. */
async function priceOf(names: string): Promise<number> {
  const entry = "\0app";
  const result = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [
      {
        name: "app",
        resolveId: (id) => (id === "app" ? entry : undefined),
        load: (id) =>
          id === entry
            ? `import { ${names} } from ${JSON.stringify(source)}; globalThis.app = { ${names} };`
            : undefined,
      },
    ],
    build: {
      write: false,
      target: "es2022",
      rolldownOptions: { input: "app", external: [/^react($|\/)/, /^@tenure\/client/] },
    },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const { output } = Array.isArray(result)
    ? (result[0] ?? { output: [] })
    : "output" in result
      ? result
      : { output: [] };
  const code = output.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("");
  expect(code).toContain("globalThis.app");
  return gzipSync(code).length;
}

const HOOKS =
  "useSession, useAuthState, useUser, useSignIn, useSignUp, useSignOut, useSessions, useLogoutReceipt, useEntitlement, useAccount";
const CONTROL = "SignedIn, SignedOut, Unknown, Protect";
const COMPONENTS =
  "SignInForm, SignUpForm, RememberMeCheckbox, LogoutReasonBanner, LogoutNotice, AuthDebugPanel, DeviceList, UserButton, ReconnectingNotice, BlockedNotice";

test("provider, hooks and control components cost at most 4 kB, and no component comes along", async () => {
  const core = await priceOf(`SessionProvider, useServerStatus, ${HOOKS}, ${CONTROL}`);
  const withForm = await priceOf(`SessionProvider, ${HOOKS}, ${CONTROL}, SignInForm`);
  const all = await priceOf(`SessionProvider, useServerStatus, ${HOOKS}, ${CONTROL}, ${COMPONENTS}`);
  console.log(`gzip bytes: core ${core}, with SignInForm ${withForm}, everything ${all}`);
  expect(core).toBeLessThanOrEqual(4096);
  expect(all).toBeLessThanOrEqual(13 * 1024);
}, 60_000);
