-- name: environment_exists
SELECT EXISTS (SELECT FROM router.environments v WHERE v.tenant_id = $1 AND v.id = $2)

-- name: endpoints_among
SELECT e.id FROM router.endpoints e WHERE e.tenant_id = $1 AND e.id = ANY($2::uuid[])

-- name: count
SELECT count(*) FROM router.workflows w WHERE w.tenant_id = $1

-- How many active workflows of type $2 an event of scope $3 starts; null: one of the scope that starts the most.
-- name: started_by_one_event
SELECT coalesce(max(a.number) FILTER (WHERE a.environment_id IS NULL), 0)
    + coalesce(max(a.number) FILTER (WHERE a.environment_id IS NOT NULL), 0)
FROM (
    SELECT w.environment_id, count(*) AS number
    FROM router.workflows w
    WHERE w.tenant_id = $1 AND w.event_type = $2 AND w.is_active
        AND ($3::uuid IS NULL OR w.environment_id = $3 OR w.environment_id IS NULL)
    GROUP BY w.environment_id
) AS a

-- name: insert
INSERT INTO router.workflows (tenant_id, id, environment_id, name, description, event_type, is_active, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, 1)

-- name: update
UPDATE router.workflows w
SET name = $3, description = $4, event_type = $5, is_active = $6, version = $7, updated_at = clock_timestamp()
WHERE w.tenant_id = $1 AND w.id = $2

-- name: delete
DELETE FROM router.workflows w WHERE w.tenant_id = $1 AND w.id = $2 RETURNING w.event_type

-- name: insert_version
INSERT INTO router.workflow_versions (tenant_id, workflow_id, version, document, created_by)
VALUES ($1, $2, $3, $4::text::json, $5)

-- Those up to $3, but for those that runs are on.
-- name: delete_versions
DELETE FROM router.workflow_versions v
WHERE v.tenant_id = $1 AND v.workflow_id = $2 AND v.version <= $3 AND NOT EXISTS (
    SELECT 1 FROM router.workflow_runs r
    WHERE r.tenant_id = v.tenant_id AND r.workflow_id = v.workflow_id AND r.version = v.version AND r.state IN (1, 2)
)

-- Of each workflow how many runs have not ended, at most $3, and when the newest one began.
-- name: activity
SELECT w.id,
    (
        SELECT count(*)
        FROM (
            SELECT FROM router.workflow_runs r
            WHERE r.tenant_id = $1 AND r.workflow_id = w.id AND r.state IN (1, 2)
            LIMIT $3
        ) AS open
    ) AS open_runs,
    (
        SELECT r.created_at
        FROM router.workflow_runs r
        WHERE r.tenant_id = $1 AND r.workflow_id = w.id
        ORDER BY r.id DESC
        LIMIT 1
    ) AS last_started_at
FROM unnest($2::uuid[]) AS w (id)

-- name: get
SELECT w.id, w.environment_id, w.name, w.description, w.event_type, w.is_active, w.version, w.created_at, w.updated_at,
    v.document::text AS document
FROM router.workflows w
JOIN router.workflow_versions v ON v.tenant_id = w.tenant_id AND v.workflow_id = w.id AND v.version = w.version
WHERE w.tenant_id = $1 AND w.id = $2

-- name: by_name
SELECT w.id, w.environment_id, w.name, w.description, w.event_type, w.is_active, w.version, w.created_at, w.updated_at,
    v.document::text AS document
FROM router.workflows w
JOIN router.workflow_versions v ON v.tenant_id = w.tenant_id AND v.workflow_id = w.id AND v.version = w.version
WHERE w.tenant_id = $1 AND (w.environment_id = $2 OR w.environment_id IS NULL) AND w.name = $3
ORDER BY w.environment_id NULLS LAST
LIMIT 1

-- name: page
SELECT w.id, w.environment_id, w.name, w.description, w.event_type, w.is_active, w.version, w.created_at, w.updated_at
FROM router.workflows w
WHERE w.tenant_id = $1 AND ($2::uuid IS NULL OR w.environment_id = $2 OR w.environment_id IS NULL)
    AND ($3::text IS NULL OR w.event_type = $3) AND ($4::boolean IS NULL OR w.is_active = $4)
    AND position(lower($5) IN lower(w.name)) > 0 AND ($6::uuid IS NULL OR w.id < $6)
ORDER BY w.id DESC
OFFSET $7
LIMIT $8

-- name: total
SELECT count(*)
FROM router.workflows w
WHERE w.tenant_id = $1 AND ($2::uuid IS NULL OR w.environment_id = $2 OR w.environment_id IS NULL)
    AND ($3::text IS NULL OR w.event_type = $3) AND ($4::boolean IS NULL OR w.is_active = $4)
    AND position(lower($5) IN lower(w.name)) > 0

-- name: versions
SELECT v.version, v.created_by, v.created_at
FROM router.workflow_versions v
WHERE v.tenant_id = $1 AND v.workflow_id = $2
ORDER BY v.version DESC
LIMIT $3

-- name: version
SELECT v.version, v.document::text AS document, v.created_by, v.created_at
FROM router.workflow_versions v
WHERE v.tenant_id = $1 AND v.workflow_id = $2 AND v.version = $3
