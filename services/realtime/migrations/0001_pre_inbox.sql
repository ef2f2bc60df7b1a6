-- What the recipients of in-app pushes find when they look: the truth behind the hub's short memory.
CREATE TABLE realtime.inbox (
    -- The delivery's id, so that a delivery handled twice is one notification.
    id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    user_id text NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    -- When the event was accepted.
    created_at timestamptz NOT NULL,
    read_at timestamptz
);

CREATE INDEX inbox_newest ON realtime.inbox (tenant_id, user_id, created_at DESC, event_id DESC);
CREATE INDEX inbox_unread ON realtime.inbox (tenant_id, user_id) WHERE read_at IS NULL;

-- How often tokens were revoked. No row: never.
CREATE TABLE realtime.epochs (
    tenant_id text NOT NULL,
    -- Empty: of the whole tenant.
    user_id text NOT NULL,
    epoch bigint NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE realtime.config_outbox (
    id bigserial PRIMARY KEY,
    key text NOT NULL,
    value bytea
);
