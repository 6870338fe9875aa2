/** Fields, and the forms that set a page's filters. They are uncontrolled: nothing that was typed is ever put back. */

import { Button, Icon } from "@tenure/react/parts.js";
import {
  createContext,
  type FormEvent,
  type InputHTMLAttributes,
  type JSX,
  type ReactNode,
  useContext,
  useId,
  useRef,
  useState,
} from "react";
import { useConsole } from "./context.js";
import type { PageName } from "./router.js";
import { readable } from "./words.js";

/** What the server found wrong, by the name of the field. */
export const FaultsContext = createContext<Readonly<Record<string, string>>>({});

interface Labelled {
  name: string;
  label: string;
  help?: ReactNode;
}

/** A label, what is wrong, the control and what helps; `control` is given the attributes that tie them together. */
function Tied(
  props: Labelled & {
    control: (tie: { id: string; "aria-invalid"?: true; "aria-describedby"?: string }) => ReactNode;
  },
): JSX.Element {
  const id = useId();
  const fault = useContext(FaultsContext)[props.name];
  const described = [fault && `${id}-error`, props.help && `${id}-help`].filter(Boolean).join(" ");
  return (
    <div data-part="field">
      <label data-part="label" htmlFor={id}>
        {props.label}
      </label>
      {fault && (
        <p data-part="error" id={`${id}-error`}>
          {fault}
        </p>
      )}
      <div data-part="control">
        {props.control({
          id,
          ...(fault && { "aria-invalid": true as const }),
          ...(described && { "aria-describedby": described }),
        })}
      </div>
      {props.help && (
        <p data-part="help" id={`${id}-help`}>
          {props.help}
        </p>
      )}
    </div>
  );
}

type InputProps = Labelled & Omit<InputHTMLAttributes<HTMLInputElement>, "name">;

export function Field({ name, label, help, ...input }: InputProps): JSX.Element {
  return (
    <Tied
      {...{ name, label, help }}
      control={(tie) => (
        <input
          data-part="input"
          name={name}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          {...input}
          {...tie}
        />
      )}
    />
  );
}

export function TextArea(
  props: Labelled & { rows?: number; defaultValue?: string; maxLength?: number },
): JSX.Element {
  const { name, label, help, ...area } = props;
  return (
    <Tied
      {...{ name, label, help }}
      control={(tie) => <textarea data-part="input" name={name} rows={2} {...area} {...tie} />}
    />
  );
}

interface ChoiceProps extends Labelled {
  /** Values, or values with what they are called. */
  options: readonly (string | readonly [value: string, label: string])[];
  defaultValue?: string | undefined;
}

export function Choice({ name, label, help, options, defaultValue }: ChoiceProps): JSX.Element {
  return (
    <Tied
      {...{ name, label, help }}
      control={(tie) => (
        <select data-part="input" name={name} defaultValue={defaultValue} {...tie}>
          {options.map((option) => {
            const [value, text] = typeof option === "string" ? [option, readable(option)] : option;
            return (
              <option key={value} value={value}>
                {text}
              </option>
            );
          })}
        </select>
      )}
    />
  );
}

/** Something to be wished for besides; a form has its name only where it is. */
export function Check({ name, label, help }: Labelled): JSX.Element {
  const id = useId();
  return (
    <div data-part="field">
      <label data-part="label" className="check">
        <input type="checkbox" name={name} aria-describedby={help ? `${id}-help` : undefined} />
        {label}
      </label>
      {help && (
        <p data-part="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

/** A password that can be looked at. */
export function Secret(props: InputProps): JSX.Element {
  const [shown, setShown] = useState(false);
  const does = shown ? "Hide password" : "Show password";
  return (
    <Tied
      {...props}
      control={(tie) => (
        <>
          <input
            data-part="input"
            name={props.name}
            type={shown ? "text" : "password"}
            autoComplete={props.autoComplete}
            autoCapitalize="none"
            spellCheck={false}
            {...tie}
          />
          <Button
            look="bare"
            data-part="reveal"
            aria-label={does}
            title={does}
            onClick={() => setShown(!shown)}
          >
            <Icon name={shown ? "eyeOff" : "eye"} />
          </Button>
        </>
      )}
    />
  );
}

export const textOf = (values: FormData, name: string): string => String(values.get(name) ?? "").trim();

interface FiltersProps {
  page: PageName;
  query: Readonly<Record<string, string>>;
  /** What only this page can do with what it shows. */
  after?: ReactNode;
  children: ReactNode;
}

/** Filters are part of the address: they can be kept, sent to somebody, and gone back to. */
export function Filters({ page, query, after, children }: FiltersProps): JSX.Element {
  const { href, go } = useConsole();
  const said = JSON.stringify(query);
  const applied = useRef(said);
  const round = useRef(0);
  if (applied.current !== said) {
    // The address has changed by itself, as when somebody goes back: the fields are set anew.
    applied.current = said;
    round.current += 1;
  }
  const apply = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const typed = [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value).trim()]);
    const set = Object.fromEntries(typed.filter(([, value]) => value));
    applied.current = JSON.stringify(set);
    go(href(page, "", set));
  };
  return (
    <form key={round.current} aria-label="Filters" className="filters" onSubmit={apply}>
      {children}
      <div className="buttons">
        <Button type="submit">Apply</Button>
        {after}
      </div>
    </form>
  );
}
