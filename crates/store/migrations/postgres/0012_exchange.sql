-- Sign-ins of another system that were traded for a session, so that none is traded twice. The key and the attempt are
-- hashes: nothing in here is good for anything.
CREATE TABLE exchange (
    key        bytea  NOT NULL PRIMARY KEY,
    -- Both none: it was ended there, and nobody may trade it.
    session_id uuid,
    attempt    bytea,
    at         bigint NOT NULL,
    -- After this nobody can show it any more, and the row may go.
    expires_at bigint NOT NULL
);

CREATE INDEX exchange_by_expiry ON exchange (expires_at);
