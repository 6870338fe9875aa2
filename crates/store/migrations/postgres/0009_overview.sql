-- What each hour was like: counts that nodes add to once a minute. They decide nothing, and deleting all of them is
-- safe at any time.
CREATE TABLE tally (
    -- When the hour begins.
    hour  bigint NOT NULL,
    name  text   NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (hour, name)
);

-- How many of the sessions that are alive are remembered ones. No rotation touches it.
CREATE INDEX session_remembered ON session (expires_at) WHERE ended_at IS NULL AND remembered;
