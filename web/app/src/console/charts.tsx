/** Small charts without a library: bars in SVG, and the same numbers as a table. */

import type { JSX } from "react";
import { Section } from "./parts.js";
import { Table } from "./table.js";
import { count, moment } from "./words.js";

export interface Series {
  readonly name: string;
  /** Picks the colour. */
  readonly look: "good" | "waiting" | "out" | "quiet";
  /** One number for each hour. */
  readonly values: readonly number[];
}

interface BarsProps {
  title: string;
  /** When each hour began. */
  hours: readonly number[];
  series: readonly Series[];
}

const WIDTH = 480;
const HEIGHT = 96;

export function Bars({ title, hours, series }: BarsProps): JSX.Element {
  const sums = hours.map((_, hour) => series.reduce((sum, { values }) => sum + (values[hour] ?? 0), 0));
  const most = Math.max(1, ...sums);
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  return (
    <Section
      title={title}
      aside={<span data-part="help">at most {count(Math.max(0, ...sums))} an hour</span>}
    >
      <svg
        className="chart"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        focusable="false"
      >
        {stack(series, hours.length, most).map(({ key, ...bar }) => (
          <rect key={key} {...bar} />
        ))}
        <line className="ground" x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      </svg>
      <ul className="legend">
        {series.map(({ name, look, values }) => (
          <li key={name} data-look={look}>
            {name}: {count(total(values))}
          </li>
        ))}
      </ul>
      <details>
        <summary data-part="summary">As a table</summary>
        <Table
          small
          caption={title}
          columns={[
            { name: "Hour", cell: (hour) => moment(hours[hour] ?? 0) },
            ...series.map(({ name, values }) => ({
              name,
              number: true,
              cell: (hour: number) => count(values[hour] ?? 0),
            })),
          ]}
          rows={hours.map((_, hour) => hour).filter((hour) => (sums[hour] ?? 0) > 0)}
          keyOf={(hour) => hour}
        />
      </details>
    </Section>
  );
}

/** Rectangles, the first series at the bottom. What is there at all can be seen. */
export function stack(series: readonly Series[], hours: number, most: number) {
  const wide = WIDTH / Math.max(1, hours);
  const bars = [];
  for (let hour = 0; hour < hours; hour += 1) {
    let y = HEIGHT;
    for (const { name, look, values } of series) {
      const value = values[hour] ?? 0;
      if (value === 0) continue;
      const height = Math.max(2, (value / most) * (HEIGHT - 4));
      y -= height;
      bars.push({
        key: `${hour} ${name}`,
        className: "bar",
        "data-look": look,
        x: hour * wide + 1,
        y,
        width: wide - 2,
        height,
      });
    }
  }
  return bars;
}
