/**
 * `examples/django-react` as it would be run: nginx in front of the built pages, Django with PostgreSQL and Redis, and a
 * Tenure. A deploy replaces pages and processes while tabs stay open.
 */

import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "@playwright/test";
import { build } from "vite";
import { productBinary, ROOT, Server, type ServerOptions } from "./server.js";
import { freePort, rig, Supervised } from "./supervised.js";
import { until } from "./until.js";

const EXAMPLE = join(ROOT, "examples/django-react");
const BACKEND = join(EXAMPLE, "backend");
const PATIENCE_MS = 20_000;

/** What all of its people sign in with. */
export const PASSWORD = "a long way to the sea";

/** simplejwt's, which is Django's own until step 5. */
const SIGNING_KEY = "only for a test on the loopback interface, and of at least thirty-two bytes";

/** The steps at which Tenure is configured anew; in between it stays as it is. */
const CONFIGURED = [1, 5, 8];

export class Desk {
  readonly #ends: (() => unknown)[] = [];
  #django: Supervised | undefined;
  #configured: number | undefined;
  #aheadMs = 0;
  #isWindowOpen = true;

  private constructor(
    private readonly folder: string,
    readonly url: string,
    /** Where Django listens. */
    private readonly backend: string,
    readonly tenure: Server,
    private readonly environment: Record<string, string>,
  ) {}

