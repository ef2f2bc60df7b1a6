-- Suppressions by keyed digests. The router brings router.suppressions over, for the key is not known here, and empties
-- it an hour later (services/adoption.py); until then processes of the version before go on with it.
CREATE TABLE router.suppressed (
    -- UUIDv7: a later suppression sorts later.
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- clarion.common.v1.Channel: 1 e-mail, 2 SMS.
    channel smallint NOT NULL,
    -- Keyed BLAKE2b over a SHA-256 over tenant, channel and the address in its normal form (services/suppressed.py).
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

CREATE INDEX suppressed_shard ON router.suppressed (tenant_id, get_byte(digest, 0)) WHERE lifted_at IS NULL;
CREATE INDEX suppressed_of_tenant ON router.suppressed (tenant_id, id) WHERE lifted_at IS NULL;

-- By which key the digests are made (services/pseudonyms.py): one row. copied: those of the version before are, too, so
-- it may be published.
CREATE TABLE router.pseudonym_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    fingerprint text NOT NULL,
    copied boolean NOT NULL DEFAULT false
);
