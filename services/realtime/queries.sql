-- name: keep_entries
INSERT INTO realtime.inbox (id, tenant_id, user_id, event_id, event_type, title, body, created_at)
SELECT id, tenant_id, user_id, event_id, event_type, title, body,
       'epoch'::timestamptz + created_at_us * interval '1 microsecond'
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
     AS entry (id, tenant_id, user_id, event_id, event_type, title, body, created_at_us)
ORDER BY id
ON CONFLICT (id) DO NOTHING

-- A page of more than $5 bytes of text comes without its texts: its size is known before they are read.
-- name: list_entries
WITH page AS (
    SELECT id, event_id, event_type, title, body, read_at, created_at,
           sum(octet_length(title) + octet_length(body)) OVER () <= $5::bigint AS fits
    FROM (
        SELECT id, event_id, event_type, title, body, read_at, created_at
        FROM realtime.inbox
        WHERE tenant_id = $1 AND user_id = $2
        ORDER BY created_at DESC, event_id DESC
        LIMIT $3 OFFSET $4
    ) AS newest
)
SELECT id, event_type, CASE WHEN fits THEN title END AS title, CASE WHEN fits THEN body END AS body, fits,
       read_at IS NOT NULL AS read, (extract(epoch FROM created_at) * 1000000)::bigint AS created_at_us
FROM page
ORDER BY created_at DESC, event_id DESC

-- name: count_unread
SELECT count(*)
FROM (
    SELECT 1 FROM realtime.inbox
    WHERE tenant_id = $1 AND user_id = $2 AND read_at IS NULL
    LIMIT $3
) AS unread

-- name: mark_read
UPDATE realtime.inbox
SET read_at = coalesce(read_at, now())
WHERE id = $1 AND tenant_id = $2 AND user_id = $3
RETURNING id

-- name: find_epochs
SELECT coalesce(tenants.epoch, 0) AS tenant_epoch, coalesce(users.epoch, 0) AS user_epoch
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (tenant_id, user_id, place)
LEFT JOIN realtime.epochs AS tenants ON tenants.tenant_id = asked.tenant_id AND tenants.user_id = ''
LEFT JOIN realtime.epochs AS users
       ON users.tenant_id = asked.tenant_id AND users.user_id = asked.user_id AND asked.user_id <> ''
ORDER BY asked.place

-- name: raise_epoch
INSERT INTO realtime.epochs (tenant_id, user_id, epoch)
VALUES ($1, $2, 1)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET epoch = epochs.epoch + 1, raised_at = now()
RETURNING epoch
