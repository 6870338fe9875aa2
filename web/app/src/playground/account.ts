/** The buttons that change the account and its plan, as an operator or a bill would, and a storm of what is refused then. */

import { type Client, type ProblemError, readProblem } from "@tenure/client";
import { entitlementsOf } from "@tenure/client/entitlements";
import type { Break, Play } from "./breaks.js";

/** What the playground shows as needing a plan. */
export const NEEDED = { account: true, plan: "pro" } as const;

const NOT_YOURS = "What stands in the way is said in its place; the session and all tabs go on.";

/** `POST /api/v1/dev/account`: of the server in development alone. */
type Wish = { readonly status: string } | { readonly plan: string };

const SWITCHES: readonly { label: string; wish: Wish; did: string; expect: string }[] = [
  {
    label: "Suspend it",
    wish: { status: "suspended" },
    did: "Your account was suspended, as by its operator.",
    expect: `Requests that need it are answered 403. ${NOT_YOURS}`,
  },
  {
    label: "Cancel it",
    wish: { status: "cancelled" },
    did: "Your account was cancelled.",
    expect: `Requests that need it are answered 403. ${NOT_YOURS}`,
  },
  {
    label: "Payment due",
    wish: { status: "pending_payment" },
    did: "A payment for your account is due.",
    expect: "It is served all the same, unless the operator has decided otherwise.",
  },
  {
    label: "Activate it",
    wish: { status: "active" },
    did: "Your account is active.",
    expect: "Everything works again, from the next request on and without a new sign-in.",
  },
];

const PLANS: typeof SWITCHES = [
  {
    label: "No plan",
    wish: { plan: "none" },
    did: "Your account has no plan.",
    expect: `Requests that need one are answered 402. ${NOT_YOURS}`,
  },
  {
    label: "Inactive plan",
    wish: { plan: "inactive" },
    did: "Your account has a plan that is not active.",
    expect: `Requests that need one are answered 402. ${NOT_YOURS}`,
  },
  {
    label: "Pro",
    wish: { plan: "pro" },
    did: "Your account has the plan Pro.",
    expect: "What needs it is shown.",
  },
];

const breakOf = ({ label, wish, did, expect }: (typeof SWITCHES)[number]): Break => ({
  id: `account-${Object.values(wish)}`,
  label,
  did,
  expect,
  run: ({ client }) => change(client, wish),
});

export const accountBreaks = SWITCHES.map(breakOf);
export const planBreaks = PLANS.map(breakOf);

async function change(client: Client, wish: Wish): Promise<string> {
  const headers = { "Content-Type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(wish) };
  const [answer, failed] = await sent(client, `${client.baseUrl}/api/v1/dev/account`, init);
  if (!answer?.ok) return `That did not work: ${failed?.message ?? `the server answered ${answer?.status}`}`;
  // Other pages find out with their next token; this one knows that there is something to find out.
  await entitlementsOf(client).reload();
  return "Done.";
}

const CALLS = 500;

export const storm: Break = {
  id: "storm",
  label: `Ask ${CALLS} times`,
  did: `The app asked ${CALLS} times for what needs an account and the plan Pro.`,
  expect: "However many are refused, none of them asks for a new token, and none signs you out.",
  async run({ client, events }: Play) {
    const before = { refreshes: client.inspect().refreshesSent, signOuts: events.signOuts };
    const check = `${client.baseUrl}/api/v1/auth/check?require=active_account,plan:pro`;
    const answers = await Promise.all(Array.from({ length: CALLS }, () => sent(client, check)));
    const counts = new Map<string, number>();
    for (const [answer, problem] of answers) {
      const told = [answer?.status, problem?.code].filter(Boolean).join(" ");
      counts.set(told, (counts.get(told) ?? 0) + 1);
    }
    const told = [...counts].map(([answer, count]) => `${count} × ${answer}`).join(", ");
    const refreshes = client.inspect().refreshesSent - before.refreshes;
    const signOuts = events.signOuts - before.signOuts;
    return `Answers: ${told}. Refreshes: ${refreshes}. Sign-outs: ${signOuts}.`;
  },
};

/** An answer and the problem in it; no answer where none came. */
async function sent(
  client: Client,
  url: string,
  init?: RequestInit,
): Promise<[answer: Response | undefined, problem: ProblemError | undefined]> {
  try {
    const answer = await client.fetch(url, init);
    return [answer, await readProblem(answer)];
  } catch (error) {
    return [undefined, error as ProblemError];
  }
}
