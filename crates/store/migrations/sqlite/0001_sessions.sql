-- People, their sessions, the signing keys, and the feed that tells caches what changed.
--
-- Times are milliseconds since the Unix epoch. Ids are the 16 bytes of a UUIDv7, so that new rows are
-- appended. No statement asks the database for the time or for randomness.

CREATE TABLE account (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A table with a rowid: its rows are wide, and inside a clustered primary key they would make a deep tree.
CREATE TABLE user (
    id            BLOB    NOT NULL PRIMARY KEY,
    account_id    BLOB    REFERENCES account (id),
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    password_hash TEXT,
    token_version INTEGER NOT NULL,
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX user_by_account ON user (account_id) WHERE account_id IS NOT NULL;

-- One row per sign-in, read and written by every refresh: narrow, clustered by id, found in one descent.
-- `user_id` references nothing, because an ended row outlives its user: it explains the end.
CREATE TABLE session (
    id            BLOB    NOT NULL PRIMARY KEY,
    user_id       BLOB    NOT NULL,
    salt          BLOB    NOT NULL,
    remembered    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    -- The rotation rule's state (protocol.md section 4).
    base          INTEGER NOT NULL,
    head          INTEGER NOT NULL,
    handed_at     INTEGER NOT NULL,
    healed     INTEGER NOT NULL,
    contested_at  INTEGER,
    last_used_at  INTEGER NOT NULL,
    refresh_count INTEGER NOT NULL,
    -- The receipt, once it has ended.
    ended_at      INTEGER,
    end_reason    TEXT,
    end_actor     TEXT,
    end_note      TEXT,
    receipt       TEXT
) STRICT, WITHOUT ROWID;

-- A user's live sessions are those without `ended_at`, and lie together, in the order of their ids.
CREATE INDEX session_by_user ON session (user_id, ended_at);
CREATE INDEX session_live ON session (expires_at) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;

-- What the client said of itself: read by device lists only, so it is kept out of the hot row.
CREATE TABLE session_device (
    session_id BLOB NOT NULL PRIMARY KEY,
    device_id  TEXT,
    user_agent TEXT,
    address    TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_key (
    kid          TEXT    NOT NULL PRIMARY KEY,
    sealed_seed  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    activates_at INTEGER NOT NULL,
    retires_at   INTEGER
) STRICT, WITHOUT ROWID;

-- The feed of changes that caches follow (see view.rs). Triggers write it, so that a statement typed by hand
-- is noticed like one of ours. Rotations and sign-ins change nothing that a cache holds and are not in it.
-- AUTOINCREMENT: a number is never given twice, even after the oldest entries have been pruned.
CREATE TABLE change (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id BLOB,
    user_id    BLOB,
    keys       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER session_changed AFTER UPDATE OF id, user_id, expires_at, ended_at ON session BEGIN
    INSERT INTO change (session_id) VALUES (OLD.id);
END;

CREATE TRIGGER session_deleted AFTER DELETE ON session BEGIN
    INSERT INTO change (session_id) VALUES (OLD.id);
    DELETE FROM session_device WHERE session_id = OLD.id;
END;

-- REPLACE deletes the old row without firing its delete trigger.
CREATE TRIGGER session_replaced BEFORE INSERT ON session
WHEN EXISTS (SELECT 1 FROM session WHERE id = NEW.id) BEGIN
    INSERT INTO change (session_id) VALUES (NEW.id);
END;

CREATE TRIGGER user_changed AFTER UPDATE ON user BEGIN
    INSERT INTO change (user_id) VALUES (OLD.id);
END;

CREATE TRIGGER user_deleted AFTER DELETE ON user BEGIN
    INSERT INTO change (user_id) VALUES (OLD.id);
END;

CREATE TRIGGER user_replaced BEFORE INSERT ON user
WHEN EXISTS (SELECT 1 FROM user WHERE id = NEW.id) BEGIN
    INSERT INTO change (user_id) VALUES (NEW.id);
END;

CREATE TRIGGER signing_key_added AFTER INSERT ON signing_key BEGIN
    INSERT INTO change (keys) VALUES (1);
END;

CREATE TRIGGER signing_key_changed AFTER UPDATE ON signing_key BEGIN
    INSERT INTO change (keys) VALUES (1);
END;

CREATE TRIGGER signing_key_deleted AFTER DELETE ON signing_key BEGIN
    INSERT INTO change (keys) VALUES (1);
END;
