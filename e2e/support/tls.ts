/** A proxy that ends TLS, as one stands before the server in production. Its certificate is made when it starts. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TlsProxy {
  /** What browsers see. */
  readonly origin: string;
  /** Where requests go from now on. */
  forwardTo(api: string): void;
  close(): void;
}

export async function tlsProxy(): Promise<TlsProxy> {
  let target = "";
  const proxy = createServer(certificate(), (incoming, outgoing) => {
    const { method, headers, url } = incoming;
    const onward = request(target + url, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((ready) => proxy.listen(0, "127.0.0.1", ready));
  return {
    origin: `https://localhost:${(proxy.address() as AddressInfo).port}`,
    forwardTo(api) {
      target = api;
    },
    close() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

function certificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "tenure-e2e-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")] as const;
  const made = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
  execFileSync("openssl", [...made, ...named, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const files = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(folder, { recursive: true });
  return files;
}
