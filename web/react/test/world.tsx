/** A page of one browser: the real client over the fake server, and React on top. */

import { type Client, createClient, type Edges, type EndReason } from "@tenure/client";
import { createTracker, type Tracker } from "@tenure/client/tracker";
import { act, type RenderResult, render } from "@testing-library/react";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import axe from "axe-core";
import { type ReactNode, StrictMode } from "react";
import { expect, onTestFinished, vi } from "vitest";
import { type MessageOverrides, SessionProvider } from "../src/index.js";
import "./browser.js";
import { FakeServer, START } from "./server.js";

export interface World {
  server: FakeServer;
  client: Client;
  tracker: Tracker | undefined;
  user: UserEvent;
  page: RenderResult;
  /** The provider around something else, to render instead. */
  around(inside: ReactNode): ReactNode;
  /** Lets time pass, and React follow. */
  pass(ms: number): Promise<void>;
  /** Something ends the session on the server, and this page hears of it. */
  end(reason: EndReason): Promise<void>;
}

interface Options {
  server?: FakeServer;
  tracked?: boolean;
  messages?: MessageOverrides;
  strict?: boolean;
  edges?: Partial<Edges>;
}

export function clientOf(server: FakeServer, edges: Partial<Edges> = {}): Client {
  const kept = new Map<string, string>();
  const client = createClient({
    edges: {
      fetch: server.fetch,
      locks: undefined,
      openChannel: () => undefined,
      onStorage: () => () => {},
      onWake: () => () => {},
      storage: {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => void kept.set(key, value),
        removeItem: (key) => void kept.delete(key),
      },
      random: () => 0.5,
      ...edges,
    },
  });
  onTestFinished(() => client.dispose());
  return client;
}

const STEPS = 20;

/** Time moves along by itself, so that what is awaited arrives, and by leaps with `pass`. */
export function startClock(): void {
  vi.useFakeTimers({ shouldAdvanceTime: true, now: START });
}

export async function open(content: ReactNode, options: Options = {}): Promise<World> {
  startClock();
  const { server = new FakeServer(), strict = false, messages } = options;
  const client = clientOf(server, options.edges);
  const tracker = options.tracked ? createTracker(client, { report: false }) : undefined;
  onTestFinished(() => tracker?.dispose());
  const user = userEvent.setup({ advanceTimers: (ms) => vi.advanceTimersByTime(ms) });
  const around = (inside: ReactNode) => {
    const tree = (
      <SessionProvider client={client} tracker={tracker} messages={messages}>
        {inside}
      </SessionProvider>
    );
    return strict ? <StrictMode>{tree}</StrictMode> : tree;
  };
  const page = render(around(content));
  // In steps, because React 18 begins what a step has caused only when the step is over.
  const pass = async (ms: number) => {
    for (let step = 0; step < STEPS; step += 1) {
      await act(async () => void (await vi.advanceTimersByTimeAsync(ms / STEPS)));
    }
  };
  await pass(0);
  return {
    server,
    client,
    tracker,
    user,
    page,
    around,
    pass,
    async end(reason) {
      if (server.jar) server.jar.ended = reason;
      void client.refresh();
      // What ends a session is heard twice before it is believed.
      for (let step = 0; step < STEPS && client.getState().status !== "signedOut"; step += 1) await pass(500);
      expect(client.getState()).toMatchObject({ status: "signedOut", reason });
    },
  };
}

/** What axe can see without pixels: roles, names, relations. Contrast is looked at in a browser. */
export async function expectAccessible(element: Element): Promise<void> {
  vi.useRealTimers();
  const found = await axe.run(element, {
    resultTypes: ["violations"],
    rules: {
      "color-contrast": { enabled: false },
      region: { enabled: false },
      "page-has-heading-one": { enabled: false },
    },
  });
  expect(
    found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`),
  ).toEqual([]);
}
