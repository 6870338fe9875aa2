/** simplejwt's tokens where such apps keep them: in localStorage, where every script of the page can read them. */

import axios from "axios";

export const KEYS = { access: "access_token", refresh: "refresh_token", name: "auth-storage" } as const;

export interface Pair {
  access: string;
  refresh: string;
}

export const kept = (what: keyof typeof KEYS): string | null => localStorage.getItem(KEYS[what]);

export function keep(pair: Pair): void {
  localStorage.setItem(KEYS.access, pair.access);
  localStorage.setItem(KEYS.refresh, pair.refresh);
}

export function forget(): void {
  for (const key of Object.values(KEYS)) localStorage.removeItem(key);
}

/** Exchanges the refresh token that is kept for a new pair. */
export async function renew(): Promise<void> {
  const { data } = await axios.post<Pair>("/api/token/refresh/", { refresh: kept("refresh") });
  keep(data);
}
