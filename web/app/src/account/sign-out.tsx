import { useSignOut } from "@tenure/react";
import { useMessages } from "@tenure/react/messages.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { Outcome } from "./profile.js";

type Scope = "this" | "others" | "everywhere";

const CHOICES: readonly { scope: Scope; label: string; help: string }[] = [
  { scope: "this", label: "Sign out", help: "Of this browser. Works offline, too." },
  { scope: "others", label: "Sign out everywhere else", help: "This browser stays signed in." },
  {
    scope: "everywhere",
    label: "Sign out everywhere",
    help: "Of this browser and of all your other devices.",
  },
];

export function SignOut({ onOthersEnded }: { onOthersEnded: () => void }): JSX.Element {
  const words = useMessages();
  const { signOut, pending } = useSignOut();
  const [outcome, setOutcome] = useState<string | null>(null);
  const leave = async (scope: Scope) => {
    if (pending) return;
    setOutcome(null);
    const { error } = await signOut({ scope });
    if (error) setOutcome(words.sentence(error));
    else if (scope === "others") {
      setOutcome(words.othersEnded);
      onOthersEnded();
    }
  };
  return (
    <>
      <Outcome text={outcome} />
      <ul className="choices">
        {CHOICES.map(({ scope, label, help }) => (
          <li key={scope}>
            <Button busy={pending} aria-describedby={`sign-out-${scope}`} onClick={() => void leave(scope)}>
              {label}
            </Button>
            <span data-part="help" id={`sign-out-${scope}`}>
              {help}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
