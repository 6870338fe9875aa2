/** What jsdom lacks of a browser, and a clean page for each test. */

import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// jsdom knows `<dialog>` but not how to open one. This is the part of the standard that the notice stands on:
// the focus goes in, comes back when it closes, and Escape asks with `cancel`, then closes and tells by `close`.
const before = new WeakMap<HTMLDialogElement, Element | null>();

HTMLDialogElement.prototype.showModal = function showModal() {
  if (!this.isConnected) throw new DOMException("Not in the page.", "InvalidStateError");
  if (this.open) throw new DOMException("Open already.", "InvalidStateError");
  before.set(this, document.activeElement);
  this.open = true;
  this.querySelector<HTMLElement>("summary, button")?.focus();
};

HTMLDialogElement.prototype.close = function close() {
  if (!this.open) return;
  this.open = false;
  (before.get(this) as HTMLElement | null)?.focus();
  queueMicrotask(() => this.dispatchEvent(new Event("close")));
};

addEventListener("keydown", (event) => {
  const dialog = document.querySelector<HTMLDialogElement>("dialog[open]");
  if (event.key !== "Escape" || !dialog) return;
  if (dialog.dispatchEvent(new Event("cancel", { cancelable: true }))) dialog.close();
});

// axe asks for a canvas in order to know icon fonts, of which there are none.
HTMLCanvasElement.prototype.getContext = () => null;

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.restoreAllMocks();
  sessionStorage.clear();
  localStorage.clear();
});
