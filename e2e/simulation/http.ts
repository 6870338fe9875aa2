/** HTTP to a server on this machine, as it is: no cookies kept, no redirects followed, nothing decoded. */

import { Agent, request } from "node:http";

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly setCookies: readonly string[];
  readonly body: string;
}

/** Where a network brings requests, at a moment of its own time. */
export interface Upstream {
  readonly api: string;
  request(at: number, what: HttpRequest): Promise<HttpAnswer>;
}

/** Connections to servers, kept for the next request. */
export class Connections {
  #agent = new Agent({ keepAlive: true });

  close(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true });
  }

  exchange(where: string, { method, path, headers, body }: HttpRequest): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const sent = request(`${where}${path}`, { method, agent: this.#agent, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const { "set-cookie": setCookies = [], ...rest } = answer.headers;
          resolve({
            status: answer.statusCode ?? 0,
            headers: Object.entries(rest).map(([name, value]) => [name, String(value)] as const),
            setCookies,
            body: Buffer.concat(parts).toString(),
          });
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }
}
