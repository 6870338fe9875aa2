/** Reading from the API, for as long as a page is there. */

import type { ProblemError } from "@tenure/client";
import { useCallback, useEffect, useReducer, useState } from "react";
import { type Query, withQuery } from "./api.js";
import { useConsole } from "./context.js";

export interface Loaded<T> {
  /** What was read last from this very address; it stays while it is read again, and when that fails. */
  readonly data: T | null;
  readonly error: ProblemError | null;
  readonly loading: boolean;
  reload(): void;
}

export function useLoad<T>(path: string, query: Query = {}): Loaded<T> {
  const { api, me } = useConsole();
  const [round, reload] = useReducer((before: number) => before + 1, 0);
  const address = withQuery(path, query);
  const [read, set] = useState<Read<T>>({ of: address, ...NOTHING });
  // What another address had answered is nothing of this one: rows of one person must not stand below another's name.
  const { data, error, loading } = read.of === address ? read : NOTHING;
  // The address says all that is asked, and the round asks again; so does a new sign-in, if the old one was over.
  useEffect(() => {
    const giveUp = new AbortController();
    const kept = (before: Read<T>) => (before.of === address ? before : { of: address, ...NOTHING });
    set((before) => ({ ...kept(before), loading: true }));
    void api.get<T>(path, query, giveUp).then((answer) => {
      if (giveUp.signal.aborted) return;
      set((before) => ({
        of: address,
        data: answer.data ?? kept(before).data,
        error: answer.error,
        loading: false,
      }));
    });
    return () => giveUp.abort();
  }, [api, address, round, me.created_at]);
  return { data, error, loading, reload: useCallback(() => reload(), []) };
}

/** What was read, and from where. */
type Read<T> = Omit<Loaded<T>, "reload"> & { readonly of: string };

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
  const [reading, setReading] = useState<Reading>({ of: null, ...IDLE });
  const begun = first.data && readPage(first.data, read);
  // What was read on belongs to the beginning that it was read on from.
  const going = rest && rest.of === first.data ? rest : null;
  const { error, loading } = reading.of === first.data ? reading : IDLE;
  const next = going ? going.next : (begun?.next ?? null);

  const more = async () => {
    const { data: of } = first;
    if (!of || !next || loading) return;
    setReading({ of, error: null, loading: true });
    const answer = await api.get<Answer>(path, { ...asked, ...next });
    setReading((before) => (before.of === of ? { of, error: answer.error, loading: false } : before));
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

/** How it goes to read on from a beginning. */
interface Reading {
  readonly of: unknown;
  readonly error: ProblemError | null;
  readonly loading: boolean;
}

const PAGE = 50;
const IDLE = { error: null, loading: false };

/** How most lists go on. */
export const after = (next: string | number | null | undefined): Query | null =>
  next === null || next === undefined ? null : { after: next };
