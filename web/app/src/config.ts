/** What the server tells the pages, in the document that it fills in. */

export interface DevUser {
  readonly email: string;
  readonly password: string;
}

export interface PageConfig {
  /** Seconds that a remembered sign-in lasts. */
  readonly remembered_lifetime: number;
  /** Seconds that another sign-in lasts at most. */
  readonly short_lifetime: number;
  readonly registration_open: boolean;
  readonly development: boolean;
  /** Whom to sign in as with one click; only in development. */
  readonly dev_user: DevUser | null;
}

const DEFAULTS: PageConfig = {
  remembered_lifetime: 20 * 86_400,
  short_lifetime: 86_400,
  registration_open: true,
  development: false,
  dev_user: null,
};

/** The configuration in the document. One that cannot be read leaves the defaults: the server decides in any case. */
export function readConfig(from: ParentNode = document): PageConfig {
  const content = from.querySelector<HTMLMetaElement>('meta[name="tenure-config"]')?.content;
  try {
    return { ...DEFAULTS, ...(JSON.parse(content ?? "") as Partial<PageConfig>) };
  } catch {
    return DEFAULTS;
  }
}
