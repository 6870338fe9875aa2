/** The report: each cause with its scenarios, and what came of each. */

import { CAUSES } from "./causes.js";
import { numbered, SCENARIOS } from "./scenarios/index.js";
import type { Cause, Scenario, Verdict } from "./vocabulary.js";

/** What came of a scenario. */
export interface Finding {
  readonly id: Scenario["id"];
  /** What was not as it must be; empty if all of it was. */
  readonly wrong: readonly string[];
  readonly ms: number;
}

/** What a report is about. */
export interface Run {
  readonly date: string;
  readonly version: string;
  readonly commit: string;
}

export const VERDICTS: Readonly<Record<Verdict, string>> = {
  L: "ends a session, by somebody's act or by the clock at the promised time",
  N: "never ends a session",
  S: "cannot exist here",
  P: "ends a session where the policy says so",
};

export const causeOf = (id: Scenario["id"]): string => id.split("-")[0] ?? "";
export const scenariosOf = (cause: Cause): readonly Scenario[] =>
  SCENARIOS.filter(({ id }) => causeOf(id) === cause.id);

/** One line for each cause that was tried, for a terminal. */
export function table(findings: readonly Finding[]): string {
  const lines = CAUSES.flatMap((cause) => {
    const tried = scenariosOf(cause).flatMap(({ id }) => findings.filter((finding) => finding.id === id));
    if (tried.length === 0) return [];
    const marks = tried.map(({ id, wrong }) => `${wrong.length > 0 ? "WRONG " : ""}${id.split("-")[1]}`);
    const verdict = tried.some(({ wrong }) => wrong.length > 0) ? "WRONG" : "as promised";
    return [
      `${cause.id}  ${cause.verdict}  ${cause.title.padEnd(52).slice(0, 52)}  ${verdict.padEnd(11)}  ${marks.join(" ")}`,
    ];
  });
  return lines.join("\n");
}

/** The same for people who were not there. */
export function markdown(findings: readonly Finding[], { date, version, commit }: Run): string {
  const wrong = findings.filter((finding) => finding.wrong.length > 0);
  const lines = [
    "# Conformance report",
    "",
    `Tenure ${version}, commit ${commit}, ${date}. ${findings.length} of ${SCENARIOS.length} scenarios were tried, ` +
      `${findings.length - wrong.length} came out as promised, ${wrong.length} did not.`,
    "",
    "| cause | | scenario | outcome |",
    "|---|---|---|---|",
  ];
  for (const finding of sorted(findings)) {
    const scenario = SCENARIOS.find(({ id }) => id === finding.id);
    const cause = CAUSES.find(({ id }) => id === causeOf(finding.id));
    if (!scenario || !cause) continue;
    const outcome = finding.wrong.length === 0 ? "as promised" : `**wrong**: ${finding.wrong.join("; ")}`;
    lines.push(
      `| ${cause.id} ${cell(cause.title)} | ${cause.verdict} | ${scenario.id} ${cell(scenario.title)} | ${cell(outcome)} |`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** The same for programs, with the scenarios themselves. */
export function json(findings: readonly Finding[], run: Run): string {
  const outcome = ({ id, wrong }: Finding) => ({
    asPromised: wrong.length === 0,
    wrong,
    ...SCENARIOS.find((scenario) => scenario.id === id),
  });
  const causes = CAUSES.map((cause) => ({
    ...cause,
    scenarios: sorted(findings)
      .filter(({ id }) => causeOf(id) === cause.id)
      .map(outcome),
  }));
  return `${JSON.stringify({ ...run, scenarios: findings.length, causes }, undefined, 2)}\n`;
}

/** The page of the reference: every cause, what it comes to, and by which scenarios that is shown. */
export function catalogue(): string {
  const lines = [
    "# What each known cause of sign-outs comes to",
    "",
    "Generated from `conformance/causes.ts` and `conformance/scenarios`; do not edit. `cargo xtask conformance` plays every scenario",
    "against the real server with the real client, and fails on one wrong outcome. Of each scenario stands here what its requests were",
    "answered, in their order, what every tab shows afterwards, what the session's row says, and which receipt there is.",
    "",
    ...Object.entries(VERDICTS).map(([letter, words]) => `- **${letter}**: ${words}.`),
  ];
  for (const cause of CAUSES) {
    lines.push("", `## ${cause.id}: ${cause.title}`, "", `**${cause.verdict}.** ${cause.why}`, "");
    lines.push("| scenario | | answers | client | session | receipt |", "|---|---|---|---|---|---|");
    for (const { id, title, then } of scenariosOf(cause)) {
      const { answers, client, row, receipt } = then;
      const slip = receipt ? `by ${receipt.by}${receipt.told ? ", told" : ""}` : "none";
      lines.push(`| ${id} | ${cell(title)} | ${cell(answers.join(", "))} | ${client} | ${row} | ${slip} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const sorted = (findings: readonly Finding[]) =>
  [...findings].sort((one, other) => numbered(one.id) - numbered(other.id));

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
