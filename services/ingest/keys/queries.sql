-- Valid keys have no revoked_at, or one that is infinite: see migrations 0012 and 0017.

-- name: keys
SELECT digest, tenant_id, id, kind, scopes, expires_at, disabled, endpoint_ids
FROM ingest.api_keys
WHERE digest = ANY ($1::bytea[]) AND NOT isfinite(coalesce(revoked_at, 'infinity'))

-- name: tenant_for_update
SELECT id FROM ingest.tenants WHERE id = $1 FOR UPDATE

-- name: insert
INSERT INTO ingest.api_keys
    (digest, tenant_id, last4, id, name, kind, scopes, expires_at, endpoint_ids, rates, revoked_at)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9::uuid[], $10,
    CASE WHEN cardinality($9::uuid[]) > 0 THEN '-infinity'::timestamptz ELSE 'infinity' END
)
RETURNING
    digest, id, tenant_id, name, kind, scopes, expires_at, last4, created_at, disabled, endpoint_ids, rates

-- name: further_keys
SELECT digest, id, tenant_id, name, kind, scopes, expires_at, last4, created_at, disabled, endpoint_ids, rates
FROM ingest.api_keys
WHERE tenant_id = $1 AND id IS NOT NULL AND NOT isfinite(revoked_at)
ORDER BY id DESC

-- What is null stays.
-- name: update
UPDATE ingest.api_keys SET
    disabled = coalesce($3, disabled),
    rates = coalesce($4, rates),
    revoked_at = CASE WHEN coalesce($3, disabled) OR cardinality(endpoint_ids) > 0
        THEN '-infinity'::timestamptz ELSE 'infinity' END
WHERE tenant_id = $1 AND id = $2 AND NOT isfinite(revoked_at)
RETURNING
    digest, id, tenant_id, name, kind, scopes, expires_at, last4, created_at, disabled, endpoint_ids, rates

-- name: revoke
UPDATE ingest.api_keys SET revoked_at = now()
WHERE tenant_id = $1 AND id = $2 AND NOT isfinite(revoked_at)
RETURNING digest, rates
