-- Dead letters that wait for somebody: {matches} is the condition at the end.

-- Newest first, after the delivery $10 that died at $9.
-- name: page
SELECT l.delivery_id, l.event_id, l.tenant_id, l.channel, l.reason, l.detail, l.died_at,
    coalesce(l.endpoint_id, d.endpoint_id) AS endpoint_id,
    coalesce(l.event_type, e.event_type, '') AS event_type,
    coalesce(l.provider, d.provider, '') AS provider
FROM (
    SELECT l.* FROM ingest.dead_letters l
    WHERE {matches}
        AND ($9::bigint IS NULL
            OR (l.died_at, l.delivery_id) < ('epoch'::timestamptz + $9 * interval '1 microsecond', $10::uuid))
    ORDER BY l.died_at DESC, l.delivery_id DESC
    LIMIT $11
) AS l
LEFT JOIN ingest.deliveries d ON d.id = l.delivery_id
LEFT JOIN ingest.events e ON e.id = l.event_id
ORDER BY l.died_at DESC, l.delivery_id DESC

-- How many match, at most $9.
-- name: count
SELECT count(*) FROM (SELECT 1 FROM ingest.dead_letters l WHERE {matches} LIMIT $9) AS counted

-- By reason, of $9 that match.
-- name: reasons
SELECT counted.reason, count(*) AS found
FROM (SELECT l.reason FROM ingest.dead_letters l WHERE {matches} LIMIT $9) AS counted
GROUP BY counted.reason
ORDER BY found DESC, counted.reason

-- The tenants that have some, and how many; at most $9 tenants.
-- name: tenants
SELECT l.tenant_id, count(*) AS found FROM ingest.dead_letters l
WHERE {matches}
GROUP BY l.tenant_id
ORDER BY l.tenant_id
LIMIT $9

-- The next ones for a replay, oldest first, after the delivery $10 that died at $9.
-- name: next
SELECT l.delivery_id, l.died_at FROM ingest.dead_letters l
WHERE {matches} AND ($9::timestamptz IS NULL OR (l.died_at, l.delivery_id) > ($9, $10::uuid))
ORDER BY l.died_at, l.delivery_id
LIMIT $11

-- What versions before have stored has no event type, provider and endpoint: then its event and delivery tell.
-- name: matches
l.replayed_at IS NULL
    AND ($1::uuid[] IS NULL OR l.tenant_id = ANY ($1))
    AND ($2::smallint IS NULL OR l.channel = $2)
    AND ($3::text IS NULL OR l.reason = $3)
    AND ($4::text IS NULL OR l.provider = $4 OR l.provider IS NULL AND EXISTS (
        SELECT 1 FROM ingest.deliveries o WHERE o.id = l.delivery_id AND o.provider = $4
    ))
    AND ($5::text IS NULL OR l.event_type = $5 OR l.event_type IS NULL AND EXISTS (
        SELECT 1 FROM ingest.events o WHERE o.id = l.event_id AND o.event_type = $5
    ))
    AND ($6::uuid IS NULL OR l.endpoint_id = $6 OR l.event_type IS NULL AND EXISTS (
        SELECT 1 FROM ingest.deliveries o WHERE o.id = l.delivery_id AND o.endpoint_id = $6
    ))
    AND ($7::bigint IS NULL OR l.died_at >= 'epoch'::timestamptz + $7 * interval '1 microsecond')
    AND ($8::bigint IS NULL OR l.died_at < 'epoch'::timestamptz + $8 * interval '1 microsecond')
