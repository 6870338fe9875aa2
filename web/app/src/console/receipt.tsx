/** A receipt of an end: what, why, when, where and how. */

import type { JSX, ReactNode } from "react";
import { Moment, Subject } from "./parts.js";
import { readable, span } from "./words.js";

const SECTIONS = ["what", "why", "when", "where", "how"] as const;

/** What the page says above it, in words or as facts of their own. */
const SAID_ABOVE = ["verdict", "session"];

/** Of a session that lives nobody knows why. */
const isSaid = (section: unknown) => Object.keys(Object(section)).length > 0;

interface ReceiptProps {
  receipt: Readonly<Record<string, unknown>>;
  /** Names of what is a span, in milliseconds. */
  spans: readonly string[];
}

export function ReceiptSections({ receipt, spans }: ReceiptProps): JSX.Element {
  return (
    <dl className="receipt">
      {SECTIONS.filter((section) => isSaid(receipt[section])).map((section) => (
        <div key={section}>
          <dt>{readable(section)}</dt>
          <dd>
            <Tree of={receipt[section]} without={SAID_ABOVE} spans={spans} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface TreeProps {
  of: unknown;
  /** What it is called, which says in what it is counted. */
  name?: string;
  /** Names that are not shown. */
  without?: readonly string[];
  /** Names of spans, in milliseconds. What is called `_ms` is one as well. */
  spans?: readonly string[];
}

/** Unix milliseconds of this century. */
const isMoment = (value: number) => value > 946_684_800_000 && value < 4_102_444_800_000;

const IN_MS = /_ms$/;

/** Whatever an answer holds that has no shape of its own: a sentence, or names and values. */
export function Tree({ of, name = "", without = [], spans = [] }: TreeProps): ReactNode {
  if (of === null || of === undefined || of === "") return "–";
  if (typeof of === "number") {
    if (IN_MS.test(name) || spans.includes(name)) return span(of);
    return isMoment(of) ? <Moment at={of} exact /> : String(of);
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
            <dt>{readable(name.replace(IN_MS, ""))}</dt>
            <dd>
              <Tree of={value} name={name} without={without} spans={spans} />
            </dd>
          </div>
        ))}
    </dl>
  );
}
