-- What browsers say of sign-outs that they saw. Anybody can send one: nothing is decided by these rows, and
-- losing some loses no more than a hint. Deleting all of them is safe at any time.
CREATE TABLE client_report (
    id                bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at       bigint  NOT NULL,
    address           text    NOT NULL,
    user_agent        text,
    browser           text    NOT NULL,
    -- From an authentic access token that came with the report.
    verified_session  uuid,
    verified_user     uuid,
    -- From here on: what the client says, for what it is worth.
    kind              text    NOT NULL,
    kind_said         text,
    claimed_at        bigint,
    claimed_session   uuid,
    reason            text,
    receipt           text,
    message           text,
    location          text,
    idle_ms           bigint,
    has_token         boolean,
    has_refresh_token boolean,
    is_authenticated  boolean,
    release           text,
    client            text
);

CREATE INDEX client_report_by_time ON client_report (received_at);
