/** A server that answers by method and path, for what the real one cannot be made to say at will. */

import { Api } from "../../src/console/api.js";

export interface Request {
  readonly url: string;
  readonly init: RequestInit;
}

/** A status without a body, a body with 200, or a whole answer. */
export type Answer = number | object | Response | ((request: Request) => Answer);

export function server(answers: Readonly<Record<string, Answer>>, base = "") {
  const requests: Request[] = [];
  let doubts = 0;
  const fetch = async (url: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const request = { url: String(url), init };
    requests.push(request);
    const [path] = request.url.split("?");
    return respond(
      answers[`${init.method ?? "GET"} ${path}`] ?? problem(404, "not_found", "request"),
      request,
    );
  };
  const doubted = () => {
    doubts += 1;
  };
  return { fetch, requests, doubts: () => doubts, api: new Api(base, doubted, { fetch }) };
}

function respond(answer: Answer, request: Request): Response {
  if (typeof answer === "function") return respond(answer(request), request);
  if (answer instanceof Response) return answer.clone();
  if (typeof answer === "number") return new Response(null, { status: answer });
  return new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } });
}

export function problem(status: number, code: string, problemClass: string, more: object = {}): Response {
  const body = {
    type: `/api/docs/codes#${code}`,
    title: code,
    status,
    detail: `The server says ${code}.`,
    code,
    class: problemClass,
    request_id: "req_1",
    server_time: 1_795_000_000_000,
    ...more,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json" },
  });
}
