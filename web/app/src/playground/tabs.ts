/** How many tabs of the playground are alive. A tab that is frozen does not answer and is not counted. */

const NAME = "tenure-playground";
const ASK_EVERY_MS = 2000;
const ANSWERS_WITHIN_MS = 500;

interface Message {
  readonly is: "who" | "here" | "bye";
  readonly id: string;
}

export class TabCounter {
  readonly #id = Math.random().toString(36).slice(2);
  readonly #channel: BroadcastChannel | undefined;
  readonly #listeners = new Set<() => void>();
  /** Heard since the last question. */
  #heard = new Set<string>();
  #others = 0;
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  constructor(name = NAME) {
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = (event) => this.#hear(event.data as Message);
    this.#timer = setInterval(() => this.#ask(), ASK_EVERY_MS);
    this.#ask();
  }

  /** Tabs alive, this one included; null in a browser that cannot tell. */
  readonly count = (): number | null => (this.#channel ? this.#others + 1 : null);

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Says goodbye, so that the others need not find out. It may be called of a page that comes back. */
  leave(): void {
    this.#say("bye");
  }

  dispose(): void {
    this.leave();
    clearInterval(this.#timer);
    this.#channel?.close();
  }

  #ask(): void {
    this.#heard = new Set();
    this.#say("who");
    setTimeout(() => this.#settle(), ANSWERS_WITHIN_MS);
  }

  #hear({ is, id }: Message): void {
    if (is === "who") this.#say("here");
    if (is === "bye") this.#heard.delete(id);
    else this.#heard.add(id);
    // Who is new or gone is shown at once; who is silent, when nobody answers any more.
    if (is === "bye" || this.#heard.size > this.#others) this.#settle();
  }

  #settle(): void {
    if (this.#others === this.#heard.size) return;
    this.#others = this.#heard.size;
    for (const listener of this.#listeners) listener();
  }

  #say(is: Message["is"]): void {
    this.#channel?.postMessage({ is, id: this.#id });
  }
}
