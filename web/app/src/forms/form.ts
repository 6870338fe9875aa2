/**
 * A form that works without script, made to work better with it: it is sent without leaving the page, and errors can
 * be found and read. It behaves as the forms of the React kit do, on the elements that are there already, so that
 * nothing typed and no focus can be lost.
 */

import type { ProblemError } from "@tenure/client";
import { el, find, icon } from "./dom.js";
import { words } from "./words.js";

export interface FormIntent {
  /** By the name of a field, what to say if it is empty. */
  readonly required: Readonly<Record<string, string>>;
  readonly pendingLabel: string;
  /** Sends it, and tells how that failed. */
  send(values: FormData): Promise<ProblemError | null>;
}

export function enhance(form: HTMLFormElement, intent: FormIntent): void {
  const summary = find("[data-part=error-summary]", form);
  const submit = find<HTMLButtonElement>("button[type=submit]", form);
  const password = find<HTMLInputElement>("input[type=password]", form);
  const label = submit.textContent;
  const reveal = revealButton(password);
  let pending = false;
  let retryAt = 0;
  let countdown: ReturnType<typeof setInterval> | undefined;

  // From here on the form says itself what is missing.
  form.noValidate = true;
  if (summary.textContent?.trim()) show(el("p", {}, summary.textContent));

  function show(...body: Node[]): void {
    const title = el("p", { "data-part": "error-title", id: `${form.id}-error-title` }, words.errorTitle);
    const rest = el("div", { id: `${form.id}-error-body` }, ...body);
    summary.removeAttribute("aria-label");
    summary.setAttribute("aria-labelledby", title.id);
    summary.setAttribute("aria-describedby", rest.id);
    summary.replaceChildren(title, rest);
    summary.focus();
  }

  function fail(error: ProblemError | null, faults: Readonly<Record<string, string>>): void {
    for (const [name, sentence] of Object.entries(faults)) markFault(form, name, sentence);
    const links = Object.entries(faults).map(([name, sentence]) =>
      el("li", {}, linkTo(form, name, sentence)),
    );
    const body: Node[] = error ? [el("p", {}, words.sentence(error))] : [];
    if (error?.details.retryAfterMs !== undefined) body.push(waiting(error.details.retryAfterMs));
    if (links.length > 0) body.push(el("ul", {}, ...links));
    if (error?.problemClass === "transport" && error.details.requestId) {
      body.push(el("p", { "data-part": "help" }, words.reference(error.details.requestId)));
    }
    show(...body);
  }

  /** The server has said how long it will not listen, and asking sooner may prolong it. */
  function waiting(ms: number): Node {
    retryAt = Date.now() + ms;
    const line = el("p");
    const tick = () => {
      const left = retryAt - Date.now();
      line.textContent = left > 0 ? words.tryAgainIn(words.duration(left)) : words.tryAgainNow;
      if (left <= 0) clearInterval(countdown);
    };
    countdown = setInterval(tick, 1000);
    tick();
    return line;
  }

  function clear(): void {
    clearInterval(countdown);
    retryAt = 0;
    summary.replaceChildren();
    for (const input of form.querySelectorAll<HTMLInputElement>("[aria-invalid]")) unmarkFault(input);
  }

  function setPending(next: boolean): void {
    pending = next;
    submit.textContent = next ? intent.pendingLabel : label;
    // It stays focusable while an answer is awaited, so that the focus is not lost.
    if (next) submit.setAttribute("aria-disabled", "true");
    else submit.removeAttribute("aria-disabled");
    // A password that is sent while it is shown would be remembered by the browser as text.
    if (next) reveal.hide();
  }

  async function submitted(): Promise<void> {
    const values = new FormData(form);
    // A password may consist of spaces.
    const isEmpty = (name: string) => {
      const text = String(values.get(name) ?? "");
      return name.endsWith("password") ? !text : !text.trim();
    };
    const missing = Object.entries(intent.required).filter(([name]) => isEmpty(name));
    clear();
    if (missing.length > 0) return fail(null, Object.fromEntries(missing));
    setPending(true);
    try {
      const error = await intent.send(values);
      if (error) fail(error, faultsOf(error));
    } finally {
      setPending(false);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (pending) return;
    if (retryAt > Date.now()) summary.focus();
    else void submitted();
  });
}

function faultsOf(error: ProblemError): Record<string, string> {
  const faults = error.details.fields ?? [];
  return Object.fromEntries(faults.map(({ field, code, message }) => [field, words.fields[code] ?? message]));
}

/** A way to the field, or the sentence alone if the form has no such field. */
function linkTo(form: HTMLFormElement, name: string, sentence: string): Node | string {
  const input = inputOf(form, name);
  if (!input) return sentence;
  const link = el("a", { href: `#${input.id}` }, sentence);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    input.focus();
  });
  return link;
}

/** Says at a field what is wrong with it. A fault of something that has no field is told in the summary alone. */
function markFault(form: HTMLFormElement, name: string, sentence: string): void {
  const input = inputOf(form, name);
  const control = input?.closest("[data-part=control]");
  if (!input || !control) return;
  const fault = el("p", { "data-part": "error", id: `${input.id}-error` }, sentence);
  control.before(fault);
  input.setAttribute("aria-invalid", "true");
  const help = input.getAttribute("aria-describedby");
  input.setAttribute("aria-describedby", help ? `${fault.id} ${help}` : fault.id);
}

function inputOf(form: HTMLFormElement, name: string): HTMLInputElement | null {
  return form.querySelector(`input[name="${CSS.escape(name)}"]`);
}

function unmarkFault(input: HTMLInputElement): void {
  const fault = document.getElementById(`${input.id}-error`);
  fault?.remove();
  input.removeAttribute("aria-invalid");
  const rest = (input.getAttribute("aria-describedby") ?? "")
    .split(" ")
    .filter((id) => id !== `${input.id}-error`);
  if (rest.some(Boolean)) input.setAttribute("aria-describedby", rest.join(" "));
  else input.removeAttribute("aria-describedby");
}

/** Lets the person look at what they typed. */
function revealButton(password: HTMLInputElement): { hide(): void } {
  const button = el("button", { type: "button", "data-part": "reveal", "data-look": "bare" });
  button.setAttribute("aria-controls", password.id);
  const set = (shown: boolean) => {
    const does = shown ? words.hidePassword : words.showPassword;
    password.type = shown ? "text" : "password";
    button.setAttribute("aria-label", does);
    button.title = does;
    button.replaceChildren(icon(shown ? "eyeOff" : "eye"));
  };
  set(false);
  button.addEventListener("click", () => set(password.type === "password"));
  password.after(button);
  return { hide: () => set(false) };
}
