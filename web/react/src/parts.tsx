/** What the components are made of. */

import type { ButtonHTMLAttributes, JSX, RefObject } from "react";

/** Props that every component's outermost element takes. */
export interface RootProps {
  className?: string | undefined;
  id?: string | undefined;
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: "primary" | "quiet" | "danger" | "bare";
  buttonRef?: RefObject<HTMLButtonElement | null>;
  /** An answer is awaited: the button stays focusable, and says so. */
  busy?: boolean;
  "data-part"?: string;
}

export function Button({ look = "quiet", buttonRef, busy, ...rest }: ButtonProps): JSX.Element {
  return (
    <button
      type="button"
      data-part="button"
      data-look={look}
      ref={buttonRef as RefObject<HTMLButtonElement>}
      aria-disabled={busy || undefined}
      {...rest}
    />
  );
}

const PATHS = {
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 4v5l3.5 2",
  door: "M14 4H6v16h8M10 12h10m-3.5-3.5L20 12l-3.5 3.5",
  shield: "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6L12 3Zm0 5v4.5m0 3v.01",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 8v5m0-8.5v.01",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6Z",
  eyeOff:
    "M4 4l16 16M9.5 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a16 16 0 0 1-3 3.7M6 7.5A15 15 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4-1",
  close: "M6 6l12 12M18 6L6 18",
  lock: "M6.5 10.5h11a1 1 0 0 1 1 1V19a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7.5a1 1 0 0 1 1-1ZM8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm5 11.5L20.5 20.5",
};

export type IconName = keyof typeof PATHS;

/** A drawing that says nothing which the text beside it does not say. */
export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg data-part="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.75"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

/** Terms and their values; entries without a value are left out. */
export function Facts({
  of,
}: {
  of: readonly (readonly [string, string | null | undefined])[];
}): JSX.Element {
  return (
    <dl data-part="facts">
      {of
        .filter(([, value]) => value)
        .map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