  static async start(): Promise<Desk> {
    const folder = mkdtempSync(join(tmpdir(), "tenure-e2e-desk-"));
    const [front, back] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${front}`;
    const [tenure, redis, own] = await Promise.all([
      Server.start({ settings: [`server.public_url=${url}`] }),
      rig("redis"),
      process.env.E2E_POSTGRES ? undefined : rig("postgres"),
    ]);
    const postgres = own?.url ?? process.env.E2E_POSTGRES ?? "";
    const desk = new Desk(folder, url, `127.0.0.1:${back}`, tenure, {
      PYTHONPATH: join(ROOT, "python/tenure-drf/src"),
      DATABASE_URL: database(postgres, `desk_${process.pid}_${Date.now()}`),
      REDIS_URL: redis.url,
      SECRET_KEY: SIGNING_KEY,
      JWT_SIGNING_KEY: SIGNING_KEY,
      SITE_URL: url,
      AUTH_URL: tenure.api,
      ADMIN_KEY: key(tenure),
      MAIL_FOLDER: join(folder, "mail"),
      PASSWORD,
    });
    desk.#ends.push(
      redis.end,
      () => own?.end(),
      () => tenure.stop(),
    );
    mkdirSync(desk.#path("srv"));
    desk.#nginx();
    await desk.manage(0, "migrate", "-v0");
    return desk;
  }

  async stop(): Promise<void> {
    await this.#django?.kill();
    for (const end of this.#ends.reverse()) await end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Puts a step in the place of another: Tenure, then Django, and the pages last. `meanwhile` runs while Django is away. */
  async deploy(step: number, meanwhile?: () => Promise<unknown>): Promise<void> {
    const configured = CONFIGURED.findLast((configured) => configured <= step);
    if (configured) await this.#configure(configured);
    await Promise.all([this.#built(step), this.#serve(step, meanwhile)]);
    await this.deployPages(step);
  }

  async #serve(step: number, meanwhile?: () => Promise<unknown>): Promise<void> {
    await this.#django?.kill();
    await meanwhile?.();
    // What the checks say of each step is a test of the adapter's.
    const options = ["--noreload", "--skip-checks"];
    const command = [python(), join(BACKEND, "manage.py"), "runserver", this.backend, ...options];
    this.#django = Supervised.start(command, this.#path("django.log"), this.#at(step));
    await until(async () => {
      const answer = await fetch(`${this.url}/api/me/`);
      expect(answer.status, this.#django?.log).toBe(401);
    }, PATIENCE_MS);
  }

  async #configure(step: number): Promise<void> {
    if (this.#configured === step) return;
    this.#configured = step;
    await this.#tenureAgain();
  }

  async #tenureAgain(): Promise<void> {
    await this.tenure.kill();
    await this.tenure.startAgain(this.#tenureOptions());
  }

  /** How far Tenure's clock is ahead. It stands still once it was moved. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Whether Tenure takes simplejwt's tokens over. */
  async window(is: "open" | "closed"): Promise<void> {
    this.#isWindowOpen = is === "open";
    await this.#tenureAgain();
  }

  /** Lets time pass for Tenure, in whose keeping the sessions are. */
  async pass(ms: number): Promise<void> {
    this.#aheadMs += ms;
    await this.#tenureAgain();
  }

  #tenureOptions(): ServerOptions {
    const settings = [`server.public_url=${this.url}`];
    const config = join(EXAMPLE, `tenure/step${this.#configured}.toml`);
    const clock = this.#aheadMs ? "virtual" : "real";
    const options = { clock, begunMs: -this.#aheadMs, config, settings } as const;
    const sections = readFileSync(config, "utf8");
    if (sections.includes("[observe]")) settings.push(`observe.origins=["${this.url}"]`);
    if (sections.includes("[migration]")) {
      const hours = this.#isWindowOpen ? 24 : -24;
      const until = new Date(Date.now() + hours * 3_600_000).toISOString();
      settings.push(`migration.simplejwt_key=${SIGNING_KEY}`, `migration.exchange_until=${until}`);
    }
    return options;
  }

  /** The folder with the pages of a step. */
  async #built(step: number): Promise<string> {
    const outDir = this.#path(`pages${step}`);
    if (!existsSync(outDir)) {
      process.env.STEP = `${step}`;
      const configFile = join(EXAMPLE, "frontend/vite.config.ts");
      await build({ configFile, logLevel: "warn", build: { outDir, emptyOutDir: false, minify: false } });
    }
    return outDir;
  }

  /** Those of earlier steps stay beside them, as in `nginx.conf`. */
  async deployPages(step: number): Promise<void> {
    const outDir = await this.#built(step);
    cpSync(join(outDir, "assets"), this.#path("srv/assets"), { recursive: true });
    cpSync(join(outDir, "index.html"), this.#path("srv/next.html"));
    renameSync(this.#path("srv/next.html"), this.#path("srv/index.html"));
  }

  /** `manage.py` at a step. */
  async manage(step: number, ...args: string[]): Promise<string> {
    const env = { ...process.env, ...this.#at(step) };
    const command = [join(BACKEND, "manage.py"), ...args, "--skip-checks"];
    const { stdout } = await promisify(execFile)(python(), command, { env });
    return stdout;
  }

  /** Takes the people of Django over into Tenure, and tells Django what they are called there. */
  async import(step: number): Promise<void> {
    const { DATABASE_URL = "" } = this.environment;
    this.product("import", "django", "--database-url", DATABASE_URL, "--table", "tickets_person");
    const users = this.product("--json", "user", "list", "--all");
    const env = { ...process.env, ...this.#at(step) };
    execFileSync(python(), [join(BACKEND, "manage.py"), "tenure_ids"], { env, input: users, stdio: "pipe" });
  }

  /** Tenure's command line. */
  product(...args: string[]): string {
    return product(this.tenure, ...args);
  }

  /** The link of the one mail that Django has sent to somebody. */
  mailedLink(email: string): string {
    const folder = this.#path("mail");
    const mails = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    const [mail, ...more] = mails.filter((mail) => mail.includes(`To: ${email}`));
    const [link] = mail?.match(/http\S+/) ?? [];
    if (!link || more.length) throw new Error(`${email} has got ${mails.length} mails, or none with a link`);
    return link;
  }

  #at(step: number): Record<string, string> {
    return { ...this.environment, STEP: `${step}` };
  }

  #path(name: string): string {
    return join(this.folder, name);
  }

  #nginx(): void {
    const site = readFileSync(join(EXAMPLE, "nginx.conf"), "utf8")
      .replace("127.0.0.1:8080", new URL(this.url).host)
      .replaceAll("127.0.0.1:8000", this.backend)
      .replaceAll("127.0.0.1:7700", new URL(this.tenure.api).host)
      .replace("/srv/desk", this.#path("srv"));
    writeFileSync(this.#path("site.conf"), site);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    const main = [
      // One process: workers would outlive a master that is killed.
      "daemon off; master_process off; error_log stderr; events {}",
      `pid ${this.#path("nginx.pid")};`,
      "http { access_log off; types { text/html html; text/javascript js; text/css css; }",
      ...temporary.map((kind) => `${kind}_temp_path ${this.#path(kind)};`),
      `include ${this.#path("site.conf")}; }`,
    ];
    writeFileSync(this.#path("nginx.conf"), main.join("\n"));
    const command = ["nginx", "-p", this.folder, "-c", this.#path("nginx.conf")];
    // Debian keeps it where only administrators look.
    const PATH = `${process.env.PATH}:/usr/sbin`;
    const nginx = Supervised.start(command, this.#path("nginx.log"), { PATH });
    this.#ends.push(() => nginx.kill());
  }
}

function product(tenure: Server, ...args: string[]): string {
  return execFileSync(productBinary(), ["--data", tenure.data, ...args], { encoding: "utf8" });
}

/** What Django makes new people and links to new passwords with. */
function key(tenure: Server): string {
  const reason = ["--reason", "the road"];
  const account = JSON.parse(product(tenure, "--json", "account", "create", "The desk", ...reason));
  const scope = ["--name", "Django", "--scopes", "admin.users"];
  const made = product(tenure, "--json", "api-key", "create", account.id, ...scope, ...reason);
  return JSON.parse(made).secret;
}

/** Makes a database on a server, and answers its URL. */
function database(server: string, name: string): string {
  const create = `import psycopg, sys
psycopg.connect(sys.argv[1], autocommit=True).execute(f"CREATE DATABASE {sys.argv[2]}")`;
  execFileSync(python(), ["-c", create, server, name]);
  const url = new URL(server);
  url.pathname = name;
  return url.href;
}

/** The Python that `cargo xtask test` names, or where it has installed one. */
function python(): string {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  return process.env.PYTHON_BINARY || join(target, "python/bin/python");
}
