/** The pages of the console and their addresses below `/admin`. */

const PAGES = {
  overview: "",
  users: "users",
  user: "users/:id",
  sessions: "sessions",
  session: "sessions/:id",
  accounts: "accounts",
  account: "accounts/:id",
  plans: "plans",
  apiKeys: "api-keys",
  signingKeys: "signing-keys",
  reports: "client-reports",
  audit: "audit-log",
  settings: "settings",
} as const;

export type PageName = keyof typeof PAGES;

export interface Place {
  /** Null: there is no such page. */
  readonly page: PageName | null;
  /** What the page is about, where it is about one thing. */
  readonly id: string;
  /** What its filters are set to. */
  readonly query: Readonly<Record<string, string>>;
}

/** What an address means; `base` is the path below which everything is served. */
export function placeOf(address: { pathname: string; search: string }, base: string): Place {
  const query = Object.fromEntries(new URLSearchParams(address.search));
  const below = address.pathname.slice(`${base}/admin`.length).replace(/^\/|\/$/g, "");
  for (const page of Object.keys(PAGES) as PageName[]) {
    const id = idIn(PAGES[page], below);
    if (id !== null) return { page, id, query };
  }
  return { page: null, id: "", query };
}

/** The id that a path has where the pattern has one, the empty text where it has none; null if it does not fit. */
function idIn(pattern: string, path: string): string | null {
  if (!pattern.endsWith(":id")) return pattern === path ? "" : null;
  const folder = pattern.slice(0, -":id".length);
  const rest = path.startsWith(folder) ? path.slice(folder.length) : "";
  if (!rest || rest.includes("/")) return null;
  try {
    return decodeURIComponent(rest);
  } catch {
    return null;
  }
}

/** The address of a page, as in `linkTo("", "user", "usr_...")`. */
export function linkTo(
  base: string,
  page: PageName,
  id = "",
  query: Readonly<Record<string, string>> = {},
): string {
  const path = PAGES[page].replace(":id", encodeURIComponent(id));
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `${base}/admin${path && `/${path}`}${text && `?${text}`}`;
}
