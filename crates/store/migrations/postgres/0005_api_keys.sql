-- What programs of an account show. An account's keys go with it.
CREATE TABLE api_key (
    id           uuid   NOT NULL PRIMARY KEY,
    account_id   uuid   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name         text   NOT NULL,
    -- The SHA-256 of its secret.
    hash         bytea  NOT NULL,
    -- Names with blanks between.
    scopes       text   NOT NULL,
    created_at   bigint NOT NULL,
    expires_at   bigint,
    -- Until when it stands beside its successor.
    retires_at   bigint,
    revoked_at   bigint,
    -- Accurate to some minutes, so that a busy key is not a busy row.
    last_used_at bigint
);

CREATE INDEX api_key_by_account ON api_key (account_id, id);
