/** Lists of things. Where there is no room for columns, each row is a list of its own. */

import { Button } from "@tenure/react/parts.js";
import type { JSX, ReactNode } from "react";
import type { Listed } from "./load.js";
import { Awaited } from "./parts.js";

export interface Column<Row> {
  readonly name: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand below each other. */
  readonly number?: boolean;
}

interface TableProps<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string | number;
  /** Few and short columns stay columns wherever they are. */
  small?: boolean;
}

export function Table<Row>({ caption, columns, rows, keyOf, small }: TableProps<Row>): JSX.Element {
  return (
    <table className={small ? undefined : "rows"}>
      <caption data-part="unseen">{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ name, number }) => (
            <th key={name} scope="col" data-number={number}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)}>
            {columns.map(({ name, cell, number }) => (
              <td key={name} data-name={name} data-number={number}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface ListProps<Row> extends Omit<TableProps<Row>, "rows"> {
  of: Listed<Row>;
  /** What is said where there are none. */
  empty: string;
}

export function List<Row>({ of, empty, ...table }: ListProps<Row>): JSX.Element {
  const { rows, more, loading } = of;
  return (
    <Awaited of={of} ready={rows !== null}>
      {rows?.length === 0 && <p data-part="help">{empty}</p>}
      {rows && rows.length > 0 && <Table {...table} rows={rows} />}
      {more && (
        <p data-part="actions">
          <Button busy={loading} onClick={more}>
            Show more
          </Button>
        </p>
      )}
    </Awaited>
  );
}
