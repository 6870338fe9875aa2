/** What is shown to whom by account, plan and permission, and what the others are told. */

import { isAuthorization, ProblemError, type Refusal } from "@tenure/client";
import { fireEvent, screen } from "@testing-library/react";
import { describe, expect, test, vi } from "vitest";
import {
  BlockedNotice,
  messagesWith,
  Protect,
  useAccount,
  useEntitlement,
  useMessages,
} from "../src/index.js";
import { FakeServer, json, problem } from "./server.js";
import { expectAccessible, open, type World } from "./world.js";

const SUSPENDED = "Your account is suspended.";

/** A server where Ada is signed in. */
function server(...refused: [requirement: string, code: Refusal["code"]][]): FakeServer {
  const fake = new FakeServer().signedIn();
  for (const [requirement, code] of refused) fake.refusals.set(requirement, code);
  return fake;
}

const asked = (world: World) => world.server.lines.filter((line) => line.startsWith("GET auth/entitlements"));

function refusalOf(code: Refusal["code"], status = 403): Refusal {
  const error = new ProblemError(code, "authorization", status, `It is ${code}.`, { requestId: "req_7" });
  if (!isAuthorization(error)) throw error;
  return error;
}

function Plan({ plan }: { plan: string }) {
  const { status, refusal, error } = useEntitlement({ plan });
  return <p>{[plan, status, refusal?.code, error?.code].filter(Boolean).join(" ")}</p>;
}

describe("useEntitlement", () => {
  test("many of them are one question, and each has its answer", async () => {
    const world = await open(
      <>
        <Plan plan="pro" />
        <Plan plan="team" />
        <Plan plan="pro" />
      </>,
      { server: server(["plan:team", "plan_missing"]) },
    );
    await world.pass(100);
    expect(screen.getAllByText("pro allowed")).toHaveLength(2);
    expect(screen.getByText("team refused plan_missing")).toBeTruthy();
    expect(asked(world)).toHaveLength(1);
  });

  test("is unknown while nobody is signed in, and asks nothing", async () => {
    const world = await open(<Plan plan="pro" />);
    await world.pass(60_000);
    expect(screen.getByText("pro unknown")).toBeTruthy();
    expect(asked(world)).toEqual([]);
  });

  test("is unavailable while the server cannot be asked, and the person stays signed in", async () => {
    const fake = server();
    fake.next.set("GET auth/entitlements?require=plan%3Apro", problem(503, "overloaded", "transport"));
    const world = await open(<Plan plan="pro" />, { server: fake });
    await world.pass(100);
    expect(screen.getByText("pro unavailable overloaded")).toBeTruthy();
    expect(world.client.getState().status).toBe("signedIn");
    await world.pass(5000);
    expect(screen.getByText("pro allowed")).toBeTruthy();
  });

  test("useAccount gives the account, and reload what has become of it", async () => {
    let reload = async () => {};
    function Name() {
      const { account, status, ...more } = useAccount();
      reload = more.reload;
      return <p>{account?.name ?? status}</p>;
    }
    const world = await open(<Name />, { server: server() });
    await world.pass(100);
    expect(screen.getByText("Ada Lovelace's")).toBeTruthy();
    const [ada] = world.server.accounts;
    if (ada) ada.name = "Countess";
    void reload();
    await world.pass(100);
    expect(screen.getByText("Countess's")).toBeTruthy();
  });
});

