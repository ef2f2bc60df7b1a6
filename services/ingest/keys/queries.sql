-- Valid keys have no revoked_at, or 'infinity': see migration 0012.

-- name: keys
SELECT digest, tenant_id, kind, scopes, expires_at
FROM ingest.api_keys
WHERE digest = ANY ($1::bytea[]) AND coalesce(revoked_at, 'infinity') = 'infinity'

-- name: tenant_for_update
SELECT id FROM ingest.tenants WHERE id = $1 FOR UPDATE

-- name: insert
INSERT INTO ingest.api_keys (digest, tenant_id, last4, id, name, kind, scopes, expires_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'infinity')
RETURNING id, tenant_id, name, kind, scopes, expires_at, last4, created_at

-- name: further_keys
SELECT id, tenant_id, name, kind, scopes, expires_at, last4, created_at
FROM ingest.api_keys
WHERE tenant_id = $1 AND id IS NOT NULL AND revoked_at = 'infinity'
ORDER BY id DESC

-- name: revoke
UPDATE ingest.api_keys SET revoked_at = now()
WHERE tenant_id = $1 AND id = $2 AND revoked_at = 'infinity'
RETURNING digest
