-- Tenants have alerts of their own about their providers and endpoints, and what cannot be told is given up in the end.

ALTER TABLE senders.outages
    -- Who is told: 0 the operator of the installation, 1 the tenant. Each has a row of its own, and those of the
    -- operator are listed.
    ADD COLUMN audience smallint NOT NULL DEFAULT 0,
    -- How often it was tried without success to tell what is to be told now.
    ADD COLUMN attempts smallint NOT NULL DEFAULT 0;

DROP INDEX senders.outages_open;
CREATE UNIQUE INDEX outages_open ON senders.outages (kind, object_id, audience) WHERE ended_us IS NULL;

-- Whom a tenant's own alerts are told. No row: nobody.
CREATE TABLE senders.tenant_alert_settings (
    tenant_id uuid PRIMARY KEY,
    recipients text[] NOT NULL,
    -- clarion.senders.v1.OutageKind; empty: all that a tenant has alerts about.
    kinds smallint[] NOT NULL,
    -- Whether endpoints of the tenant get them, too, if they subscribe.
    endpoints boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
