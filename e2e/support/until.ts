import { setTimeout as pause } from "node:timers/promises";

const PAUSE_MS = 50;

/**
 * Checks again and again until it holds, and fails as the last check did. Unlike `expect.poll`, which gives up without
 * a word when the test that was running at its start ends, it also does for what outlasts a test.
 */
export async function until(check: () => Promise<void>, timeoutMs: number): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; ; ) {
    // A look that began before may have seen what was long ago, if the machine held it up.
    const isLast = Date.now() > deadline;
    try {
      return await check();
    } catch (error) {
      if (isLast) throw error;
    }
    await pause(PAUSE_MS);
  }
}
