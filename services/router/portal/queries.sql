-- name: delete_ended
DELETE FROM router.portal_access
WHERE digest IN (
    SELECT digest FROM router.portal_access WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)

-- name: application_for_update
SELECT id FROM router.applications WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE

-- name: count
SELECT count(*) FROM router.portal_access WHERE tenant_id = $1 AND application_id = $2 AND expires_at > now()

-- name: insert_link
INSERT INTO router.portal_access (digest, tenant_id, application_id, is_session, role, expires_at)
VALUES ($1, $2, $3, false, $4, now() + $5)
RETURNING expires_at

-- name: open
-- A link becomes a session: two calls with the same code find one row.
UPDATE router.portal_access
SET digest = $2, is_session = true, created_at = now()
WHERE digest = $1 AND NOT is_session AND expires_at > now()
RETURNING tenant_id, application_id, role, expires_at

-- name: session
SELECT tenant_id, application_id, role, expires_at
FROM router.portal_access
WHERE digest = $1 AND is_session AND expires_at > now()

-- name: end_session
DELETE FROM router.portal_access WHERE digest = $1 AND is_session
