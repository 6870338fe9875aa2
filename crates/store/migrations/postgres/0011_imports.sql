-- Who came from where, so that nobody comes twice. `key` is the other system's name and what it called them by. The row
-- outlives its user, and so somebody who was deleted here does not come back with the next import.
CREATE TABLE imported (
    key     text NOT NULL PRIMARY KEY,
    user_id uuid NOT NULL,
    at      bigint NOT NULL
);
