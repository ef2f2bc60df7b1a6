-- Templates and their versions.

CREATE TABLE render.templates (
    -- The version's id.
    id uuid PRIMARY KEY,
    -- The nil UUID: a platform template, for every tenant.
    tenant_id uuid NOT NULL,
    event_type text NOT NULL,
    -- clarion.common.v1.Channel
    channel smallint NOT NULL,
    version integer NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    push_namespace text NOT NULL,
    active boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, event_type, channel, version)
);
CREATE UNIQUE INDEX templates_active ON render.templates (tenant_id, event_type, channel) WHERE active;

CREATE TABLE render.config_outbox (
    id bigserial PRIMARY KEY,
    key text NOT NULL,
    value bytea
);
