-- When the session was refreshed lately: 2 bytes each, half minutes since the sign-in, the newest first. For explanations alone.
ALTER TABLE session ADD COLUMN refreshed BYTEA NOT NULL DEFAULT '';
