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

-- Those of $2 that exist. They are not deleted before the transaction ends.
-- name: hold
SELECT s.id FROM router.segments s WHERE s.tenant_id = $1 AND s.id = ANY ($2::uuid[]) ORDER BY s.id FOR KEY SHARE

-- Waits for the transactions that hold the segment. None holds it again before this one ends.
-- name: lock_one
SELECT s.id FROM router.segments s WHERE s.tenant_id = $1 AND s.id = $2 FOR UPDATE

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

-- Schedules whose event is for a segment, or leaves it out. $2: such a target as events hold it: its first bytes are in no
-- text, and so it is found nowhere else.
-- name: schedules_with
SELECT s.name
FROM router.schedules s
WHERE s.tenant_id = $1 AND (position($2::bytea IN s.event) > 0 OR position($2::bytea IN s.event_in_hand) > 0)
ORDER BY s.name
LIMIT $3
