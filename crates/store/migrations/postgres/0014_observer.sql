-- What observed browsers report of an application that keeps its sign-ins elsewhere. It decides nothing, and deleting all
-- of it is safe at any time. `id` is made of the time of its arrival.
CREATE TABLE observation (
    id          uuid   NOT NULL PRIMARY KEY,
    received_at bigint NOT NULL,
    profile     uuid   NOT NULL,
    page        text   NOT NULL,
    seq         bigint NOT NULL,
    at          bigint NOT NULL,
    ahead_ms    bigint NOT NULL,
    seen        text   NOT NULL,
    app         text   NOT NULL,
    browser     text   NOT NULL,
    release     text
);

-- What arrives twice is kept once.
CREATE UNIQUE INDEX observation_of_page ON observation (profile, page, seq);
