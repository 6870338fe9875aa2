/** Adds a listener. Returns how to take it away. */
export function enlist<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A listener that throws is its owner's bug and must not stop a session. */
export function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    console.error(error);
  }
}
