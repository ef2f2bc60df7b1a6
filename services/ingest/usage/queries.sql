-- What tenants use of their limits, and what their events lack.

-- name: limits
SELECT t.max_unfinished_events, t.max_unfinished_bytes, t.max_scheduled_events,
    coalesce(b.unfinished, 0) AS unfinished, coalesce(b.unfinished_bytes, 0) AS unfinished_bytes,
    coalesce(b.scheduled, 0) AS scheduled,
    (
        SELECT count(*) FROM ingest.api_keys k
        WHERE k.tenant_id = t.id AND k.id IS NOT NULL AND NOT isfinite(k.revoked_at)
    ) AS keys
FROM ingest.tenants t
LEFT JOIN ingest.backlog b ON b.tenant_id = t.id
WHERE t.id = $1

-- reset_s: until something leaves the window.
-- name: rates
SELECT r.scope, r.window_s, r.kind, r.bound, greatest(0, r.bound - r.counted) AS remaining,
    coalesce(ceil(extract(epoch FROM r.granted_at[1] + make_interval(secs => r.window_s) - now())), 0)::bigint AS reset_s
FROM ingest.rates_of(ARRAY[$1::uuid], now(), NULL::text[]) AS r
WHERE r.bound IS NOT NULL
ORDER BY r.scope, r.window_s, r.kind

-- Of the newest $2 events of a tenant: what was skipped for one of the reasons $3.
-- name: shortfalls
WITH newest AS MATERIALIZED (
    SELECT e.id, e.event_type, e.accepted_at, e.route_reason
    FROM ingest.events e
    WHERE e.tenant_id = $1 AND e.accepted_at IS NOT NULL
    ORDER BY e.id DESC
    LIMIT $2
),
lacking AS (
    SELECT n.id, n.event_type, n.accepted_at, d.channel, d.reason
    FROM newest n
    JOIN ingest.deliveries d ON d.event_id = n.id AND d.status = 3 AND d.reason = ANY ($3::text[])
    UNION ALL
    SELECT n.id, n.event_type, n.accepted_at, 0, n.route_reason
    FROM newest n
    WHERE n.route_reason = ANY ($3::text[])
),
grouped AS (
    SELECT l.event_type, l.channel, l.reason, count(DISTINCT l.id) AS count, max(l.id::text)::uuid AS event_id,
        max(l.accepted_at) AS at
    FROM lacking l
    GROUP BY l.event_type, l.channel, l.reason
    ORDER BY count(DISTINCT l.id) DESC, l.event_type, l.channel
    LIMIT 50
)
SELECT g.*, c.events, c.since
FROM (SELECT count(*) AS events, min(n.accepted_at) AS since FROM newest n) AS c
LEFT JOIN grouped g ON true
ORDER BY g.count DESC, g.event_type, g.channel

-- Tenants of which at least $1 deliveries died within an hour and wait for somebody.
-- name: dead_letters
SELECT l.tenant_id, t.name, count(*) AS count
FROM ingest.dead_letters l
JOIN ingest.tenants t ON t.id = l.tenant_id
WHERE l.replayed_at IS NULL AND l.died_at > now() - interval '1 hour'
GROUP BY l.tenant_id, t.name
HAVING count(*) >= $1
ORDER BY count(*) DESC
LIMIT 100

-- Tenants whose quota of unfinished events, or of their bytes, is used up, or nine tenths of it; the fullest first.
-- name: full_quotas
SELECT q.tenant_id, q.name, q.count, q.bound, q.bytes, q.bytes_bound, NOT q.is_full AS is_near
FROM (
    SELECT t.id AS tenant_id, t.name, b.unfinished AS count, t.max_unfinished_events::bigint AS bound,
        b.unfinished_bytes AS bytes, t.max_unfinished_bytes AS bytes_bound,
        b.unfinished >= t.max_unfinished_events
        -- Less than the largest event is left.
        OR b.unfinished_bytes > t.max_unfinished_bytes - 2097152 AS is_full
    FROM ingest.backlog b
    JOIN ingest.tenants t ON t.id = b.tenant_id
    WHERE t.active
) AS q
WHERE q.is_full OR q.count * 10 >= q.bound * 9 OR q.bytes * 10 >= q.bytes_bound * 9
ORDER BY q.is_full DESC, q.count DESC, q.tenant_id
LIMIT 100
