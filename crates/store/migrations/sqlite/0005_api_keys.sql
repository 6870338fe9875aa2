-- What programs of an account show. An account's keys go with it.
CREATE TABLE api_key (
    id           BLOB    NOT NULL PRIMARY KEY,
    account_id   BLOB    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    -- The SHA-256 of its secret.
    hash         BLOB    NOT NULL,
    -- Names with blanks between.
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    -- Until when it stands beside its successor.
    retires_at   INTEGER,
    revoked_at   INTEGER,
    -- Accurate to some minutes, so that a busy key is not a busy row.
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_key_by_account ON api_key (account_id, id);
