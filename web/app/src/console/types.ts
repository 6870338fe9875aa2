/** Answers of the admin API, as they travel. */

export type {
  AccountRecord,
  AccountRecords,
  ActRecord,
  ActRecords,
  ConsoleAnswer,
  EventRecord,
  EventRecords,
  MomentAnswer,
  PlanRecord,
  PlanRecords,
  SessionsEnded,
  Timeline,
  UserRecord,
  UserRecords,
} from "@tenure/client/api.gen.js";

export interface Hour {
  at: number;
  /** Refreshes by outcome. */
  refresh: Record<string, number>;
  sign_ins: { ok: number; failed: number; throttled: number };
  /** Ends by reason. */
  ends: Record<string, number>;
  unexplained: number;
}

export interface Overview {
  now: number;
  sessions_active: number;
  sessions_remembered: number;
  unexplained_ends: number;
  hours: Hour[];
}

export interface SessionEnd {
  reason: string;
  actor: string;
  at: number;
  note?: string | null;
  receipt: string;
}

export interface AdminSession {
  id: string;
  user: string;
  remembered: boolean;
  created_at: number;
  expires_at: number;
  last_used_at: number;
  refresh_count: number;
  address?: string | null;
  browser?: string | null;
  end?: SessionEnd | null;
}

export interface SessionAnswers {
  sessions: AdminSession[];
  next?: string | null;
}

export interface ApiKeyRecord {
  id: string;
  name: string;
  account: string;
  scopes: string[];
  created_at: number;
  expires_at?: number | null;
  /** Until when it still stands after it was replaced. */
  retires_at?: number | null;
  revoked_at?: number | null;
  last_used_at?: number | null;
}

export interface ApiKeyRecords {
  api_keys: ApiKeyRecord[];
  next?: string | null;
}

export interface SigningKeyRecord {
  kid: string;
  created_at: number;
  activates_at: number;
  retires_at?: number | null;
  state: string;
}

export interface SigningKeys {
  keys: SigningKeyRecord[];
}

export interface ReportRecord {
  number: number;
  received_at: number;
  type: string;
  type_said?: string | null;
  reason?: string | null;
  receipt?: string | null;
  verified_session?: string | null;
  verified_user?: string | null;
  claimed_session?: string | null;
  browser: string;
  address: string;
  message?: string | null;
  location?: string | null;
  idle_ms?: number | null;
  release?: string | null;
}

export interface ReportRecords {
  reports: ReportRecord[];
  next?: number | null;
}

export interface ReportGroup {
  count: number;
  /** Null: it was not said. */
  name?: string | null;
}

export interface ReportStats {
  total: number;
  by_type: ReportGroup[];
  by_reason: ReportGroup[];
  by_idle: ReportGroup[];
  by_browser: ReportGroup[];
  by_release: ReportGroup[];
}

export interface SettingRecord {
  key: string;
  value: unknown;
  origin: string;
  secret: boolean;
}

export interface SettingRecords {
  settings: SettingRecord[];
}

export interface ResetLink {
  link: string;
  expires_at: number;
}
