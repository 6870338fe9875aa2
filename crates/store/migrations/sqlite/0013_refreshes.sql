-- When the session was refreshed lately: 2 bytes each, half minutes since the sign-in, the newest first. For explanations alone.
-- Zeros are none yet, so that a row keeps its size and is overwritten in its place.
ALTER TABLE session ADD COLUMN refreshed BLOB NOT NULL DEFAULT x'00000000000000000000000000000000000000000000000000000000000000000000000000000000';
