-- In each of these statements an empty array of delivery ids means: those of all deliveries.

-- name: erase_messages
DELETE FROM senders.outbox
WHERE event_id = ANY ($2::uuid[]) AND tenant_id = $1
    AND (cardinality($3::uuid[]) = 0 OR delivery_id = ANY ($3::uuid[]))

-- name: erase_sent
DELETE FROM senders.sent
WHERE event_id = ANY ($2::uuid[]) AND tenant_id = $1
    AND (cardinality($3::uuid[]) = 0 OR delivery_id = ANY ($3::uuid[]))

-- At most 20, and of those after the first only while their texts stay within $5 bytes together.
-- name: export_messages
SELECT id, recorded_at, delivery_id, event_id, channel, via, tenant_id, trace_id, recipient, sender, reply_to, subject,
    body_text, body_html
FROM (
    SELECT o.*, sum(octet_length(o.body_text) + coalesce(octet_length(o.body_html), 0)) OVER (ORDER BY o.id) AS total,
        row_number() OVER (ORDER BY o.id) AS place
    FROM (
        SELECT * FROM senders.outbox
        WHERE event_id = ANY ($2::uuid[]) AND tenant_id = $1 AND id > $4
            AND (cardinality($3::uuid[]) = 0 OR delivery_id = ANY ($3::uuid[]))
        ORDER BY id
        LIMIT 20
    ) AS o
) AS page
WHERE total <= $5 OR place = 1
ORDER BY id

-- name: are_more
SELECT EXISTS (
    SELECT 1 FROM senders.outbox
    WHERE event_id = ANY ($2::uuid[]) AND tenant_id = $1 AND id > $4
        AND (cardinality($3::uuid[]) = 0 OR delivery_id = ANY ($3::uuid[]))
)

-- Tenant by tenant, each from its oldest. $1: the default in hours; $2 and $3: tenants with days of their own.
-- name: expire_outbox
WITH RECURSIVE tenants AS (
    (SELECT tenant_id FROM senders.outbox ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.tenant_id FROM senders.outbox o WHERE o.tenant_id > t.tenant_id ORDER BY o.tenant_id LIMIT 1)
    FROM tenants t WHERE t.tenant_id IS NOT NULL
)
DELETE FROM senders.outbox WHERE id IN (
    SELECT old.id
    FROM tenants t
    LEFT JOIN unnest($2::text[], $3::integer[]) AS own (tenant_id, days) ON own.tenant_id = t.tenant_id
    CROSS JOIN LATERAL (
        SELECT o.id, o.recorded_at FROM senders.outbox o WHERE o.tenant_id = t.tenant_id ORDER BY o.id LIMIT $4
    ) AS old
    WHERE old.recorded_at < now() - make_interval(hours => coalesce(24 * own.days, $1))
    LIMIT $4
)
