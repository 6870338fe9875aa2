-- Plans, what accounts have of them, and who changed what. Nothing in here says whether anybody is signed in.
CREATE TABLE plan (
    slug         TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    is_active    INTEGER NOT NULL,
    -- JSON: an object of whole numbers and nulls, and an array of names.
    limits       TEXT    NOT NULL,
    features     TEXT    NOT NULL,
    stripe_price TEXT    UNIQUE,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE account ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE account ADD COLUMN is_system INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN plan TEXT REFERENCES plan (slug);

CREATE INDEX account_by_plan ON account (plan) WHERE plan IS NOT NULL;

-- What somebody with rights has done, one row for each thing that changed. Rows are added and never changed.
CREATE TABLE act (
    id      BLOB    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    reason  TEXT,
    -- The id of an account or a user as it is written, or a plan's name after `plan:`.
    subject TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    was     TEXT,
    became  TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX act_by_subject ON act (subject, id);

-- An account may have changed; or any plan, and every account that has one with it.
ALTER TABLE change ADD COLUMN account_id BLOB;
ALTER TABLE change ADD COLUMN plans INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER account_changed AFTER UPDATE ON account BEGIN
    INSERT INTO change (account_id) VALUES (OLD.id);
END;

CREATE TRIGGER account_deleted AFTER DELETE ON account BEGIN
    INSERT INTO change (account_id) VALUES (OLD.id);
END;

-- REPLACE deletes the old row without firing its delete trigger.
CREATE TRIGGER account_replaced BEFORE INSERT ON account
WHEN EXISTS (SELECT 1 FROM account WHERE id = NEW.id) BEGIN
    INSERT INTO change (account_id) VALUES (NEW.id);
END;

CREATE TRIGGER plan_added AFTER INSERT ON plan BEGIN
    INSERT INTO change (plans) VALUES (1);
END;

CREATE TRIGGER plan_changed AFTER UPDATE ON plan BEGIN
    INSERT INTO change (plans) VALUES (1);
END;

CREATE TRIGGER plan_deleted AFTER DELETE ON plan BEGIN
    INSERT INTO change (plans) VALUES (1);
END;
