-- What observed browsers report of an application that keeps its sign-ins elsewhere. It decides nothing, and deleting all
-- of it is safe at any time. `id` is made of the time of its arrival.
CREATE TABLE observation (
    id          BLOB    NOT NULL PRIMARY KEY,
    received_at INTEGER NOT NULL,
    profile     BLOB    NOT NULL,
    page        TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    ahead_ms    INTEGER NOT NULL,
    seen        TEXT    NOT NULL,
    app         TEXT    NOT NULL,
    browser     TEXT    NOT NULL,
    release     TEXT
) STRICT, WITHOUT ROWID;

-- What arrives twice is kept once.
CREATE UNIQUE INDEX observation_of_page ON observation (profile, page, seq);
