-- Newest first, before $2, at most $3. What is null of the filters matches any. One query for each, so that PostgreSQL
-- always has an index for it.

-- name: of_event
SELECT id, event_id, tenant_id, workflow_id, workflow_name, version, recipient_id, state, position, wake_at, held_back,
    created_at, updated_at, finished_at
FROM router.shown_workflow_runs
WHERE tenant_id = $1 AND id < $2 AND ($4::smallint IS NULL OR state = $4)
    AND run_id = $5 AND ($6::uuid IS NULL OR workflow_id = $6) AND ($7::text IS NULL OR recipient_id = $7)
ORDER BY id DESC
LIMIT $3

-- name: of_recipient
SELECT id, event_id, tenant_id, workflow_id, workflow_name, version, recipient_id, state, position, wake_at, held_back,
    created_at, updated_at, finished_at
FROM router.shown_workflow_runs
WHERE tenant_id = $1 AND id < $2 AND ($4::smallint IS NULL OR state = $4)
    AND recipient_id = $5 AND ($6::uuid IS NULL OR workflow_id = $6)
ORDER BY id DESC
LIMIT $3

-- name: of_workflow
SELECT id, event_id, tenant_id, workflow_id, workflow_name, version, recipient_id, state, position, wake_at, held_back,
    created_at, updated_at, finished_at
FROM router.shown_workflow_runs
WHERE tenant_id = $1 AND id < $2 AND ($4::smallint IS NULL OR state = $4) AND workflow_id = $5
ORDER BY id DESC
LIMIT $3

-- name: of_tenant
SELECT id, event_id, tenant_id, workflow_id, workflow_name, version, recipient_id, state, position, wake_at, held_back,
    created_at, updated_at, finished_at
FROM router.shown_workflow_runs
WHERE tenant_id = $1 AND id < $2 AND ($4::smallint IS NULL OR state = $4)
ORDER BY id DESC
LIMIT $3

-- name: one
SELECT id, run_id, event_id, tenant_id, workflow_id, workflow_name, version, recipient_id, state, position, steps,
    wake_at, held_back, created_at, updated_at, finished_at
FROM router.shown_workflow_runs
WHERE tenant_id = $1 AND id = $2
