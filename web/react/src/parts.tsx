/** What the components are made of. */

import type { ButtonHTMLAttributes, JSX, RefObject } from "react";
import { PATHS } from "./icons.js";

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
