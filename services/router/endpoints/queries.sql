-- name: insert
INSERT INTO router.endpoints (
    tenant_id, id, environment_id, application_id, kind, mode, url, description, metadata, config, header_names,
    sealed_headers, auth_username, sealed_auth, rate_per_s, batch_size, retry_delays_s
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)

-- name: update
UPDATE router.endpoints
SET mode = $3, url = $4, description = $5, metadata = $6, config = $7, header_names = $8,
    sealed_headers = coalesce($9, sealed_headers), auth_username = $10, sealed_auth = coalesce($11, sealed_auth),
    rate_per_s = $12, batch_size = $13, retry_delays_s = $14, is_active = $15, disabled_reason = $16,
    disabled_at = CASE WHEN $15 THEN NULL ELSE coalesce(disabled_at, clock_timestamp()) END,
    updated_at = clock_timestamp(), revision = revision + 1
WHERE tenant_id = $1 AND id = $2

-- name: disable
UPDATE router.endpoints
SET is_active = false, disabled_reason = $4, disabled_at = clock_timestamp(), updated_at = clock_timestamp(),
    revision = revision + 1
WHERE tenant_id = $1 AND id = $2 AND revision = $3 AND is_active
RETURNING id

-- name: raise_revision
UPDATE router.endpoints SET updated_at = clock_timestamp(), revision = revision + 1 WHERE tenant_id = $1 AND id = $2
RETURNING id

-- name: by_ids
SELECT e.id, e.environment_id, e.application_id, e.kind, e.mode, e.url, e.description, e.metadata, e.config,
    e.header_names, e.sealed_headers, e.auth_username, e.sealed_auth, e.is_active, e.disabled_reason, e.disabled_at,
    e.rate_per_s, e.batch_size, e.retry_delays_s, e.revision, e.created_at, e.updated_at
FROM router.endpoints e
WHERE e.tenant_id = $1 AND e.id = ANY($2::uuid[])
ORDER BY e.id

-- The secrets that are valid now, newest first.
-- name: secrets
SELECT s.endpoint_id, s.id, s.ciphertext, s.last4, s.created_at, s.expires_at
FROM router.endpoint_secrets s
WHERE s.tenant_id = $1 AND s.endpoint_id = ANY($2::uuid[])
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
ORDER BY s.endpoint_id, s.created_at DESC, s.id DESC

-- Each of these is a page of ids after $2. $4: only of this environment, $5: only of this application.
-- name: ids
SELECT e.id
FROM router.endpoints e
WHERE e.tenant_id = $1 AND e.id > $2 AND $4::uuid IS NULL AND $5::uuid IS NULL
ORDER BY e.id
LIMIT $3

-- name: ids_of_environment
SELECT e.id
FROM router.endpoints e
WHERE e.tenant_id = $1 AND e.environment_id = $4 AND e.id > $2 AND $5::uuid IS NULL
ORDER BY e.id
LIMIT $3

-- name: ids_of_application
SELECT e.id
FROM router.endpoints e
WHERE e.tenant_id = $1 AND e.application_id = $5 AND e.id > $2 AND ($4::uuid IS NULL OR e.environment_id = $4)
ORDER BY e.id
LIMIT $3

-- name: ids_of_event_type
SELECT e.id
FROM router.subscriptions s
JOIN router.endpoints e ON e.tenant_id = s.tenant_id AND e.id = s.endpoint_id
WHERE s.tenant_id = $1 AND s.event_type_id = $6 AND s.endpoint_id > $2
    AND ($4::uuid IS NULL OR e.environment_id = $4) AND ($5::uuid IS NULL OR e.application_id = $5)
ORDER BY s.endpoint_id
LIMIT $3

-- name: environment_exists
SELECT EXISTS (SELECT FROM router.environments v WHERE v.tenant_id = $1 AND v.id = $2)

-- Counts a new endpoint. Returns whether the application has room for it; no row: there is no such application.
-- name: count_in_application
UPDATE router.applications a SET endpoints = a.endpoints + 1
WHERE a.tenant_id = $1 AND a.id = $2
RETURNING a.max_endpoints IS NULL OR a.endpoints <= a.max_endpoints AS has_room

-- name: event_types_of
SELECT t.name
FROM router.subscriptions s
JOIN router.event_types t ON t.tenant_id = s.tenant_id AND t.id = s.event_type_id
WHERE s.tenant_id = $1 AND s.endpoint_id = $2

-- name: insert_secret
INSERT INTO router.endpoint_secrets (tenant_id, endpoint_id, id, ciphertext, last4) VALUES ($1, $2, $3, $4, $5)

-- No secret that ends sooner is made to last longer.
-- name: expire_secrets
UPDATE router.endpoint_secrets s
SET expires_at = least(coalesce(s.expires_at, 'infinity'), clock_timestamp() + make_interval(secs => $3))
WHERE s.tenant_id = $1 AND s.endpoint_id = $2

-- name: delete_expired_secrets
DELETE FROM router.endpoint_secrets s
WHERE s.tenant_id = $1 AND s.endpoint_id = $2 AND s.expires_at <= clock_timestamp()

-- name: newest_secret
SELECT s.id, s.ciphertext
FROM router.endpoint_secrets s
WHERE s.tenant_id = $1 AND s.endpoint_id = $2 AND s.expires_at IS NULL

-- name: tenants_with_endpoints
SELECT c.tenant_id FROM router.endpoint_counts c WHERE c.tenant_id > $1 ORDER BY c.tenant_id LIMIT 100

-- name: sealed_page
SELECT e.id, e.sealed_headers, e.sealed_auth
FROM router.endpoints e
WHERE e.tenant_id = $1 AND e.id > $2
ORDER BY e.id
LIMIT 200

-- name: sealed_secrets
SELECT s.endpoint_id, s.id, s.ciphertext
FROM router.endpoint_secrets s
WHERE s.tenant_id = $1 AND s.endpoint_id = ANY($2::uuid[])

-- name: renew
UPDATE router.endpoints SET sealed_headers = coalesce($3, sealed_headers), sealed_auth = coalesce($4, sealed_auth)
WHERE tenant_id = $1 AND id = $2

-- name: renew_secret
UPDATE router.endpoint_secrets SET ciphertext = $4 WHERE tenant_id = $1 AND endpoint_id = $2 AND id = $3

-- Endpoints by their ids: the primary key begins with the tenant. $1: what was typed. $2, $3: the ids that begin so; null:
-- none does. $4: of these tenants; null: of all. Of a URL only the host: the rest may hold a password.
-- name: search
SELECT 'endpoint' AS kind, e.id, e.tenant_id, coalesce(substring(e.url FROM '^[^:]+://([^/?#]+)'), '') AS title,
    CASE WHEN e.is_active THEN e.description ELSE 'disabled' END AS detail, e.created_at AS at, NULL::uuid AS event_id,
    NULL::smallint AS channel
FROM router.endpoint_counts c
CROSS JOIN LATERAL (
    SELECT o.* FROM router.endpoints o
    WHERE o.tenant_id = c.tenant_id AND o.id >= $2::uuid AND o.id <= $3::uuid
    LIMIT $5
) AS e
WHERE ($4::uuid[] IS NULL OR c.tenant_id = ANY ($4)) AND $1::text IS NOT NULL
ORDER BY e.id DESC
LIMIT $5
