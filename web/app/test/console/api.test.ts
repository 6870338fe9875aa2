import { ProblemError } from "@tenure/client";
import { expect, test } from "vitest";
import { Api, withQuery } from "../../src/console/api.js";
import { problem, server } from "./server.js";

test("it asks below the path that it was given, with the console's cookie and nothing else", async () => {
  const { api, requests } = server({ "GET /id/api/v1/admin/users": { users: [] } }, "/id");
  const { data } = await api.get("admin/users", { q: "Ada & Co", role: "", account: undefined, limit: 50 });
  expect(data).toEqual({ users: [] });
  expect(requests).toHaveLength(1);
  expect(requests[0]?.url).toBe("/id/api/v1/admin/users?q=Ada+%26+Co&limit=50");
  expect(requests[0]?.init).toMatchObject({ credentials: "include", redirect: "error", headers: {} });
});

test("what is sent is JSON, and an answer without a body is an answer", async () => {
  const { api, requests } = server({ "PUT /api/v1/admin/plans/pro": 204 });
  expect(await api.send("PUT", "admin/plans/pro", { name: "Pro" })).toEqual({ data: undefined, error: null });
  expect(requests[0]?.init.body).toBe('{"name":"Pro"}');
  expect(requests[0]?.init.headers).toMatchObject({ "Content-Type": "application/json" });
});

test("a problem is told as it is", async () => {
  const { api } = server({ "GET /api/v1/admin/users": problem(403, "permission_denied", "authorization") });
  const { error } = await api.get("admin/users");
  expect(error).toBeInstanceOf(ProblemError);
  expect(error).toMatchObject({ code: "permission_denied", status: 403, details: { requestId: "req_1" } });
});

test("only a 401 raises a doubt, and not one of the session itself: that is the answer to the doubt", async () => {
  const answers = {
    "GET /api/v1/admin/session": problem(401, "access_token_missing", "authentication"),
    "POST /api/v1/admin/session/confirm": problem(401, "invalid_credentials", "request"),
    "GET /api/v1/admin/accounts": problem(402, "plan_required", "authorization"),
    "GET /api/v1/admin/plans": problem(503, "storage_unavailable", "transport"),
    "GET /api/v1/admin/sessions": problem(401, "access_token_revoked", "authentication"),
  };
  const { api, doubts } = server(answers);
  await api.get("admin/session");
  await api.send("POST", "admin/session/confirm", {});
  await api.get("admin/accounts");
  await api.get("admin/plans");
  await api.get("admin/nothing");
  expect(doubts()).toBe(0);
  await api.get("admin/sessions");
  expect(doubts()).toBe(1);
});

test("no network is a fault that passes, and so is a page of a hotel", async () => {
  const down = new Api("", () => {}, { fetch: () => Promise.reject(new TypeError("Failed to fetch")) });
  expect((await down.get("admin/users")).error).toMatchObject({
    code: "unreachable",
    problemClass: "transport",
  });
  const html = () => Promise.resolve(new Response("<html>", { headers: { "content-type": "text/html" } }));
  const portal = new Api("", () => {}, { fetch: html });
  expect((await portal.get("admin/users")).error).toMatchObject({ code: "foreign_answer" });
});

test("addresses say what is asked, and nothing of what is not", () => {
  expect(withQuery("a", {})).toBe("a");
  expect(withQuery("a", { x: "", y: null, z: undefined })).toBe("a");
  expect(withQuery("a", { n: 0, x: "ä#" })).toBe("a?n=0&x=%C3%A4%23");
  expect(new Api("/id").address("admin/events/export", { kind: "act", format: "csv" })).toBe(
    "/id/api/v1/admin/events/export?kind=act&format=csv",
  );
});
