-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))

-- name: insert_template
INSERT INTO render.templates (id, tenant_id, event_type, channel, version, subject, body, push_namespace)
SELECT $1, $2, $3, $4, coalesce(max(t.version), 0) + 1, $5, $6, $7
FROM render.templates t
WHERE t.tenant_id = $2 AND t.event_type = $3 AND t.channel = $4
RETURNING id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at

-- name: template
SELECT id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at
FROM render.templates WHERE id = $1

-- name: templates
SELECT id, tenant_id, event_type, channel, version, subject, body, push_namespace, active, created_at
FROM render.templates t
WHERE ($1::uuid IS NULL OR t.tenant_id = $1)
    AND ($2::text IS NULL OR t.event_type = $2)
    AND (NOT $3::boolean OR t.active)
    AND ($4::uuid IS NULL OR t.id < $4)
ORDER BY t.id DESC
LIMIT $5

-- name: deactivate_others
UPDATE render.templates SET active = false
WHERE tenant_id = $1 AND event_type = $2 AND channel = $3 AND active

-- name: set_active
UPDATE render.templates SET active = $2 WHERE id = $1

-- name: active_templates
SELECT id, channel, push_namespace FROM render.templates
WHERE tenant_id = $1 AND event_type = $2 AND active
ORDER BY channel

-- name: sources
SELECT id, channel, subject, body FROM render.templates WHERE id = ANY ($1::uuid[])
