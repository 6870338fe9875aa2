/** A receipt of an end: what, why, when, where and how. */

import type { JSX, ReactNode } from "react";
import { Moment, Subject } from "./parts.js";
import { duration, readable } from "./words.js";

const SECTIONS = ["what", "why", "when", "where", "how"] as const;

/** What the page says above it, in words or as facts of their own. */
const SAID_ABOVE = ["verdict", "session"];

export function ReceiptSections({ receipt }: { receipt: Readonly<Record<string, unknown>> }): JSX.Element {
  return (
    <dl className="receipt">
      {SECTIONS.filter((section) => receipt[section]).map((section) => (
        <div key={section}>
          <dt>{readable(section)}</dt>
          <dd>
            <Tree of={receipt[section]} without={SAID_ABOVE} spans={section === "when"} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface TreeProps {
  of: unknown;
  /** Names that are not shown. */
  without?: readonly string[];
  /** Whether numbers that are no moments are milliseconds. */
  spans?: boolean;
}

/** Unix milliseconds of this century. */
const isMoment = (value: number) => value > 946_684_800_000 && value < 4_102_444_800_000;

/** Whatever an answer holds that has no shape of its own: a sentence, or names and values. */
export function Tree({ of, without = [], spans = false }: TreeProps): ReactNode {
  if (of === null || of === undefined || of === "") return "–";
  if (typeof of === "number") {
    if (isMoment(of)) return <Moment at={of} />;
    return spans ? duration(of) : String(of);
  }
  if (typeof of === "boolean") return of ? "yes" : "no";
  if (typeof of === "string") return /^(usr|ses|acc)_[0-9a-f]{32}$/.test(of) ? <Subject of={of} /> : of;
  if (Array.isArray(of)) return of.map(String).join(", ") || "–";
  return (
    <dl className="values">
      {Object.entries(of)
        .filter(([name, value]) => value !== null && !without.includes(name))
        .map(([name, value]) => (
          <div key={name}>
            <dt>{readable(name)}</dt>
            <dd>
              <Tree of={value} without={without} spans={spans} />
            </dd>
          </div>
        ))}
    </dl>
  );
}
