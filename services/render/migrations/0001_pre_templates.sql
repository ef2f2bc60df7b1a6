-- One row per version; a version's content never changes, only whether it is the active one.
CREATE TABLE render.templates (
    -- UUIDv7: a later version sorts later.
    id text PRIMARY KEY,
    -- Empty: a platform template, for every tenant.
    tenant_id text NOT NULL,
    event_type text NOT NULL,
    -- clarion.common.v1.Channel: 1 e-mail, 2 SMS, 3 push.
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
CREATE INDEX templates_of_tenant ON render.templates (tenant_id, id);

CREATE TABLE render.config_outbox (
    id bigserial PRIMARY KEY,
    key text NOT NULL,
    value bytea
);
