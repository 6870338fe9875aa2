-- What time it was, by a clock that was believed: a clock that says another time altogether, when a server starts, is not
-- gone by until it has stood. One row, or none; deleting it is safe.
CREATE TABLE clock_mark (
    one        integer NOT NULL PRIMARY KEY CHECK (one = 1),
    at         bigint  NOT NULL,
    -- Since when, by its own account, a clock has said another time.
    claimed_at bigint
);
