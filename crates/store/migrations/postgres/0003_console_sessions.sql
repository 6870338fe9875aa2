-- Sign-ins to the administrators' console, where no Redis keeps them. Deleting all of them is safe at any time:
-- administrators sign in again. `user_id` references nothing, like that of a user's session.
CREATE TABLE console_session (
    -- The SHA-256 of the secret in the cookie.
    key        bytea  NOT NULL PRIMARY KEY,
    user_id    uuid   NOT NULL,
    payload    bytea  NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);

CREATE INDEX console_session_by_user ON console_session (user_id);
CREATE INDEX console_session_by_expiry ON console_session (expires_at);