describe("Protect", () => {
  const reports = (
    <Protect
      plan="pro"
      permission="reports.read"
      unknown="Just a moment"
      fallback="Sign in"
      denied={(refusal) => <BlockedNotice refusal={refusal} />}
    >
      The reports
    </Protect>
  );
  const NEEDED = "plan:pro,permission:reports.read";

  test("shows it to whom the server allows it, and nothing of it before that is known", async () => {
    const fake = server();
    let answer = (_: Response) => {};
    const held = new Promise<Response>((resolve) => {
      answer = resolve;
    });
    fake.next.set(`GET auth/entitlements?require=${encodeURIComponent(NEEDED)}`, held);
    const world = await open(reports, { server: fake });
    await world.pass(100);
    expect(document.body.textContent).toBe("Just a moment");
    const allowed = { require: NEEDED, allowed: true, problem: null };
    answer(json(200, { account: null, answers: [allowed] }));
    await world.pass(100);
    expect(document.body.textContent).toBe("The reports");
    expect(asked(world)).toHaveLength(1);
  });

  test("says to the others what is in the way, follows what changes, and never shows a sign-in form for it", async () => {
    const world = await open(reports, { server: server([NEEDED, "plan_missing"]) });
    await world.pass(100);
    expect(screen.getByRole("alert").textContent).toContain("This comes with another plan.");
    expect(screen.queryByText("The reports")).toBeNull();
    world.server.refusals.clear();
    void world.client.refresh();
    await world.pass(20_000);
    expect(document.body.textContent).toBe("The reports");
    world.server.refusals.set(NEEDED, "account_suspended");
    void world.client.refresh();
    await world.pass(20_000);
    expect(screen.getByRole("alert").textContent).toContain(SUSPENDED);
    await world.end("admin_revoked");
    expect(document.body.textContent).toBe("Sign in");
  });

  test("asks nothing where nothing is needed, and a role that is denied is no refusal", async () => {
    const world = await open(
      <Protect role={["admin"]} denied={(refusal) => (refusal ? "refused" : "denied")} />,
      { server: server() },
    );
    await world.pass(1000);
    expect(document.body.textContent).toBe("denied");
    expect(asked(world)).toEqual([]);
  });

  test("keeps what was typed over an end, and while the same person's right is asked for again", async () => {
    const letter = (
      <Protect plan="pro" keepAfterEnd denied="No">
        <textarea aria-label="Letter" />
      </Protect>
    );
    const world = await open(letter, { server: server() });
    await world.pass(100);
    const typed = screen.getByLabelText("Letter") as HTMLTextAreaElement;
    fireEvent.input(typed, { target: { value: "Dear Charles" } });
    await world.end("admin_revoked");
    expect(screen.getByLabelText("Letter")).toBe(typed);
    const release = world.server.hold();
    const again = world.client.signIn.password({ email: "ada@tenure.example", password: "correct horse" });
    release();
    await world.pass(100);
    expect((await again).error).toBeNull();
    await world.pass(1000);
    expect(screen.getByLabelText("Letter")).toBe(typed);
    expect(typed.value).toBe("Dear Charles");
  });

  test("and takes it away from the same person if they may not any more", async () => {
    const world = await open(
      <Protect plan="pro" keepAfterEnd denied="No">
        Letter
      </Protect>,
      { server: server() },
    );
    await world.pass(100);
    world.server.refusals.set("plan:pro", "plan_inactive");
    void world.client.refresh();
    await world.pass(20_000);
    expect(document.body.textContent).toBe("No");
  });
});

describe("Protect whose requirement changes", () => {
  const letter = (plan: string) => (
    <Protect plan={plan} keepAfterEnd unknown="Just a moment" fallback="Sign in" denied="No">
      {`For ${plan}`}
    </Protect>
  );

  test("shows nothing of the new one for the old one's answer, kept or not", async () => {
    const fake = server();
    const world = await open(letter("free"), { server: fake });
    await world.pass(100);
    expect(document.body.textContent).toBe("For free");
    fake.next.set("GET auth/entitlements?require=plan%3Ateam", problem(503, "overloaded", "transport"));
    world.page.rerender(world.around(letter("team")));
    expect(document.body.textContent).toBe("Just a moment");
    await world.pass(100);
    expect(document.body.textContent).toBe("Just a moment");
    await world.pass(5000);
    expect(document.body.textContent).toBe("For team");
  });

  test("after the end it keeps nothing for a requirement that was never met", async () => {
    const world = await open(letter("free"), { server: server(["plan:team", "plan_missing"]) });
    await world.pass(100);
    await world.end("admin_revoked");
    expect(document.body.textContent).toBe("For free");
    world.page.rerender(world.around(letter("team")));
    expect(document.body.textContent).toBe("Sign in");
  });
});

describe("what names nothing", () => {
  test.each([
    { plan: "" },
    { plan: [] },
    { plan: null as never },
    { feature: [] },
    { permission: "" },
    { limit: {} },
  ])("%o lets nobody in, and says so at once", async (needs) => {
    // React writes every error of a component to the console.
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    await expect(open(<Protect {...needs}>The reports</Protect>, { server: server() })).rejects.toThrow(
      TypeError,
    );
    expect(document.body.textContent).not.toContain("The reports");
    log.mockRestore();
  });

  test("an empty text is no requirement either", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    function Anything() {
      return useEntitlement("").status;
    }
    await expect(open(<Anything />, { server: server() })).rejects.toThrow(TypeError);
    log.mockRestore();
  });

  test("`undefined` is what is left out", async () => {
    const world = await open(
      <Protect plan={undefined} feature={undefined}>
        The reports
      </Protect>,
      { server: server() },
    );
    await world.pass(100);
    expect(document.body.textContent).toBe("The reports");
  });
});

