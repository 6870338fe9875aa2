-- What browsers say of sign-outs that they saw. Anybody can send one: nothing is decided by these rows, and
-- losing some loses no more than a hint. Deleting all of them is safe at any time.
--
-- AUTOINCREMENT: whoever follows the table remembers the last number they saw, and none is given twice.
CREATE TABLE client_report (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at       INTEGER NOT NULL,
    address           TEXT    NOT NULL,
    user_agent        TEXT,
    browser           TEXT    NOT NULL,
    -- From an authentic access token that came with the report.
    verified_session  BLOB,
    verified_user     BLOB,
    -- From here on: what the client says, for what it is worth.
    kind              TEXT    NOT NULL,
    kind_said         TEXT,
    claimed_at        INTEGER,
    claimed_session   BLOB,
    reason            TEXT,
    receipt           TEXT,
    message           TEXT,
    location          TEXT,
    idle_ms           INTEGER,
    has_token         INTEGER,
    has_refresh_token INTEGER,
    is_authenticated  INTEGER,
    release           TEXT,
    client            TEXT
) STRICT;

CREATE INDEX client_report_by_time ON client_report (received_at);
