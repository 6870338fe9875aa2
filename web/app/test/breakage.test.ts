import { createClient } from "@tenure/client";
import { beforeEach, describe, expect, test } from "vitest";
import { Breakage, type Staged } from "../src/playground/breakage.js";

const BASE = "https://auth.example.com";
const API = `${BASE}/api/v1/auth/profile`;
const REFRESH = `${BASE}/api/v1/auth/refresh`;

let reached: Request[];
let wakes: number;
let now: number;
let answer: () => Response;
let broken: Breakage;

beforeEach(() => {
  reached = [];
  wakes = 0;
  now = 1_000;
  answer = () => Response.json({ fine: true });
  broken = new Breakage({
    fetch: async (input) => {
      reached.push(input as Request);
      now += 7;
      return answer();
    },
    wallNow: () => now,
    wake: () => {
      wakes += 1;
    },
  });
});

const call = (url = API, init?: RequestInit) => broken.edges.fetch(url, init);
const last = () => broken.state().exchanges[0];

describe("the network", () => {
  test("is what it is until it is broken", async () => {
    expect(await (await call()).json()).toEqual({ fine: true });
    expect(last()).toMatchObject({ method: "GET", path: "/api/v1/auth/profile", kind: "api", at: 1_000 });
    expect(last()).toMatchObject({ outcome: "answered", status: 200, tookMs: 7 });
  });

  test("offline nothing is sent, and coming back wakes the client", async () => {
    broken.setOffline(true);
    await expect(call()).rejects.toThrow(TypeError);
    expect(reached).toHaveLength(0);
    expect(last()?.outcome).toBe("offline");
    expect(wakes).toBe(0);
    broken.setOffline(false);
    expect(wakes).toBe(1);
    expect((await call()).status).toBe(200);
  });

  test("one answer of the kind is lost after the server has given it", async () => {
    broken.dropNext("refresh");
    expect((await call()).status).toBe(200);
    await expect(call(REFRESH, { method: "POST" })).rejects.toThrow(TypeError);
    expect(reached).toHaveLength(2);
    expect(last()).toMatchObject({ outcome: "lost", status: 200, kind: "refresh" });
    expect((await call(REFRESH, { method: "POST" })).status).toBe(200);
  });

  test("a failure of the real network is passed on", async () => {
    answer = () => {
      throw new TypeError("no network");
    };
    await expect(call()).rejects.toThrow("no network");
    expect(last()?.outcome).toBe("failed");
  });
});

describe("staged answers", () => {
  const SHAPES: [Staged, number, string | undefined][] = [
    [401, 401, undefined],
    [402, 402, "plan_inactive"],
    [403, 403, "permission_denied"],
    [500, 500, "internal_error"],
    ["html", 200, undefined],
  ];
  test.each(SHAPES)("%s is given once, without asking the server", async (staged, status, code) => {
    broken.answerNext("api", staged);
    expect((await call()).status).toBe(status);
    expect(reached).toHaveLength(0);
    expect(last()).toMatchObject({ outcome: "staged", status });
    expect(last()?.code).toBe(code);
    expect((await call()).status).toBe(200);
    expect(reached).toHaveLength(1);
  });

  test("wait for their kind of request", async () => {
    broken.answerNext("refresh", 500);
    expect((await call()).status).toBe(200);
    expect((await call(REFRESH, { method: "DELETE" })).status).toBe(200);
    expect((await call(REFRESH, { method: "POST" })).status).toBe(500);
  });
});

test("what was to happen to a next request can be forgotten", async () => {
  broken.answerNext("api", 403);
  broken.dropNext("api");
  broken.forgetNext();
  expect((await call()).status).toBe(200);
  expect(last()?.outcome).toBe("answered");
});

describe("access tokens", () => {
  const bearer = (token: string) => call(API, { headers: { Authorization: `Bearer ${token}` } });

  test("a refused token is spoilt on its way, another is not", async () => {
    broken.refuse("head.claims.signature");
    await bearer("head.claims.signature");
    await bearer("head.claims.another");
    const sent = reached.map((request) => request.headers.get("Authorization"));
    expect(sent[0]).toMatch(/^Bearer head\.claims\.\w{9}$/);
    expect(sent[0]).not.toBe("Bearer head.claims.signature");
    expect(sent[1]).toBe("Bearer head.claims.another");
  });

  test("no token and no body is kept", async () => {
    answer = () => Response.json({ access_token: "head.claims.signature" });
    await call(REFRESH, { method: "POST", body: '{"password":"secret"}' });
    await bearer("head.claims.signature");
    expect(JSON.stringify(broken.state().exchanges)).not.toMatch(/signature|secret/);
  });
});

describe("the clock", () => {
  test("jumps, adds up, and is put right", () => {
    broken.jump(86_400_000);
    broken.jump(86_400_000);
    expect(broken.edges.wallNow()).toBe(1_000 + 2 * 86_400_000);
    expect(wakes).toBe(2);
    broken.jump(0);
    expect(broken.edges.wallNow()).toBe(1_000);
    expect(broken.state().jumpedMs).toBe(0);
  });
});

test("a snapshot is the same until there is something new, and does not grow for ever", async () => {
  expect(broken.state()).toBe(broken.state());
  let heard = 0;
  const stop = broken.subscribe(() => {
    heard += 1;
  });
  for (let n = 0; n < 60; n += 1) await call();
  expect(broken.state().exchanges.length).toBe(40);
  expect(heard).toBe(120);
  stop();
  await call();
  expect(heard).toBe(120);
});

test("the real client stays signed in through each of them", async () => {
  const session = { id: "ses_1", remembered: true, created_at: 0, expires_at: 1e12 };
  const user = { id: "usr_1", email: "ada@example.com", name: "Ada", role: "owner", created_at: 0 };
  let generation = 0;
  answer = () => {
    generation += 1;
    const access_token = `head.claims.generation${generation}`;
    return Response.json({
      access_token,
      token_type: "Bearer",
      expires_in: 900,
      server_time: now,
      session,
      user,
    });
  };
  const client = createClient({ baseUrl: BASE, edges: broken.edges, start: false });
  await client.signIn.password({ email: "ada@example.com", password: "correct horse battery" });
  const shapes: Staged[] = [401, 402, 403, 500, "html"];
  for (const staged of shapes) {
    broken.answerNext("api", staged);
    expect((await client.fetch(API)).ok).toBe(staged === "html");
    broken.answerNext("refresh", staged);
    expect((await client.refresh()).error?.problemClass).toBeDefined();
    expect(client.getState()).toMatchObject({ status: "signedIn", freshness: "reconnecting" });
    broken.jump(86_400_000);
    expect((await client.signIn.password({ email: "ada@example.com", password: "x" })).error).toBeNull();
    expect(client.getState()).toMatchObject({ status: "signedIn", freshness: "live" });
  }
  client.dispose();
});
