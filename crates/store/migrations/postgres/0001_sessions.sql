-- People, their sessions, the signing keys, and the feed that tells caches what changed.
--
-- Times are milliseconds since the Unix epoch, and the program's own, except where a column says otherwise.
-- Ids are UUIDv7, so that new rows are appended.

CREATE TABLE account (
    id         uuid   NOT NULL PRIMARY KEY,
    name       text   NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE "user" (
    id            uuid   NOT NULL PRIMARY KEY,
    account_id    uuid   REFERENCES account (id),
    email         text   NOT NULL,
    email_key     text   NOT NULL UNIQUE,
    name          text   NOT NULL,
    role          text   NOT NULL,
    password_hash text,
    token_version bigint NOT NULL,
    disabled_at   bigint,
    created_at    bigint NOT NULL
);

CREATE INDEX user_by_account ON "user" (account_id) WHERE account_id IS NOT NULL;

-- One row per sign-in, read and written by every refresh. A rotation changes no column that an index holds, and a
-- page keeps room for the next version of its rows: the update stays on the page and touches no index.
-- `user_id` references nothing, because an ended row outlives its user: it explains the end.
CREATE TABLE session (
    id            uuid    NOT NULL PRIMARY KEY,
    user_id       uuid    NOT NULL,
    salt          bytea   NOT NULL,
    remembered    boolean NOT NULL,
    created_at    bigint  NOT NULL,
    expires_at    bigint  NOT NULL,
    -- The rotation rule's state (protocol.md section 4).
    base          bigint  NOT NULL,
    head          bigint  NOT NULL,
    handed_at     bigint  NOT NULL,
    healed        boolean NOT NULL,
    contested_at  bigint,
    last_used_at  bigint  NOT NULL,
    refresh_count bigint  NOT NULL,
    -- The receipt, once it has ended.
    ended_at      bigint,
    end_reason    text,
    end_actor     text,
    end_note      text,
    receipt       text
) WITH (
    fillfactor = 80,
    -- Every refresh leaves a dead version behind: cleaned up often and a little, rather than seldom and at length.
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.2
);

-- A user's live sessions are those without `ended_at`, and lie together.
CREATE INDEX session_by_user ON session (user_id, ended_at);
CREATE INDEX session_live ON session (expires_at) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;

-- What the client said of itself: read by device lists only, so it is kept out of the hot row.
CREATE TABLE session_device (
    session_id uuid NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    device_id  text,
    user_agent text,
    address    text
);

CREATE TABLE signing_key (
    kid          text   NOT NULL PRIMARY KEY,
    sealed_seed  bytea  NOT NULL,
    created_at   bigint NOT NULL,
    activates_at bigint NOT NULL,
    retires_at   bigint
);

-- When this database last came up from a crash, or as the successor of another server. Crash recovery empties an
-- unlogged table, a replica never has its rows, and so does no physical copy: whoever finds it empty knows that
-- the newest commits may be lost, and writes the row anew.
CREATE UNLOGGED TABLE opening (
    one   boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    epoch uuid        NOT NULL DEFAULT gen_random_uuid(),
    at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The feed of changes that caches follow (see view.rs). Triggers write it, so that a statement typed by hand is
-- noticed like one of ours. Rotations and sign-ins change nothing that a cache holds and are not in it. An entry
-- that names nothing means that anything may have changed.
--
-- Sequences are drawn before commits and may overtake them, so a reader does not go by `seq`: it reads again all
-- entries of transactions that had not finished when it last looked, which their numbers (`xid`) tell.
CREATE TABLE change (
    seq        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid        xid8        NOT NULL DEFAULT pg_current_xact_id(),
    session_id uuid,
    user_id    uuid,
    keys       boolean     NOT NULL DEFAULT false,
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX change_by_xid ON change (xid);
CREATE INDEX change_by_time ON change (at);

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'session' THEN INSERT INTO change (session_id) VALUES (OLD.id);
        WHEN 'user' THEN INSERT INTO change (user_id) VALUES (OLD.id);
        ELSE INSERT INTO change (keys) VALUES (true);
    END CASE;
    -- Delivered with the commit, once per transaction; only a wake-up call.
    PERFORM pg_notify('tenure_change', '');
    RETURN NULL;
END $$;

CREATE FUNCTION note_change_of_everything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change DEFAULT VALUES;
    PERFORM pg_notify('tenure_change', '');
    RETURN NULL;
END $$;

CREATE TRIGGER session_changed AFTER UPDATE OF id, user_id, expires_at, ended_at OR DELETE ON session
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER session_truncated AFTER TRUNCATE ON session
    FOR EACH STATEMENT EXECUTE FUNCTION note_change_of_everything();

CREATE TRIGGER user_changed AFTER UPDATE OR DELETE ON "user"
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER user_truncated AFTER TRUNCATE ON "user"
    FOR EACH STATEMENT EXECUTE FUNCTION note_change_of_everything();

CREATE TRIGGER signing_key_changed AFTER INSERT OR UPDATE OR DELETE ON signing_key
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER signing_key_truncated AFTER TRUNCATE ON signing_key
    FOR EACH STATEMENT EXECUTE FUNCTION note_change_of_everything();
