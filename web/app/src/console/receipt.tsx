/** A receipt of an end: what, why, when, where and how. */

import type { JSX, ReactNode } from "react";
import { Moment } from "./parts.js";
import { readable } from "./words.js";

const SECTIONS = ["what", "why", "when", "where", "how"] as const;

export function ReceiptSections({ receipt }: { receipt: Readonly<Record<string, unknown>> }): JSX.Element {
  return (
    <dl className="receipt">
      {SECTIONS.filter((section) => receipt[section]).map((section) => (
        <div key={section}>
          <dt>{readable(section)}</dt>
          <dd>
            <Tree of={receipt[section]} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Unix milliseconds of this century. */
const isMoment = (value: unknown): value is number =>
  typeof value === "number" && value > 946_684_800_000 && value < 4_102_444_800_000;

/** Whatever a section holds: a sentence, or names and values. */
export function Tree({ of }: { of: unknown }): ReactNode {
  if (of === null || of === undefined || of === "") return "–";
  if (isMoment(of)) return <Moment at={of} />;
  if (typeof of === "boolean") return of ? "yes" : "no";
  if (Array.isArray(of)) return of.map(String).join(", ") || "–";
  if (typeof of !== "object") return String(of);
  return (
    <dl className="values">
      {Object.entries(of)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{readable(name)}</dt>
            <dd>
              <Tree of={value} />
            </dd>
          </div>
        ))}
    </dl>
  );
}
