-- Who pays with Stripe, and what it has told. Nothing in here says whether anybody is signed in.
ALTER TABLE account ADD COLUMN stripe_customer text;

CREATE UNIQUE INDEX account_by_stripe_customer ON account (stripe_customer) WHERE stripe_customer IS NOT NULL;

-- Events that need not be looked at again, for as long as Stripe might send them again.
CREATE TABLE stripe_event (
    id           text NOT NULL PRIMARY KEY,
    at           bigint NOT NULL,
    kind         text NOT NULL,
    subscription text
);

CREATE INDEX stripe_event_by_time ON stripe_event (at);

-- The newest that was told of each subscription, whether or not it is known whose it is.
CREATE TABLE stripe_subscription (
    id           text NOT NULL PRIMARY KEY,
    customer     text NOT NULL,
    -- When it happened, by Stripe's clock.
    last_created bigint NOT NULL,
    status       text NOT NULL,
    -- With blanks between them.
    prices       text NOT NULL,
    -- Whether an account was found for it.
    is_applied   boolean NOT NULL
);

CREATE INDEX stripe_subscription_by_customer ON stripe_subscription (customer);
