-- Plans, what accounts have of them, and who changed what. Nothing in here says whether anybody is signed in.
CREATE TABLE plan (
    slug         text    NOT NULL PRIMARY KEY,
    name         text    NOT NULL,
    is_active    boolean NOT NULL,
    -- JSON: an object of whole numbers and nulls, and an array of names.
    limits       text    NOT NULL,
    features     text    NOT NULL,
    stripe_price text    UNIQUE,
    created_at   bigint  NOT NULL
);

ALTER TABLE account ADD COLUMN status text NOT NULL DEFAULT 'active';
ALTER TABLE account ADD COLUMN is_system boolean NOT NULL DEFAULT false;
ALTER TABLE account ADD COLUMN plan text REFERENCES plan (slug);

CREATE INDEX account_by_plan ON account (plan) WHERE plan IS NOT NULL;

-- What somebody with rights has done, one row for each thing that changed. Rows are added and never changed.
CREATE TABLE act (
    id      uuid   NOT NULL PRIMARY KEY,
    at      bigint NOT NULL,
    actor   text   NOT NULL,
    reason  text,
    -- The id of an account or a user as it is written, or a plan's name after `plan:`.
    subject text   NOT NULL,
    what    text   NOT NULL,
    was     text,
    became  text
);

CREATE INDEX act_by_subject ON act (subject, id);

-- An account may have changed; or any plan, and every account that has one with it. A node of the version before
-- takes such an entry for one that may concern anything.
ALTER TABLE change ADD COLUMN account_id uuid;
ALTER TABLE change ADD COLUMN plans boolean NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'session' THEN INSERT INTO change (session_id) VALUES (OLD.id);
        WHEN 'user' THEN INSERT INTO change (user_id) VALUES (OLD.id);
        WHEN 'account' THEN INSERT INTO change (account_id) VALUES (OLD.id);
        WHEN 'plan' THEN INSERT INTO change (plans) VALUES (true);
        ELSE INSERT INTO change (keys) VALUES (true);
    END CASE;
    -- Delivered with the commit, once per transaction; only a wake-up call.
    PERFORM pg_notify('tenure_change', '');
    RETURN NULL;
END $$;

CREATE TRIGGER account_changed AFTER UPDATE OR DELETE ON account
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER account_truncated AFTER TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION note_change_of_everything();

CREATE TRIGGER plan_changed AFTER INSERT OR UPDATE OR DELETE ON plan
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER plan_truncated AFTER TRUNCATE ON plan
    FOR EACH STATEMENT EXECUTE FUNCTION note_change_of_everything();
