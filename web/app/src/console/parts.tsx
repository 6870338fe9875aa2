/** What the pages are made of. */

import type { ProblemError } from "@tenure/client";
import { Button } from "@tenure/react/parts.js";
import { type JSX, type MouseEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { useConsole } from "./context.js";
import type { PageName } from "./router.js";
import { ago, duration, exactMoment, moment, readable } from "./words.js";

interface LinkProps {
  page: PageName;
  id?: string | undefined;
  query?: Readonly<Record<string, string>>;
  current?: boolean;
  children: ReactNode;
}

/** A way to another page, without loading it; with a key held down it is a link like any other. */
export function Link({ page, id, query, current, children }: LinkProps): JSX.Element {
  const { href, go } = useConsole();
  const address = href(page, id, query);
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(address);
  };
  return (
    <a href={address} aria-current={current ? "page" : undefined} onClick={follow}>
      {children}
    </a>
  );
}

/** An id as far as people compare ids: how it begins, and how it ends. */
export function shortId(id: string): string {
  return /^[a-z]+_[0-9a-f]{32}$/.test(id) ? `${id.slice(0, 12)}…${id.slice(-4)}` : id;
}

/** An id in short. The whole of it is shown on its own page. */
export function Id({ of }: { of: string }): JSX.Element {
  const short = shortId(of);
  if (short === of) return <code>{of}</code>;
  return (
    <code className="short" title={of}>
      {short}
    </code>
  );
}

/** The id of something that has a page of its own. */
export function IdLink({ page, id }: { page: PageName; id: string }): JSX.Element {
  return (
    <Link page={page} id={id}>
      <Id of={id} />
    </Link>
  );
}

/** Addresses of users by their ids, as an answer has them that names people; a node of an older version names nobody. */
export type People = Readonly<Record<string, string>> | undefined;

/** Of a user alone, by their address; null if they are deleted. */
export function peopleOf(user: string, email: string | null | undefined): People {
  return email === undefined ? undefined : email ? { [user]: email } : {};
}

/** A user by their address. Of whoever is deleted there is no page, and only the id. */
export function Person({ id, of }: { id: string; of: People }): JSX.Element {
  const email = of?.[id];
  if (email || !of) {
    return (
      <Link page="user" id={id}>
        {email ?? id}
      </Link>
    );
  }
  return (
    <span>
      deleted user <Id of={id} />
    </span>
  );
}

/** What an act or an event is about, as a link where there is a page of it. */
export function Subject({ of }: { of: string }): JSX.Element {
  if (of.startsWith("usr_")) return <IdLink page="user" id={of} />;
  if (of.startsWith("ses_")) return <IdLink page="session" id={of} />;
  if (of.startsWith("acc_")) return <IdLink page="account" id={of} />;
  return <Id of={of} />;
}

/** A sentence, with the ids in it as links to what they are of. */
export function Linked({ text }: { text: string }): JSX.Element {
  const parts = text.split(/\b((?:usr|ses|acc)_[0-9a-f]{32})\b/);
  // Whatever was split at comes at odd places.
  return (
    <>{parts.map((part, index) => (index % 2 ? <Subject key={`${part} ${index}`} of={part} /> : part))}</>
  );
}

interface HeadingProps {
  title: string;
  /** What tells the page from others with the same heading, for the window's title. */
  told?: string | undefined;
  /** What stands above it. */
  above?: ReactNode;
  children?: ReactNode;
}

/** The heading of a page, and beside it what can be done with the whole of it. It takes the focus when somebody comes from another page. */
export function Heading({ title, told, above, children }: HeadingProps): JSX.Element {
  useEffect(() => {
    document.title = `${told ? `${title}, ${told}` : title} · Console · Tenure`;
  }, [title, told]);
  return (
    <div className="heading">
      {above && <p className="above">{above}</p>}
      <h1 tabIndex={-1}>{title}</h1>
      {children && <div className="buttons">{children}</div>}
    </div>
  );
}

