/** The console in a page of its own, before a server that the test has made up. */

import "../../../react/test/browser.js";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, vi } from "vitest";
import { App } from "../../src/console/app.js";
import { type Answer, server } from "./server.js";

export const ME = {
  user: { id: `usr_${"1".repeat(32)}`, email: "root@example.com", name: "Root", role: "superuser" },
  permissions: ["admin.read", "admin.accounts", "admin.plans", "admin.users", "admin.keys"],
  created_at: 1_795_000_000_000,
  ends_at: 1_795_043_200_000,
  expires_at: 1_795_001_800_000,
};

let root: Root | undefined;

afterEach(() => {
  root?.unmount();
  root = undefined;
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

/** Opens a page of the console as somebody who is signed in, unless the answers say otherwise. */
export function open(path: string, answers: Readonly<Record<string, Answer>>) {
  const made = server({ "GET /api/v1/admin/session": ME, ...answers });
  vi.stubGlobal("fetch", made.fetch);
  vi.stubGlobal("scrollTo", () => {});
  history.replaceState(null, "", path);
  const place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
  root.render(<App base="" />);
  return made;
}

const TIMEOUT = { timeout: 3000 };

/** What has a text or a label and is in sight; waits for it. */
export const until = <T,>(look: () => T): Promise<T> => vi.waitFor(look, TIMEOUT);

export function text(): string {
  return document.body.textContent ?? "";
}

export async function seen(sentence: string): Promise<void> {
  await until(() => {
    if (!text().includes(sentence)) throw new Error(`“${sentence}” is not in: ${text()}`);
  });
}

const inSight = (element: Element) => !element.closest("[hidden]");

export function button(name: string, within: ParentNode = document): Promise<HTMLElement> {
  return until(() => {
    const all = [...within.querySelectorAll<HTMLElement>("button, a")].filter(inSight);
    const found = all.find((one) => (one.getAttribute("aria-label") ?? one.textContent) === name);
    if (!found) throw new Error(`no button ${name} among ${all.map((one) => one.textContent).join(", ")}`);
    return found;
  });
}

export async function press(name: string, within?: ParentNode): Promise<void> {
  (await button(name, within)).click();
}

export function field<T extends HTMLInputElement | HTMLTextAreaElement>(name: string): Promise<T> {
  return until(() => {
    const found = [...document.querySelectorAll<T>(`[name="${name}"]`)].find(inSight);
    if (!found) throw new Error(`no field ${name}`);
    return found;
  });
}

export async function type(name: string, value: string): Promise<void> {
  (await field(name)).value = value;
}

export const dialog = (): Promise<HTMLDialogElement> =>
  until(() => {
    const found = document.querySelector<HTMLDialogElement>("dialog[open]");
    if (!found) throw new Error("no dialog is open");
    return found;
  });
