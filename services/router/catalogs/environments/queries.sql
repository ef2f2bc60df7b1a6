-- name: insert_default
INSERT INTO router.environments (tenant_id, id, name, slug, is_default) VALUES ($1, $2, $3, $4, true)
ON CONFLICT DO NOTHING

-- name: insert
INSERT INTO router.environments (tenant_id, id, name, slug) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, slug) DO NOTHING
RETURNING id, name, slug, is_default, created_at, updated_at

-- name: get
SELECT v.id, v.name, v.slug, v.is_default, v.created_at, v.updated_at
FROM router.environments v
WHERE v.tenant_id = $1 AND v.id = $2

-- The default one first, the others in the order of their creation.
-- name: list
SELECT v.id, v.name, v.slug, v.is_default, v.created_at, v.updated_at
FROM router.environments v
WHERE v.tenant_id = $1
ORDER BY v.is_default DESC, v.id
LIMIT $2

-- name: rename
UPDATE router.environments v SET name = coalesce($3, v.name), updated_at = now()
WHERE v.tenant_id = $1 AND v.id = $2
RETURNING v.id, v.name, v.slug, v.is_default, v.created_at, v.updated_at

-- name: has_endpoints
SELECT EXISTS (SELECT FROM router.endpoints e WHERE e.tenant_id = $1 AND e.environment_id = $2)

-- name: has_workflows
SELECT EXISTS (SELECT FROM router.workflows w WHERE w.tenant_id = $1 AND w.environment_id = $2)

-- name: delete
DELETE FROM router.environments v WHERE v.tenant_id = $1 AND v.id = $2
