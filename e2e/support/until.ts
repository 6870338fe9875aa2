import { setTimeout as pause } from "node:timers/promises";

const PAUSE_MS = 50;

/**
 * Checks again and again until it holds, and fails as the last check did. Unlike `expect.poll`, which gives up without
 * a word when the test that was running at its start ends, it also does for what outlasts a test.
 */
export async function until(check: () => Promise<void>, timeoutMs: number): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; ; ) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await pause(PAUSE_MS);
  }
}
