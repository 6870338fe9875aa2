-- What happened, for whoever asks later: added, sealed once, never changed, and deleted from the oldest end.
--
-- `seq`, `tag` and `whence_tag` are the seal, which is put on a moment after the row is written: its number in the chain,
-- and tags under a key that is not in the database. `address` and `user_agent` are a person's own data and are erased with
-- them. `user_id` and `session_id` reference nothing, because the record outlives both.
CREATE TABLE event (
    id         BLOB    NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    BLOB,
    session_id BLOB,
    -- A receipt, a key's id, or what an act is about.
    subject    TEXT,
    actor      TEXT,
    address    TEXT,
    user_agent TEXT,
    cause      TEXT,
    count      INTEGER NOT NULL,
    -- A JSON object.
    detail     TEXT,
    seq        INTEGER,
    tag        BLOB,
    whence_tag BLOB
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX event_sealed ON event (seq) WHERE seq IS NOT NULL;
CREATE INDEX event_unsealed ON event (id) WHERE seq IS NULL;
CREATE INDEX event_by_user ON event (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX event_by_session ON event (session_id, id) WHERE session_id IS NOT NULL;
CREATE INDEX event_by_subject ON event (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX event_by_kind ON event (kind, id);

-- Against mistakes. Whoever means harm can drop it, and is found out by the chain.
CREATE TRIGGER event_stays BEFORE UPDATE OF id, at, kind, user_id, session_id, subject, actor, cause, count, detail
ON event BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;

CREATE TRIGGER event_seal_stays BEFORE UPDATE OF seq, tag, whence_tag ON event WHEN OLD.seq IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'events are sealed once');
END;

-- What browsers say of one session is asked for whenever it is explained.
CREATE INDEX client_report_by_verified ON client_report (verified_session) WHERE verified_session IS NOT NULL;
CREATE INDEX client_report_by_claimed ON client_report (claimed_session) WHERE claimed_session IS NOT NULL;
CREATE INDEX client_report_by_receipt ON client_report (receipt) WHERE receipt IS NOT NULL;
