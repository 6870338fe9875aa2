/** Numbers that people feel. */

import { quantile, report } from "../support/numbers.js";
import { LIVE, signIn, toldOf, untilState } from "../support/tab.js";
import { expect, test } from "../support/test.js";

test("a sign-out is seen by nine other tabs within a second, twenty times over", async ({ tab, person }) => {
  test.setTimeout(90_000);
  const tabs = await Promise.all(Array.from({ length: 10 }, () => tab()));
  const [first, ...others] = tabs as [(typeof tabs)[0], ...typeof tabs];
  const took: number[] = [];
  for (let round = 0; round < 20; round++) {
    await signIn(first, person);
    await Promise.all(others.map((page) => untilState(page, LIVE)));
    const began = await first.evaluate(async () => {
      const now = performance.timeOrigin + performance.now();
      await window.client.signOut();
      return now;
    });
    for (const page of others) {
      await untilState(page, { status: "signedOut", reason: "signed_out" });
      const out = (await toldOf(page)).findLast(({ event }) => event === "SIGNED_OUT");
      took.push((out?.at ?? Number.POSITIVE_INFINITY) - began);
    }
  }
  const ms = (share: number) => `${quantile(took, share).toFixed(1)} ms`;
  report("sign-out seen by other tabs", `p50 ${ms(0.5)}, p99 ${ms(0.99)}, longest ${ms(1)}`, "p99 < 300 ms");
  expect(took).toHaveLength(180);
  // One round of twenty the machine may hold up.
  expect(quantile(took, 0.9)).toBeLessThan(1000);
});

test("a signed-in call costs little more than fetch with a header", async ({ tab }) => {
  const page = await tab();
  const { plain, signedIn } = await page.evaluate(async () => {
    const later = (ms: number) => Date.now() + ms;
    const granted = {
      access_token: "not-a-token",
      expires_in: 900,
      server_time: Date.now(),
      session: { id: "s", remembered: true, created_at: Date.now(), expires_at: later(86_400_000) },
      user: { id: "u", account_id: null, email: "a@example.com", name: "A", role: "user", created_at: 0 },
    };
    // Neither side has a network, so that only what the client adds is left.
    const answer = async (input: string | Request): Promise<Response> => {
      const url = typeof input === "string" ? input : input.url;
      return Response.json(url.includes("/auth/") ? granted : {});
    };
    const client = window.createClient({ edges: { fetch: answer } });
    const { error } = await client.signIn.password({ email: "a@example.com", password: "p" });
    if (error) throw error;
    const token = await client.getAccessToken();
    const headers = { Authorization: `Bearer ${token.data}` };
    const calls = {
      plain: () => answer(new Request("/api/thing", { headers })),
      signedIn: () => client.fetch("/api/thing"),
    };
    const took = { plain: [] as number[], signedIn: [] as number[] };
    for (let i = 0; i < 6000; i++) {
      for (const name of ["plain", "signedIn"] as const) {
        const began = performance.now();
        await calls[name]();
        // The first ones are compiled while they run.
        if (i >= 1000) took[name].push(performance.now() - began);
      }
    }
    client.dispose();
    return took;
  });
  // In five parts, of which the middle one counts: where others share the machine, a part may be theirs.
  const parts = [0, 1000, 2000, 3000, 4000].map((start) => ({
    plain: plain.slice(start, start + 1000),
    signedIn: signedIn.slice(start, start + 1000),
  }));
  const more = (share: number) =>
    quantile(
      parts.map((part) => quantile(part.signedIn, share) - quantile(part.plain, share)),
      0.5,
    );
  const ms = (share: number) => `${more(share).toFixed(3)} ms`;
  report("the client's part of a signed-in call", `p50 ${ms(0.5)}, p99 ${ms(0.99)}`, "p99 < 0.2 ms");
  expect(more(0.5)).toBeLessThan(0.2);
});
