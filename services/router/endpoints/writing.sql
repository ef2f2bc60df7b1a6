-- Serialises the changes of a tenant's endpoints and workflows, because each publishes whole lists.
-- name: lock_tenant
SELECT pg_advisory_xact_lock(hashtextextended('router.endpoints/' || $1, 0))

-- name: count
INSERT INTO router.endpoint_counts AS c (
    tenant_id, endpoints, event_types, applications, subscriptions, filter_bytes
)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id) DO UPDATE SET
    endpoints = c.endpoints + EXCLUDED.endpoints, event_types = c.event_types + EXCLUDED.event_types,
    applications = c.applications + EXCLUDED.applications, subscriptions = c.subscriptions + EXCLUDED.subscriptions,
    filter_bytes = c.filter_bytes + EXCLUDED.filter_bytes
RETURNING c.endpoints, c.event_types, c.applications, c.subscriptions, c.filter_bytes

-- Returns the types that they subscribed to.
-- name: delete_subscriptions
WITH ended AS (
    DELETE FROM router.subscriptions s
    WHERE s.tenant_id = $1 AND s.endpoint_id = ANY($2::uuid[])
    RETURNING s.event_type_id, octet_length(s.filter) AS bytes
), by_type AS (
    SELECT e.event_type_id, count(*) AS subscribers, sum(e.bytes) AS filter_bytes FROM ended e GROUP BY e.event_type_id
)
UPDATE router.event_types t
SET subscribers = t.subscribers - b.subscribers, filter_bytes = t.filter_bytes - b.filter_bytes
FROM by_type b
WHERE t.tenant_id = $1 AND t.id = b.event_type_id
RETURNING t.name, b.subscribers, b.filter_bytes::bigint AS filter_bytes

-- Returns the applications that they belonged to, with the number of each.
-- name: delete_endpoints
WITH ended AS (
    DELETE FROM router.endpoints e
    WHERE e.tenant_id = $1 AND e.id = ANY($2::uuid[])
    RETURNING e.application_id
), by_application AS (
    SELECT e.application_id, count(*) AS endpoints FROM ended e WHERE e.application_id IS NOT NULL GROUP BY 1
), counted AS (
    UPDATE router.applications a SET endpoints = a.endpoints - b.endpoints
    FROM by_application b
    WHERE a.tenant_id = $1 AND a.id = b.application_id
)
SELECT count(*) FROM ended
