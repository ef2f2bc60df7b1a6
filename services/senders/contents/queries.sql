-- A repeated attempt replaces what it sent before.
-- name: insert
INSERT INTO senders.contents (
    tenant_id, delivery_id, replay, attempt, event_id, channel, captured_at, packing, content
)
SELECT item.tenant_id, item.delivery_id, item.replay, item.attempt, item.event_id, item.channel,
    'epoch'::timestamptz + item.captured_us * interval '1 microsecond', item.packing, item.content
FROM unnest(
    $1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $5::uuid[], $6::smallint[], $7::bigint[], $8::smallint[],
    $9::bytea[]
) AS item (tenant_id, delivery_id, replay, attempt, event_id, channel, captured_us, packing, content)
ON CONFLICT (tenant_id, delivery_id, replay, attempt) DO UPDATE SET
    captured_at = EXCLUDED.captured_at, packing = EXCLUDED.packing, content = EXCLUDED.content

-- $3, $4: null: the newest.
-- name: find
SELECT event_id, channel, replay, attempt, packing, content,
    (extract(epoch FROM captured_at) * 1000000)::bigint AS captured_us
FROM senders.contents
WHERE tenant_id = $1 AND delivery_id = $2
    AND ($3::integer IS NULL OR attempt = $3) AND ($4::integer IS NULL OR replay = $4)
ORDER BY replay DESC, attempt DESC
LIMIT 1

-- name: attempts
SELECT replay, attempt, (extract(epoch FROM captured_at) * 1000000)::bigint AS captured_us
FROM senders.contents
WHERE tenant_id = $1 AND delivery_id = $2
ORDER BY replay DESC, attempt DESC
LIMIT 100

-- Ids of an event's deliveries begin with the 12 hexadecimal digits of its own: its time. $3: of these deliveries; empty:
-- of all.
-- name: erase
DELETE FROM senders.contents c
USING unnest($2::uuid[]) AS e (id)
WHERE c.tenant_id = $1 AND c.event_id = e.id
    AND c.delivery_id >= (left(replace(e.id::text, '-', ''), 12) || repeat('0', 20))::uuid
    AND c.delivery_id <= (left(replace(e.id::text, '-', ''), 12) || repeat('f', 20))::uuid
    AND (cardinality($3::uuid[]) = 0 OR c.delivery_id = ANY ($3::uuid[]))

-- Of some deliveries, after one of their rows: in the order of the key, at most $7.
-- name: export
SELECT c.delivery_id, c.event_id, c.channel, c.replay, c.attempt, c.packing, c.content,
    (extract(epoch FROM c.captured_at) * 1000000)::bigint AS captured_us
FROM unnest($2::uuid[]) AS e (id)
JOIN senders.contents c ON c.event_id = e.id
    AND c.delivery_id >= (left(replace(e.id::text, '-', ''), 12) || repeat('0', 20))::uuid
    AND c.delivery_id <= (left(replace(e.id::text, '-', ''), 12) || repeat('f', 20))::uuid
WHERE c.tenant_id = $1
    AND (cardinality($3::uuid[]) = 0 OR c.delivery_id = ANY ($3::uuid[]))
    AND (c.delivery_id, c.replay, c.attempt) > ($4::uuid, $5::integer, $6::integer)
ORDER BY c.delivery_id, c.replay, c.attempt
LIMIT $7

-- Tenant by tenant, each from its oldest. $1: the default in days; $2 and $3: tenants with days of their own. What was
-- sent long after its event was accepted stays until its own days are over.
-- name: expire
WITH RECURSIVE tenants AS (
    (SELECT tenant_id FROM senders.contents ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT c.tenant_id FROM senders.contents c WHERE c.tenant_id > t.tenant_id ORDER BY c.tenant_id LIMIT 1)
    FROM tenants t WHERE t.tenant_id IS NOT NULL
)
DELETE FROM senders.contents WHERE (tenant_id, delivery_id, replay, attempt) IN (
    SELECT old.tenant_id, old.delivery_id, old.replay, old.attempt
    FROM tenants t
    LEFT JOIN unnest($2::uuid[], $3::integer[]) AS own (tenant_id, days) ON own.tenant_id = t.tenant_id
    CROSS JOIN LATERAL (
        SELECT c.tenant_id, c.delivery_id, c.replay, c.attempt FROM senders.contents c
        WHERE c.tenant_id = t.tenant_id
            AND c.delivery_id < (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint
                - 86400000::bigint * coalesce(own.days, $1)), 12, '0') || repeat('0', 20))::uuid
            AND c.captured_at < now() - make_interval(days => coalesce(own.days, $1))
        ORDER BY c.delivery_id
        LIMIT $4
    ) AS old
    LIMIT $4
)
