-- name: erase_inbox
DELETE FROM realtime.inbox WHERE id IN (
    SELECT id FROM realtime.inbox
    WHERE tenant_id = $1 AND user_id = $2
        AND created_at <= 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
    LIMIT $4
)

-- name: export_inbox
SELECT id, event_id, event_type, title, body, (extract(epoch FROM created_at) * 1000000)::bigint AS created_at_us,
    coalesce((extract(epoch FROM read_at) * 1000000)::bigint, 0) AS read_at_us
FROM realtime.inbox
WHERE tenant_id = $1 AND user_id = $2
    AND (
        $3::bigint IS NULL
        OR (created_at, event_id, id) < ('epoch'::timestamptz + $3 * interval '1 microsecond', $4::text, $5::uuid)
    )
ORDER BY created_at DESC, event_id DESC, id DESC
LIMIT $6

-- Users who may have a push in the hub's history, including retried pushes.
-- name: recent_users
SELECT DISTINCT user_id FROM realtime.inbox
WHERE tenant_id = $1 AND created_at > now() - interval '1 hour'
LIMIT $2

-- Tenant by tenant, oldest rows first. $2 and $3: the tenants with their own number of days, and those days.
-- name: expire_inbox
WITH RECURSIVE tenants AS (
    (SELECT tenant_id FROM realtime.inbox ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT i.tenant_id FROM realtime.inbox i WHERE i.tenant_id > t.tenant_id ORDER BY i.tenant_id LIMIT 1)
    FROM tenants t WHERE t.tenant_id IS NOT NULL
)
DELETE FROM realtime.inbox WHERE id IN (
    SELECT old.id
    FROM tenants t
    LEFT JOIN unnest($2::text[], $3::integer[]) AS own (tenant_id, days) ON own.tenant_id = t.tenant_id
    CROSS JOIN LATERAL (
        SELECT i.id FROM realtime.inbox i
        WHERE i.tenant_id = t.tenant_id AND i.created_at < now() - make_interval(days => coalesce(own.days, $1))
        ORDER BY i.created_at
        LIMIT $4
    ) AS old
    LIMIT $4
)
