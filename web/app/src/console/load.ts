/** Reading from the API, for as long as a page is there. */

import type { ProblemError } from "@tenure/client";
import { useCallback, useEffect, useReducer, useState } from "react";
import { type Query, withQuery } from "./api.js";
import { useConsole } from "./context.js";

export interface Loaded<T> {
  /** What was read last; it stays while it is read again, and when that fails. */
  readonly data: T | null;
  readonly error: ProblemError | null;
  readonly loading: boolean;
  reload(): void;
}

export function useLoad<T>(path: string, query: Query = {}): Loaded<T> {
  const { api, me } = useConsole();
  const [round, reload] = useReducer((before: number) => before + 1, 0);
  const [{ data, error, loading }, set] = useState<Omit<Loaded<T>, "reload">>(NOTHING);
  const address = withQuery(path, query);
  // The address says all that is asked, and the round asks again; so does a new sign-in, if the old one was over.
  useEffect(() => {
    const giveUp = new AbortController();
    set((before) => ({ ...before, loading: true }));
    void api.get<T>(path, query, giveUp).then((answer) => {
      if (giveUp.signal.aborted) return;
      set((before) => ({ data: answer.data ?? before.data, error: answer.error, loading: false }));
    });
    return () => giveUp.abort();
  }, [api, address, round, me.created_at]);
  return { data, error, loading, reload: useCallback(() => reload(), []) };
}

const NOTHING = { data: null, error: null, loading: true };

export interface Listed<Row> extends Omit<Loaded<readonly Row[]>, "data"> {
  readonly rows: readonly Row[] | null;
  /** Reads on; undefined where nothing is left. */
  readonly more: (() => void) | undefined;
}

/** How a list's answer is read: its rows, and what to ask for in order to go on. */
export type ReadPage<Answer, Row> = (answer: Answer) => { rows: readonly Row[]; next: Query | null };

/** A list that is read page by page; each page is put below those before it. */
export function useList<Answer, Row>(path: string, query: Query, read: ReadPage<Answer, Row>): Listed<Row> {
  const { api } = useConsole();
  const asked = { ...query, limit: PAGE };
  const first = useLoad<Answer>(path, asked);
  const [rest, setRest] = useState<{ of: Answer; rows: readonly Row[]; next: Query | null } | null>(null);
  const [{ error, loading }, setState] = useState<{ error: ProblemError | null; loading: boolean }>(IDLE);
  const begun = first.data && readPage(first.data, read);
  // What was read on belongs to the beginning that it was read on from.
  const going = rest && rest.of === first.data ? rest : null;
  const next = going ? going.next : (begun?.next ?? null);

  const more = async () => {
    const { data: of } = first;
    if (!of || !next || loading) return;
    setState({ error: null, loading: true });
    const answer = await api.get<Answer>(path, { ...asked, ...next });
    setState({ error: answer.error, loading: false });
    if (!answer.data) return;
    const page = readPage(answer.data, read);
    setRest({ of, rows: [...(going?.rows ?? []), ...page.rows], next: page.next });
  };
  return {
    rows: begun && [...begun.rows, ...(going?.rows ?? [])],
    error: first.error ?? error,
    loading: first.loading || loading,
    reload: first.reload,
    more: next ? () => void more() : undefined,
  };
}

/** Lists say where to go on as long as there was anything; one that is not full was the last. */
function readPage<Answer, Row>(answer: Answer, read: ReadPage<Answer, Row>) {
  const { rows, next } = read(answer);
  return { rows, next: rows.length < PAGE ? null : next };
}

const PAGE = 50;
const IDLE = { error: null, loading: false };

/** How most lists go on. */
export const after = (next: string | number | null | undefined): Query | null =>
  next === null || next === undefined ? null : { after: next };