export function Section(props: { title: string; aside?: ReactNode; children: ReactNode }): JSX.Element {
  const id = useId();
  return (
    <section className="card" aria-labelledby={id}>
      <div className="title-row">
        <h2 id={id} data-part="title">
          {props.title}
        </h2>
        {props.aside}
      </div>
      {props.children}
    </section>
  );
}

export type Look = "good" | "waiting" | "out" | "quiet";

export function Chip({ look, children }: { look: Look; children: ReactNode }): JSX.Element {
  return (
    <span className="chip" data-look-state={look}>
      {children}
    </span>
  );
}

/** Terms and their values; those without a value are left out. */
export function Terms({ of }: { of: Readonly<Record<string, ReactNode>> }): JSX.Element {
  return (
    <dl className="terms">
      {Object.entries(of)
        .filter(([, value]) => ![null, undefined, false, ""].includes(value as never))
        .map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

interface MomentProps {
  at: number;
  /** To the second and with its zone: where it may be held against a log. */
  exact?: boolean;
}

/** A moment; as logs write it, to whoever points at it. */
export function Moment({ at, exact }: MomentProps): JSX.Element {
  const passed = Date.now() - at;
  const logged = new Date(at).toISOString();
  return (
    <time dateTime={logged} title={`${logged}, ${passed > 0 ? ago(passed) : `in ${duration(-passed)}`}`}>
      {exact ? exactMoment(at) : moment(at)}
    </time>
  );
}

interface TroubleProps {
  error: ProblemError;
  onRetry?: (() => void) | undefined;
  /** What a code means here, where the server had to be vague. */
  says?: Readonly<Record<string, string>>;
}

/** Something that did not work: the sentence, and what support asks for. */
export function Trouble({ error, onRetry, says = {} }: TroubleProps): JSX.Element {
  const { code, details } = error;
  return (
    <div data-part="failure" role="alert">
      <p>
        <strong>{says[error.code] ?? sentenceOf(error)}</strong>
      </p>
      {(details.fields ?? []).length > 0 && (
        <ul>
          {details.fields?.map(({ field, message }) => (
            <li key={field}>
              {readable(field)}: {message}
            </li>
          ))}
        </ul>
      )}
      <p data-part="help">
        Code <code>{code}</code>
        {details.requestId && (
          <>
            {" · Request "}
            <code>{details.requestId}</code>
          </>
        )}
      </p>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

function sentenceOf({ code, message, details, status }: ProblemError): string {
  if (code === "unreachable") return "The server cannot be reached. What you entered is still here.";
  if (code === "validation_failed") return "Please check what you entered.";
  // The server speaks to programs there, which have no console.
  if (status === 401) return "Your time in the console is over.";
  const wait = details.retryAfterMs;
  return wait === undefined ? message : `${message} You can try again in ${duration(wait)}.`;
}

interface LoadedProps {
  of: { readonly error: ProblemError | null; readonly loading: boolean; reload(): void };
  /** Whether there is something to show. */
  ready: boolean;
  children: ReactNode;
}

/** What is read: said to be awaited, shown, or told why not. What was read before stays below what went wrong. */
export function Awaited({ of: { error, loading, reload }, ready, children }: LoadedProps): JSX.Element {
  return (
    <div className="awaited" aria-busy={loading}>
      {error && <Trouble error={error} onRetry={reload} />}
      {ready && children}
      {!ready && !error && <p data-part="help">Reading…</p>}
    </div>
  );
}

/** Text to take elsewhere. */
export function Copy({ text, label }: { text: string; label: string }): JSX.Element {
  const [outcome, setOutcome] = useState("");
  const field = useRef<HTMLInputElement | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome("Copied.");
    } catch {
      // Without https there is no clipboard for scripts.
      field.current?.select();
      setOutcome("Press Ctrl+C or ⌘C to copy it.");
    }
  };
  return (
    <div className="copy">
      <input
        ref={(element) => {
          field.current = element;
        }}
        data-part="input"
        readOnly
        value={text}
        aria-label={label}
        onFocus={(event) => event.currentTarget.select()}
      />
      <Button onClick={() => void copy()}>Copy</Button>
      <p role="status" data-part="help">
        {outcome}
      </p>
    </div>
  );
}
