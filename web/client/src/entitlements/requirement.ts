/** What has to be so for something to be shown, in the words of `GET /api/v1/auth/check`. */

type Names = string | readonly string[];

export interface Needs {
  /** An account that is served. */
  readonly account?: boolean | undefined;
  /** An active plan: this one, one of these, or any (`true`). */
  readonly plan?: Names | true | undefined;
  /** What the plan has to include, all of it. */
  readonly feature?: Names | undefined;
  /** How much the plan has to allow, as in `{ seats: 6 }`: you count, it compares. */
  readonly limit?: Readonly<Record<string, number>> | undefined;
  /** What the role has to allow, all of it. */
  readonly permission?: Names | undefined;
}

/** The requirement in text; empty if nothing is needed. */
export function requirementOf({ account, plan, feature, limit = {}, permission }: Needs): string {
  return [
    ...(account ? ["active_account"] : []),
    ...(plan === true ? ["plan"] : plan?.length ? [`plan:${named(plan).join("|")}`] : []),
    ...named(feature).map((name) => `feature:${name}`),
    ...Object.entries(limit).map(([name, wanted]) => `limit:${name}=${wanted}`),
    ...named(permission).map((name) => `permission:${name}`),
  ].join();
}

function named(names: Names = []): readonly string[] {
  return typeof names === "string" ? [names] : names;
}
