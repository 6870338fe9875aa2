/** The response table: of all that can be answered only the closed list signs out, heard twice, and never to an API call. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import axios, { AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from "axios";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, SIGNS_OUT } from "../src/api.gen.js";
import { createClient } from "../src/client.js";
import { CLOSED } from "./cells.js";
import { shapes, tabWithApi, wrongAfterRefresh } from "./responses.js";
import { HOME, type Tab } from "./world.js";
import { STATUS } from "./world-server.js";

/** Shapes that end by themselves: an API call has no time limit of ours. */
const ending = shapes.filter(
  ({ name, status }) => status || /no network|reset|error response|HTML|megabyte/.test(name),
);

it("the codes that sign out are the same in the tests, in the client and in the published list", () => {
  const list = readFileSync(join(import.meta.dirname, "../../../api/errors.md"), "utf8");
  const published = [...list.matchAll(/^\| `(\w+)` \|.*\*\*yes\*\*/gm)].map(([, code]) => code);
  expect(published).toEqual([...CLOSED]);
  expect([...SIGNS_OUT]).toEqual([...CLOSED]);
  expect(Object.keys(STATUS).sort()).toEqual([...ERROR_CODES].sort());
});

describe(`${shapes.length} shapes of answers`, () => {
  it("are more than 500, each with a name of its own, and some of them sign out", () => {
    expect(shapes.length).toBeGreaterThan(500);
    expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length);
    expect(shapes.filter(({ signsOut }) => signsOut).length).toBe(15);
  });

  it("to a refresh: only the five codes as our 401 about our session sign out, when heard twice", {
    timeout: 60_000,
  }, async () => {
    const wrong: string[] = [];
    for (const shape of shapes) {
      const what = await wrongAfterRefresh(createClient, shape);
      if (what) wrong.push(`${shape.name}: ${what}`);
    }
    expect(wrong).toEqual([]);
  });

  it("F20: to client.fetch: none signs out, all are handed on, and only a refused token is tried again", {
    timeout: 60_000,
  }, async () => {
    await eachShape(async (tab) => {
      const response = await tab.client.fetch(`${HOME}/api/things`, { method: "POST", body: "{}" });
      return response.status;
    });
  });

  it("F20: to axios: none signs out, all are handed on, and only a refused token is tried again", {
    timeout: 60_000,
  }, async () => {
    let attached: Tab | undefined;
    let instance = axios.create();
    await eachShape(async (tab) => {
      if (attached !== tab) {
        instance = axios.create({ baseURL: HOME, adapter: adapterOf(tab) });
        tab.client.attachAxios(instance);
        attached = tab;
      }
      try {
        return (await instance.post("/api/things", { a: 1 })).status;
      } catch (error) {
        const { response } = error as AxiosError;
        if (response) return response.status;
        throw error;
      }
    });
  });
});

async function eachShape(call: (tab: Tab) => Promise<number>): Promise<void> {
  let shape = shapes[0];
  let asked = 0;
  const tab = await tabWithApi(createClient, () => {
    asked += 1;
    return shape?.fate(world);
  });
  const { world } = tab.browser;
  const wrong: string[] = [];
  for (shape of ending) {
    asked = 0;
    const answer = call(tab).catch((error: unknown) => (error instanceof Error ? 0 : -1));
    await world.time.advance(200);
    const status = await answer;
    if (status !== shape.status && shape.status) wrong.push(`${shape.name}: answered ${status}`);
    if (asked !== (shape.refusesToken && shape.status === 401 ? 2 : 1))
      wrong.push(`${shape.name}: asked ${asked} times`);
    if (tab.shows !== "signedIn ada live") wrong.push(`${shape.name}: ${tab.shows}`);
    // So that the token is old enough to be thrown away again.
    await world.time.advance(11_000);
  }
  expect(wrong).toEqual([]);
  expect(tab.events).not.toContain("SIGNED_OUT");
}

/** What axios calls to send: the network of the box. */
function adapterOf(tab: Tab) {
  return async (config: InternalAxiosRequestConfig): Promise<AxiosResponse> => {
    const { world, jar } = tab.browser;
    const headers = Object.fromEntries(
      Object.entries(config.headers.toJSON()).map(([k, v]) => [k, String(v)]),
    );
    const request = new Request(axios.getUri(config), {
      method: config.method ?? "get",
      headers,
      body: config.data,
    });
    const answer = await world.fetch(request, jar, tab).catch((cause) => {
      throw new AxiosError(cause.message, AxiosError.ERR_NETWORK, config);
    });
    const response: AxiosResponse = {
      data: await answer.text(),
      status: answer.status,
      statusText: "",
      headers: Object.fromEntries(answer.headers),
      config,
      request: {},
    };
    if (config.validateStatus?.(answer.status) ?? true) return response;
    throw new AxiosError("refused", AxiosError.ERR_BAD_REQUEST, config, {}, response);
  };
}
