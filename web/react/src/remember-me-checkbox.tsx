import type { InputHTMLAttributes, JSX } from "react";
import { useServerStatus } from "./hooks.js";
import { useMessages } from "./messages.js";

export interface RememberMeCheckboxProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "type"> {
  /** Stable, because password managers and help texts refer to it. */
  id?: string;
}

/**
 * "Remember me for 20 days", with the time that this server really remembers. Off unless it is ticked. Takes what an
 * input takes: `name`, `defaultChecked`, or `checked` with `onChange`.
 */
export function RememberMeCheckbox({
  id = "tenure-remember-me",
  ...input
}: RememberMeCheckboxProps): JSX.Element {
  const words = useMessages();
  const lifetime = useServerStatus()?.rememberedLifetime;
  return (
    <div data-tenure="remember-me" data-part="field">
      <label data-part="check" htmlFor={id}>
        <input
          type="checkbox"
          id={id}
          name="remember_me"
          value="true"
          aria-describedby={`${id}-help`}
          {...input}
        />
        <span>{lifetime ? words.rememberMeFor(words.duration(lifetime * 1000)) : words.rememberMe}</span>
      </label>
      <p data-part="help" id={`${id}-help`}>
        {words.rememberMeHelp}
      </p>
    </div>
  );
}
