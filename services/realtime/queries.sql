-- name: keep_entries
INSERT INTO realtime.inbox (id, tenant_id, user_id, event_id, event_type, title, body, created_at)
SELECT id, tenant_id, user_id, event_id, event_type, title, body,
       'epoch'::timestamptz + created_at_us * interval '1 microsecond'
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
     AS entry (id, tenant_id, user_id, event_id, event_type, title, body, created_at_us)
ORDER BY id
ON CONFLICT (id) DO NOTHING

-- A page with more than $5 bytes of text is returned without its texts: the size is known before they are read.
-- The unread are counted by the same statement, so that the number agrees with the page. An empty page is one row without id.
-- name: list_entries
WITH page AS (
    SELECT id, event_id, event_type, title, body, read_at, created_at,
           sum(octet_length(title) + octet_length(body)) OVER () <= $5::bigint AS fits
    FROM (
        SELECT id, event_id, event_type, title, body, read_at, created_at
        FROM realtime.inbox
        WHERE tenant_id = $1 AND user_id = $2
            AND (
                $6::bigint IS NULL
                OR (created_at, event_id, id) < ('epoch'::timestamptz + $6 * interval '1 microsecond', $7::text, $8::uuid)
            )
        ORDER BY created_at DESC, event_id DESC, id DESC
        LIMIT $3 OFFSET $4
    ) AS newest
)
SELECT id, event_id, event_type, CASE WHEN fits THEN title END AS title, CASE WHEN fits THEN body END AS body, fits,
       read_at IS NOT NULL AS read, (extract(epoch FROM created_at) * 1000000)::bigint AS created_at_us, unread
FROM (
    SELECT count(*) AS unread
    FROM (
        SELECT 1 FROM realtime.inbox
        WHERE tenant_id = $1 AND user_id = $2 AND read_at IS NULL
        LIMIT $9
    ) AS first_unread
) AS counted
LEFT JOIN page ON true
ORDER BY created_at DESC, event_id DESC, id DESC

-- name: count_unread
SELECT count(*)
FROM (
    SELECT 1 FROM realtime.inbox
    WHERE tenant_id = $1 AND user_id = $2 AND read_at IS NULL
    LIMIT $3
) AS unread

-- name: find_entry
SELECT id, event_id, event_type, title, body, (extract(epoch FROM created_at) * 1000000)::bigint AS created_at_us,
    coalesce((extract(epoch FROM read_at) * 1000000)::bigint, 0) AS read_at_us
FROM realtime.inbox
WHERE id = $1 AND tenant_id = $2 AND user_id = $3

-- name: mark_read
UPDATE realtime.inbox
SET read_at = coalesce(read_at, now())
WHERE id = $1 AND tenant_id = $2 AND user_id = $3
RETURNING id

-- Those up to a notification, itself included; all if $3 is null. Locked in one order, so that two calls never wait for
-- each other.
-- name: mark_all_read
UPDATE realtime.inbox SET read_at = now()
WHERE id IN (
    SELECT id FROM realtime.inbox
    WHERE tenant_id = $1 AND user_id = $2 AND read_at IS NULL
        AND (
            $3::bigint IS NULL
            OR (created_at, event_id, id) <= ('epoch'::timestamptz + $3 * interval '1 microsecond', $4::text, $5::uuid)
        )
    ORDER BY id
    LIMIT $6
    FOR UPDATE
)

-- name: find_epochs
SELECT coalesce(tenants.epoch, 0) AS tenant_epoch, coalesce(users.epoch, 0) AS user_epoch
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (tenant_id, recipient, place)
LEFT JOIN realtime.revocations AS tenants ON tenants.tenant_id = asked.tenant_id AND tenants.recipient = ''
LEFT JOIN realtime.revocations AS users
       ON users.tenant_id = asked.tenant_id AND users.recipient = asked.recipient AND asked.recipient <> ''
ORDER BY asked.place

-- name: raise_epoch
-- A user's row expires, so a new row starts with the current second: a number is never used twice.
INSERT INTO realtime.revocations AS r (tenant_id, recipient, epoch)
VALUES ($1, $2, CASE WHEN $2 = '' THEN 1 ELSE extract(epoch FROM now())::bigint END)
ON CONFLICT (tenant_id, recipient) DO UPDATE SET epoch = r.epoch + 1, raised_at = now(), used_at = now()
RETURNING epoch

-- Records that a token of this epoch was issued.
-- name: note_uses
UPDATE realtime.revocations r SET used_at = now()
FROM unnest($1::text[], $2::text[]) AS item (tenant_id, recipient)
WHERE r.tenant_id = item.tenant_id AND r.recipient = item.recipient AND r.used_at < now() - interval '1 hour'

-- name: expire_revocations
DELETE FROM realtime.revocations
WHERE (tenant_id, recipient) IN (
    SELECT o.tenant_id, o.recipient FROM realtime.revocations o
    WHERE o.recipient <> '' AND o.used_at < now() - $1 * interval '1 second'
    ORDER BY o.used_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING tenant_id, recipient

-- The rows of the previous version.
-- name: unkeyed
SELECT tenant_id, user_id, epoch, raised_at FROM realtime.epochs
WHERE (tenant_id, user_id) > ($1, $2)
ORDER BY tenant_id, user_id
LIMIT $3

-- name: copy_unkeyed
INSERT INTO realtime.revocations AS r (tenant_id, recipient, epoch, raised_at)
SELECT item.tenant_id, item.recipient, item.epoch, item.raised_at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) AS item (tenant_id, recipient, epoch, raised_at)
-- Numbers of the previous version are much smaller than those of this one: the one increased later counts.
ON CONFLICT (tenant_id, recipient) DO UPDATE SET
    epoch = greatest(EXCLUDED.epoch, r.epoch + 1), raised_at = EXCLUDED.raised_at, used_at = now()
WHERE r.raised_at < EXCLUDED.raised_at

-- name: remove_unkeyed
TRUNCATE realtime.epochs
