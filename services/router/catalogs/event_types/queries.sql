-- name: insert
INSERT INTO router.event_types (tenant_id, id, name, description) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING id, name, description, subscribers, created_at

-- name: get
SELECT t.id, t.name, t.description, t.subscribers, t.created_at
FROM router.event_types t
WHERE t.tenant_id = $1 AND t.id = $2

-- name: page
SELECT t.id, t.name, t.description, t.subscribers, t.created_at
FROM router.event_types t
WHERE t.tenant_id = $1 AND t.name > $2
ORDER BY t.name
LIMIT $3

-- name: update
UPDATE router.event_types t SET description = coalesce($3, t.description)
WHERE t.tenant_id = $1 AND t.id = $2
RETURNING t.id, t.name, t.description, t.subscribers, t.created_at

-- name: delete_subscriptions
WITH ended AS (
    DELETE FROM router.subscriptions s
    WHERE s.tenant_id = $1 AND s.event_type_id = $2
    RETURNING octet_length(s.filter) AS bytes
)
SELECT count(*) AS subscriptions, coalesce(sum(e.bytes), 0)::bigint AS filter_bytes FROM ended e

-- name: delete
DELETE FROM router.event_types t WHERE t.tenant_id = $1 AND t.id = $2 RETURNING t.name

-- All types, with whether an environment shows them.
-- name: visibility
SELECT t.id, t.name, v.event_type_id IS NOT NULL AS published
FROM router.event_types t
LEFT JOIN router.visible_event_types v
    ON v.tenant_id = t.tenant_id AND v.event_type_id = t.id AND v.environment_id = $2
WHERE t.tenant_id = $1
ORDER BY t.name
LIMIT $3

-- name: show
INSERT INTO router.visible_event_types (tenant_id, environment_id, event_type_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING

-- name: hide
DELETE FROM router.visible_event_types v
WHERE v.tenant_id = $1 AND v.environment_id = $2 AND v.event_type_id = $3
