CREATE TABLE senders.providers (
    id text PRIMARY KEY,
    tenant_id text NOT NULL,
    -- clarion.common.v1.Channel: 1 e-mail, 2 SMS.
    channel smallint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    priority integer NOT NULL,
    settings jsonb NOT NULL,
    -- AES-256-GCM over a JSON object, bound to id; empty once the provider is deleted.
    secrets bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE INDEX providers_of_tenant ON senders.providers (tenant_id, priority, id) WHERE deleted_at IS NULL;

CREATE TABLE senders.config_outbox (
    id bigserial PRIMARY KEY,
    key text NOT NULL,
    value bytea
);

-- One row per call: a delivery that was sent twice stands here twice.
CREATE TABLE senders.outbox (
    id bigserial PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    delivery_id uuid,
    event_id uuid,
    channel smallint NOT NULL,
    -- "sandbox" or "smtp".
    via text NOT NULL,
    tenant_id text NOT NULL,
    trace_id text NOT NULL DEFAULT '',
    recipient text NOT NULL,
    sender text NOT NULL DEFAULT '',
    reply_to text,
    subject text,
    body_text text NOT NULL,
    body_html text
);

CREATE INDEX outbox_of_event ON senders.outbox (event_id);
CREATE INDEX outbox_of_tenant ON senders.outbox (tenant_id, id);
