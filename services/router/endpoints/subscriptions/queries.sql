-- name: endpoint_exists
SELECT e.id FROM router.endpoints e WHERE e.tenant_id = $1 AND e.id = $2

-- name: event_types
SELECT t.id, t.name FROM router.event_types t WHERE t.tenant_id = $1 AND t.id = ANY($2::uuid[]) ORDER BY t.name

-- Those that the endpoint has, with the bytes of their filters.
-- name: existing
SELECT s.event_type_id, octet_length(s.filter) AS bytes
FROM router.subscriptions s
WHERE s.tenant_id = $1 AND s.endpoint_id = $2 AND s.event_type_id = ANY($3::uuid[])

-- name: count_of_endpoint
SELECT count(*) FROM router.subscriptions s WHERE s.tenant_id = $1 AND s.endpoint_id = $2

-- name: insert
INSERT INTO router.subscriptions (tenant_id, endpoint_id, event_type_id, id, filter)
SELECT $1, $2, item.event_type_id, item.id, $5
FROM unnest($3::uuid[], $4::uuid[]) AS item (event_type_id, id)

-- name: set_filter
UPDATE router.subscriptions SET filter = $4
WHERE tenant_id = $1 AND endpoint_id = $2 AND event_type_id = ANY($3::uuid[])

-- Returns the fullest type.
-- name: count
WITH counted AS (
    UPDATE router.event_types t
    SET subscribers = t.subscribers + item.subscribers, filter_bytes = t.filter_bytes + item.filter_bytes
    FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS item (id, subscribers, filter_bytes)
    WHERE t.tenant_id = $1 AND t.id = item.id
    RETURNING t.subscribers, t.filter_bytes
)
SELECT max(c.subscribers) AS subscribers, max(c.filter_bytes) AS filter_bytes FROM counted c

-- name: delete
DELETE FROM router.subscriptions s
WHERE s.tenant_id = $1 AND s.endpoint_id = $2 AND s.event_type_id = $3
RETURNING octet_length(s.filter) AS bytes

-- name: list
SELECT s.id, s.endpoint_id, s.event_type_id, t.name, s.filter, s.created_at
FROM router.subscriptions s
JOIN router.event_types t ON t.tenant_id = s.tenant_id AND t.id = s.event_type_id
WHERE s.tenant_id = $1 AND s.endpoint_id = $2
ORDER BY s.id
LIMIT $3
