/** A proxy before a server that keeps what comes by. Runners do not tell of requests that outlive their page. */

import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export class Recorder {
  /** Line, headers and body of each request. */
  readonly heard: string[] = [];

  private constructor(
    private readonly server: Server,
    readonly address: string,
  ) {}

  static async before(target: string): Promise<Recorder> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const recorder = new Recorder(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on("request", async (incoming, answer) => {
      const chunks: Buffer[] = [];
      // A page that breaks off has said what it has said.
      await incoming.forEach((chunk) => void chunks.push(chunk)).catch(() => {});
      const body = Buffer.concat(chunks);
      const { method, url = "/", headers } = incoming;
      recorder.heard.push(`${method} ${url} ${JSON.stringify(headers)} ${body}`);
      const forwarded = request(new URL(url, target), { method, headers }, (given) => {
        answer.writeHead(given.statusCode ?? 502, given.headers);
        given.pipe(answer);
      });
      forwarded.on("error", () => answer.destroy());
      forwarded.end(body);
    });
    return recorder;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