describe("BlockedNotice", () => {
  test("its place is there with nothing to say; it tells when something is in the way, and goes when it is not", async () => {
    const world = await open(<BlockedNotice supportHref="mailto:help@example.com" upgradeHref="/plans" />, {
      server: server(),
    });
    await world.pass(100);
    const place = screen.getByRole("status");
    expect(place.textContent).toBe("");
    world.server.refusals.set("active_account", "account_suspended");
    void world.client.refresh();
    await world.pass(20_000);
    expect(screen.getByRole("status")).toBe(place);
    expect(place.textContent).toContain(SUSPENDED);
    expect(screen.getByRole("link").getAttribute("href")).toBe("mailto:help@example.com");
    world.server.refusals.clear();
    await world.user.click(screen.getByRole("button", { name: "Check again" }));
    await world.pass(100);
    expect(place.textContent).toBe("");
    expect(screen.queryByRole("button")).toBeNull();
    // The focus was on the button, and does not fall back to the top of the page.
    expect(document.activeElement).toBe(place.parentElement);
  });

  test.each([
    ["plan_missing", 402, "See plans"],
    ["plan_inactive", 402, "See plans"],
    ["limit_reached", 402, "See plans"],
    ["account_missing", 403, "Write to support"],
    ["account_suspended", 403, "Write to support"],
    ["account_cancelled", 403, "Write to support"],
    ["permission_denied", 403, null],
  ] as const)("%s is told in words of its own, with what would help", async (code, status, way) => {
    const { page } = await open(
      <BlockedNotice refusal={refusalOf(code, status)} upgradeHref="/plans" supportHref="/help" id="it" />,
    );
    const words = messagesWith();
    expect(screen.getByRole("alert").textContent).toBe(
      `${words.refusalTitles[code]} ${words.refusalHelp[code]}`,
    );
    expect(screen.queryByRole("link")?.textContent ?? null).toBe(way);
    expect(screen.getByText("req_7")).toBeTruthy();
    await expectAccessible(page.container);
  });

  test("calls the app instead of following the address, and has room for other ways", async () => {
    const upgrade = vi.fn();
    const refusal = refusalOf("limit_reached", 402);
    const world = await open(
      <BlockedNotice refusal={refusal} onUpgrade={upgrade} upgradeHref="/plans">
        <button type="button">Later</button>
      </BlockedNotice>,
    );
    await world.user.click(screen.getByRole("button", { name: "See plans" }));
    expect(upgrade).toHaveBeenCalledWith(refusal);
    expect(screen.getByRole("button", { name: "Later" })).toBeTruthy();
  });

  test("nothing refused is nothing told, and words can be replaced", async () => {
    const german = { refusalTitles: { plan_missing: "Nicht in Ihrem Tarif." } };
    const world = await open(<BlockedNotice refusal={null} />, { messages: german });
    expect(screen.getByRole("alert").textContent).toBe("");
    world.page.rerender(world.around(<BlockedNotice refusal={refusalOf("plan_missing", 402)} />));
    expect(screen.getByRole("alert").textContent).toBe(
      "Nicht in Ihrem Tarif. Choose one that includes it, and it opens at once.",
    );
  });

  test("a code of a newer server is told in its own words, here and in forms", async () => {
    const news = refusalOf("weather_bad" as never);
    function Sentence() {
      const { sentence } = useMessages();
      return <p>{[refusalOf("account_cancelled"), news].map(sentence).join(" | ")}</p>;
    }
    await open(
      <>
        <BlockedNotice refusal={news} />
        <Sentence />
      </>,
    );
    expect(screen.getByRole("alert").textContent?.trim()).toBe("It is weather_bad.");
    const { refusalTitles, refusalHelp } = messagesWith();
    const cancelled = `${refusalTitles.account_cancelled} ${refusalHelp.account_cancelled}`;
    expect(screen.getByText(`${cancelled} | It is weather_bad.`)).toBeTruthy();
  });
});
