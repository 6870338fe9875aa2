import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { ReconnectingNotice } from "../src/index.js";
import { FakeServer } from "./server.js";
import { expectAccessible, open } from "./world.js";

const said = () => screen.getByRole("status").textContent;

test("is quiet about what passes, says that nobody is signed out, and goes by itself", async () => {
  const { server, pass } = await open(<ReconnectingNotice />, { server: new FakeServer().signedIn() });
  expect(said()).toBe("");
  server.down = true;
  await pass(20 * 60_000);
  expect(said()).toBe("Reconnecting… You stay signed in.");
  await expectQuietAgain(server, pass);
});

async function expectQuietAgain(server: FakeServer, pass: (ms: number) => Promise<void>) {
  server.down = false;
  await pass(10 * 60_000);
  expect(said()).toBe("");
}

test("says that it connects while it is not known who is there, but not at once", async () => {
  const server = new FakeServer();
  server.down = true;
  const { pass } = await open(<ReconnectingNotice afterMs={3000} />, { server });
  await pass(1000);
  expect(said()).toBe("");
  await pass(3000);
  expect(said()).toBe("Connecting…");
  await expectQuietAgain(server, pass);
});

test("leaves no timer behind and is sound", async () => {
  const server = new FakeServer();
  server.down = true;
  const { page, client, pass } = await open(<ReconnectingNotice afterMs={60_000} />, {
    server,
    strict: true,
  });
  await pass(100);
  client.dispose();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  page.unmount();
  expect(vi.getTimerCount()).toBe(0);
  await expectAccessible(page.container);
});
