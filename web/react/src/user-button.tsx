import { type JSX, type KeyboardEvent, type RefObject, useEffect, useId, useRef, useState } from "react";
import { useSignOut, useUser } from "./hooks.js";
import { useMessages } from "./messages.js";
import { Button, type RootProps } from "./parts.js";

export interface UserButtonProps extends RootProps {
  /** Where the account page is; without it the menu has no such entry. */
  accountHref?: string | undefined;
  /** Called instead of following `accountHref`, for a router. */
  onAccount?: (() => void) | undefined;
  /** Called after the person has signed out. */
  onSignOut?: (() => void) | undefined;
}

/** The person's initials, and behind them a menu: who it is, the account page, signing out. Nothing while signed out. */
export function UserButton({
  accountHref,
  onAccount,
  onSignOut,
  ...root
}: UserButtonProps): JSX.Element | null {
  const user = useUser();
  const words = useMessages();
  const { signOut } = useSignOut();
  const menu = useMenu();
  const id = useId();
  if (!user) return null;

  const leave = async () => {
    menu.close();
    const { error } = await signOut();
    if (!error) onSignOut?.();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys belong to the button and the menu in it.
    <div
      ref={menu.root as RefObject<HTMLDivElement>}
      data-tenure="user-button"
      {...root}
      onKeyDown={menu.onKeyDown}
    >
      <Button
        buttonRef={menu.button}
        data-part="avatar"
        look="bare"
        aria-haspopup="menu"
        aria-expanded={menu.open}
        aria-controls={menu.open ? id : undefined}
        onClick={menu.toggle}
      >
        <span aria-hidden="true">{initials(user.name)}</span>
        <span data-part="unseen">{words.userMenu(user.name)}</span>
      </Button>
      {menu.open && (
        <div data-part="popup">
          <p data-part="identity">
            <strong>{user.name}</strong>
            <span>{user.email}</span>
          </p>
          <div role="menu" id={id} aria-label={words.userMenu(user.name)} data-part="menu">
            {accountHref && (
              <a
                role="menuitem"
                tabIndex={-1}
                data-part="item"
                href={accountHref}
                onClick={(event) => {
                  menu.close();
                  if (!onAccount) return;
                  event.preventDefault();
                  onAccount();
                }}
              >
                {words.account}
              </a>
            )}
            <button type="button" role="menuitem" tabIndex={-1} data-part="item" onClick={leave}>
              {words.signOut}
            </button>
          </div>
        </div>
      )}
    </div>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toLocaleUpperCase();
}

/** The keys of a menu button, as people know them from their system. */
function useMenu() {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement | null>(null);
  const button = useRef<HTMLButtonElement | null>(null);
  const enterAt = useRef(0);

  const items = () => [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
  const openAt = (index: number) => {
    enterAt.current = index;
    setOpen(true);
  };
  const close = () => setOpen(false);

  useEffect(() => {
    if (!open) return;
    items().at(enterAt.current)?.focus();
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const moves: Record<string, () => void> = open
      ? {
          ArrowDown: () => all[(at + 1) % all.length]?.focus(),
          ArrowUp: () => all.at(at <= 0 ? -1 : at - 1)?.focus(),
          Home: () => all[0]?.focus(),
          End: () => all.at(-1)?.focus(),
          Escape: () => {
            close();
            button.current?.focus();
          },
        }
      : { ArrowDown: () => openAt(0), ArrowUp: () => openAt(-1) };
    if (open && event.key === "Tab") {
      // From the button, so that the browser goes on from there to what follows it.
      button.current?.focus();
      close();
    }
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };
  return { open, root, button, close, onKeyDown, toggle: () => (open ? close() : openAt(0)) };
}
