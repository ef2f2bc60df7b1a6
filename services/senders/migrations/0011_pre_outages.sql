-- Outages of providers, endpoints and tenants, and whom they are told. Times are Unix microseconds.

CREATE TABLE senders.outages (
    -- UUIDv7. Alerts carry it as their deduplication key, so that each is sent once.
    id uuid PRIMARY KEY,
    -- clarion.senders.v1.OutageKind
    kind smallint NOT NULL,
    tenant_id uuid NOT NULL,
    -- Of a provider or an endpoint; else the tenant's id.
    object_id text NOT NULL,
    -- clarion.common.v1.Channel; 0: of no channel.
    channel smallint NOT NULL,
    name text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    began_us bigint NOT NULL,
    -- The last failure that was seen.
    failed_us bigint NOT NULL,
    ended_us bigint,
    -- 0 nothing was told, 1 that it began, 2 there is nothing more to tell.
    told smallint NOT NULL DEFAULT 0,
    -- It is not told before; also while a process is telling it.
    due_us bigint NOT NULL,
    -- It is held back until then, because its object was told of a moment before, or because many were.
    held_us bigint NOT NULL DEFAULT 0,
    -- Who gets the alert: 0 the operator of the installation, 1 the tenant. Each of them has a row. Lists show the
    -- operator's rows.
    audience smallint NOT NULL DEFAULT 0,
    -- How often it was tried without success to tell what is to be told now.
    attempts smallint NOT NULL DEFAULT 0
);

-- However many processes notice it, an object has one outage at a time for each audience.
CREATE UNIQUE INDEX outages_open ON senders.outages (kind, object_id, audience) WHERE ended_us IS NULL;
CREATE INDEX outages_of_object ON senders.outages (kind, object_id, began_us);
CREATE INDEX outages_of_tenant ON senders.outages (tenant_id, id);
CREATE INDEX outages_untold ON senders.outages (due_us) WHERE told = 0 OR (told = 1 AND ended_us IS NOT NULL);

-- At most one row: of the installation.
CREATE TABLE senders.alert_settings (
    installation boolean PRIMARY KEY DEFAULT true CHECK (installation),
    -- Alerts are events of this tenant; null: there are none.
    tenant_id uuid,
    recipients text[] NOT NULL,
    -- clarion.senders.v1.OutageKind; empty: all.
    kinds smallint[] NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Who gets a tenant's own alerts. Without a row nobody does.
CREATE TABLE senders.tenant_alert_settings (
    tenant_id uuid PRIMARY KEY,
    recipients text[] NOT NULL,
    -- clarion.senders.v1.OutageKind; empty: all that a tenant has alerts about.
    kinds smallint[] NOT NULL,
    -- Whether endpoints of the tenant get them, too, if they subscribe.
    endpoints boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
