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

/**
 * The requirement in text; empty if nothing is needed, which is what is left out or `undefined`.
 *
 * @throws {TypeError} for an empty list, an empty name and whatever else names nothing: it would let everybody in.
 */
export function requirementOf({ account, plan, feature, limit, permission }: Needs): string {
  return [
    ...(account ? ["active_account"] : []),
    ...(plan === true ? ["plan"] : plan === undefined ? [] : [`plan:${named("plan", plan).join("|")}`]),
    ...named("feature", feature).map((name) => `feature:${name}`),
    ...limits(limit).map(([name, wanted]) => `limit:${name}=${wanted}`),
    ...named("permission", permission).map((name) => `permission:${name}`),
  ].join();
}

function named(what: keyof Needs, names: Names | undefined): readonly string[] {
  if (names === undefined) return [];
  const list = Array.isArray(names) ? names : [names];
  if (!list.length || !list.every((name) => name && typeof name === "string"))
    throw new TypeError(`\`${what}\` names nothing that could be needed; leave it out if nothing is.`);
  return list;
}

function limits(limit: Needs["limit"]): readonly [string, number][] {
  if (limit !== undefined) named("limit", Object.keys(limit ?? {}));
  return Object.entries(limit ?? {});
}
