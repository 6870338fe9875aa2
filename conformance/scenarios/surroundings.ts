/** What stands beside the server: other software's sessions, addresses, modules and libraries. */

import type { Scenario, ServerWish, Step } from "../vocabulary.js";
import { ADA, ALIVE, PROFILE, REFRESH } from "./common.js";

const DJANGO_GONE: Step = { foreignCookie: "sessionid=; Path=/; Max-Age=0" };
const DJANGO_NEW: Step = { foreignCookie: "sessionid=k3j4h5k3j4h5; Path=/; Max-Age=3600" };
/** A development server that is left alone with what is named. */
const bare = (product: NonNullable<ServerWish["product"]>): ServerWish => ({ product });

export const surroundings: readonly Scenario[] = [
  {
    id: "C14-1",
    title: "another framework's session of an hour beside ours, flushed every hour for nineteen days",
    given: [ADA, DJANGO_NEW],
    when: [{ every: "1h", during: "456h", do: [DJANGO_GONE, PROFILE, DJANGO_NEW] }],
    then: { answers: ["200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C14-2",
    title: "it expires while the browser is closed for a day and a half",
    given: [ADA, { foreignCookie: "igny8_sessionid=1; Path=/; Max-Age=86400" }],
    when: [{ awayFor: "36h" }, PROFILE],
    then: { answers: ["200"], ...ALIVE, cookie: "kept" },
  },
  {
    id: "C14-3",
    title: "it is nonsense, very long, and of the same path as ours",
    given: [ADA],
    when: [
      { foreignCookie: `sessionid="${"x".repeat(3000)}; Path=/api/v1/auth; Max-Age=3600` },
      { foreignCookie: "csrftoken=%%%; Path=/api/v1/auth/refresh; Max-Age=3600" },
      REFRESH,
      { reload: true },
      PROFILE,
    ],
    then: { answers: ["200", "200"], ...ALIVE },
  },
  {
    id: "C34-1",
    title: "a production server behind plain http is refused at its start",
    given: [ADA],
    when: [
      {
        run: "config check",
        environment: { TENURE_SERVER__PUBLIC_URL: "http://id.example.com" },
        saying: "https",
      },
      {
        run: "serve --listen 127.0.0.1:0",
        environment: { TENURE_SERVER__PUBLIC_URL: "http://id.example.com" },
        saying: "https",
      },
      REFRESH,
    ],
    then: { answers: ["1", "2", "200"], ...ALIVE },
  },
  {
    id: "C34-2",
    title: "development on an address that others can reach is refused as well",
    given: [ADA],
    when: [
      {
        run: "--dev config check",
        environment: { TENURE_SERVER__PUBLIC_URL: "http://id.example.com" },
        saying: "--dev cannot be combined",
      },
      REFRESH,
    ],
    then: { answers: ["1", "200"], ...ALIVE },
  },
  {
    id: "C40-1",
    title: "the binary in an empty folder with an empty environment: sign-in, refresh, calls",
    server: bare({}),
    given: [ADA],
    when: [PROFILE, REFRESH, { reload: true }, PROFILE],
    then: { answers: ["200", "200", "200"], ...ALIVE },
  },
  {
    id: "C40-2",
    title: "search paths for modules that lead nowhere",
    server: bare({
      environment: {
        PATH: "/nonexistent",
        PYTHONPATH: "/nonexistent",
        PYTHONHOME: "/nonexistent",
        NODE_PATH: "/nonexistent",
        GEM_PATH: "/nonexistent",
      },
    }),
    given: [ADA],
    when: [PROFILE, REFRESH, { signOut: "others" }],
    then: { answers: ["200", "200", "200"], ...ALIVE },
  },
  {
    id: "C40-3",
    title: "settings of a framework that is not there name a backend that does not exist",
    server: bare({
      environment: {
        DJANGO_SETTINGS_MODULE: "no.such.settings",
        AUTHENTICATION_BACKENDS: "no.such.Backend",
        LD_PRELOAD: "/nonexistent/backend.so",
      },
    }),
    given: [ADA],
    when: [PROFILE, REFRESH, { signIn: "bob", on: "phone" }],
    then: { answers: ["200", "200", "200"], ...ALIVE, others: { phone: { ...ALIVE } } },
  },
  {
    id: "C41-1",
    title: "broken libraries for tokens and cryptography are found first",
    server: bare({
      brokenLibraries: [
        "libjwt.so",
        "libjwt.so.0",
        "libjwt.so.2",
        "libssl.so.3",
        "libcrypto.so.3",
        "libcrypto.so.1.1",
        "libsodium.so.23",
      ],
    }),
    given: [ADA],
    when: [PROFILE, REFRESH],
    then: { answers: ["200", "200"], ...ALIVE },
  },
  {
    id: "C41-2",
    title: "broken interpreters and databases are found first",
    server: bare({
      brokenLibraries: [
        "libpython3.11.so.1.0",
        "libpython3.12.so.1.0",
        "libpython3.13.so.1.0",
        "libsqlite3.so.0",
        "libpq.so.5",
        "libnode.so",
      ],
    }),
    given: [ADA],
    when: [PROFILE, REFRESH, { reload: true }],
    then: { answers: ["200", "200"], ...ALIVE },
  },
  {
    id: "C41-3",
    title: "cryptography is configured by files that are not there",
    server: bare({
      environment: {
        OPENSSL_CONF: "/nonexistent",
        SSL_CERT_FILE: "/nonexistent",
        SSL_CERT_DIR: "/nonexistent",
        OPENSSL_MODULES: "/nonexistent",
      },
    }),
    given: [ADA],
    when: [PROFILE, { send: "GET /api/v1/auth/profile", bearer: "one bit flipped" }, REFRESH],
    then: { answers: ["200", "401 access_token_invalid", "200"], ...ALIVE },
  },
];
