/** What the app knows of who is signed in, until step 7: who signed in here last. */

import axios, { type AxiosInstance, isAxiosError } from "axios";
import { forget, KEYS, keep, kept, type Pair } from "./tokens.js";

export interface Session {
  readonly api: AxiosInstance;
  /** Who is signed in, or null. */
  name(): Promise<string | null>;
  /** What went wrong, or nothing. */
  signIn(email: string, password: string, rememberMe: boolean): Promise<string | undefined>;
  signOut(): Promise<void>;
}

/** What steps 2 and 3 change. */
export interface Policy {
  /** Gets another access token than this one. */
  renew(refused: string | null): Promise<void>;
  /** Whether an answer, or none, means that nobody is signed in any more. */
  isEnd(error: unknown): boolean;
}

export const leave = (): void => location.assign("/sign-in");

/** The session as simplejwt's tokens, with an interceptor that renews them and repeats the call. */
export function tokenSession({ renew, isEnd }: Policy): Session {
  const api = axios.create();
  let hasLeft = false;
  const end = (error: unknown) => {
    if (hasLeft || !isEnd(error)) return;
    hasLeft = true;
    forget();
    leave();
  };
  api.interceptors.request.use((config) => {
    return Object.assign(config, {
      token: kept("access"),
      headers: config.headers.set("Authorization", `Bearer ${kept("access")}`),
    });
  });
  api.interceptors.response.use(undefined, async (error) => {
    const { config, response } = error;
    if (response?.status !== 401 || config.repeated) {
      end(error);
      throw error;
    }
    try {
      await renew(config.token);
    } catch (refused) {
      end(refused);
      throw refused;
    }
    return api.request({ ...config, repeated: true });
  });
  return {
    api,
    name: async () => kept("name"),
    async signIn(email, password) {
      try {
        const { data } = await axios.post<Pair>("/api/token/", { username: email, password });
        keep(data);
        const me = await api.get<{ name: string }>("/api/me/");
        localStorage.setItem(KEYS.name, me.data.name);
        return undefined;
      } catch (error) {
        return (isAxiosError(error) && error.response?.data?.detail) || "Please try again.";
      }
    },
    async signOut() {
      await axios.post("/api/token/blacklist/", { refresh: kept("refresh") }).catch(() => {});
      forget();
    },
  };
}
