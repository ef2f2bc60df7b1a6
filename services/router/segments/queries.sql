-- The number of a tenant's segments is bounded: whoever adds one holds the lock.
-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('router.segments/' || $1, 0))

-- name: number
SELECT count(*) FROM router.segments s WHERE s.tenant_id = $1

-- name: insert
INSERT INTO router.segments AS s (tenant_id, id, key, name, filter)
VALUES ($1, $2, $3, $4, $5::json)
ON CONFLICT (tenant_id, key) DO NOTHING
RETURNING s.id, s.key, s.name, s.filter, s.created_at, s.updated_at

-- name: get
SELECT s.id, s.key, s.name, s.filter, s.created_at, s.updated_at
FROM router.segments s
WHERE s.tenant_id = $1 AND s.id = $2

-- name: page
SELECT s.id, s.key, s.name, s.filter, s.created_at, s.updated_at
FROM router.segments s
WHERE s.tenant_id = $1
    AND (s.name, s.id) > ($2, $3::uuid)
ORDER BY s.name, s.id
LIMIT $4

-- name: update
UPDATE router.segments s SET
    name = coalesce($3, s.name), filter = coalesce($4::json, s.filter), updated_at = now()
WHERE s.tenant_id = $1 AND s.id = $2
RETURNING s.id, s.key, s.name, s.filter, s.created_at, s.updated_at

-- name: delete
DELETE FROM router.segments s WHERE s.tenant_id = $1 AND s.id = $2

-- Workflows whose current version names a segment.
-- name: workflows_with
SELECT w.name
FROM router.workflows w
JOIN router.workflow_versions v ON v.tenant_id = w.tenant_id AND v.workflow_id = w.id AND v.version = w.version
WHERE w.tenant_id = $1 AND v.document #>> '{filters,segment_id}' = $2
ORDER BY w.name
LIMIT $3
