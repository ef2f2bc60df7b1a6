-- name: insert
INSERT INTO router.applications (tenant_id, id, external_id, name, metadata, max_endpoints, show_event_types)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, external_id) WHERE external_id <> '' DO NOTHING
RETURNING id, external_id, name, metadata, max_endpoints, show_event_types, created_at, updated_at

-- name: get
SELECT a.id, a.external_id, a.name, a.metadata, a.max_endpoints, a.show_event_types, a.created_at, a.updated_at
FROM router.applications a
WHERE a.tenant_id = $1 AND a.id = $2

-- name: page
SELECT a.id, a.external_id, a.name, a.metadata, a.max_endpoints, a.show_event_types, a.created_at, a.updated_at
FROM router.applications a
WHERE a.tenant_id = $1
ORDER BY a.id
LIMIT $2
OFFSET $3

-- $5 says whether $6 replaces max_endpoints.
-- name: update
UPDATE router.applications a
SET name = coalesce($3, a.name), metadata = coalesce($4, a.metadata),
    max_endpoints = CASE WHEN $5 THEN $6 ELSE a.max_endpoints END,
    show_event_types = coalesce($7, a.show_event_types), updated_at = now()
WHERE a.tenant_id = $1 AND a.id = $2
RETURNING a.id, a.external_id, a.name, a.metadata, a.max_endpoints, a.show_event_types, a.created_at, a.updated_at

-- name: endpoint_ids
SELECT e.id FROM router.endpoints e WHERE e.tenant_id = $1 AND e.application_id = $2 ORDER BY e.id

-- name: delete
DELETE FROM router.applications a WHERE a.tenant_id = $1 AND a.id = $2 RETURNING a.id
