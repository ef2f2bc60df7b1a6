-- Addresses that get nothing more. An address is kept as its digest, and masked for people.
CREATE TABLE router.suppressions (
    -- UUIDv7: a later suppression sorts later.
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- clarion.common.v1.Channel: 1 e-mail, 2 SMS.
    channel smallint NOT NULL,
    -- SHA-256 over tenant, channel and the address in its normal form (services/suppressed.py).
    digest bytea NOT NULL,
    -- clarion.router.v1.SuppressionReason
    reason smallint NOT NULL,
    source text NOT NULL,
    detail text NOT NULL,
    masked text NOT NULL,
    found_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Kept after that, so that a report from before it does not suppress the address again.
    lifted_at timestamptz,
    UNIQUE (tenant_id, channel, digest, reason)
);

CREATE INDEX suppressions_shard ON router.suppressions (tenant_id, get_byte(digest, 0)) WHERE lifted_at IS NULL;
CREATE INDEX suppressions_of_tenant ON router.suppressions (tenant_id, id) WHERE lifted_at IS NULL;

CREATE TABLE router.config_outbox (
    id bigserial PRIMARY KEY,
    key text NOT NULL,
    value bytea
);
