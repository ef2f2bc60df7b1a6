-- Events for the list, newest first. A page is read from one source: an index that has few events beside those that are
-- wanted. A source gives ids by key, at most $4 of each; where a key has more, only ids from its last one on are complete.
-- $1: of these tenants; null: any. Ids from $2 on and before $3. $5: the page's length. The others are filters; null: any.
-- $6 type, $7 status, $8 channel, $9 reason, $10 provider, $11 recipient, $12 the event's or its caller's id, $13 the same
-- if it is a UUID; $14, $15: accepted at or after, and before, Unix microseconds; $16: labels, as their column has them;
-- $17: a stored workflow that has deliveries of it.

-- Each page returns, beside its rows, from which id on the source was read; null: to its end. OFFSET 0: the planner would
-- read whole tables in place of a bounded number of rows.

-- Pages of events themselves, of which the newest $4 of each key are read. {keys}, {of_key}: whose, and before $3; {order}: that
-- of their index, and of no other: the planner would otherwise read everybody's events to find those of a tenant with few.
-- name: range
WITH bounds AS MATERIALIZED (
    SELECT (
        SELECT f.id
        FROM (SELECT e.id FROM ingest.events e WHERE {of_key} ORDER BY {order} OFFSET $4 - 1 LIMIT 1) AS f
        WHERE f.id >= $2::uuid
    ) AS last
    FROM {keys} AS w
),
cut AS MATERIALIZED (
    SELECT b.last AS id FROM bounds b WHERE b.last IS NOT NULL ORDER BY b.last DESC LIMIT 1
),
taken AS (
    SELECT f.id
    FROM {keys} AS w
    CROSS JOIN LATERAL (
        SELECT e.id
        FROM (SELECT e.* FROM ingest.events e WHERE {of_key} ORDER BY {order} LIMIT $4) AS e
        WHERE e.id >= greatest($2::uuid, (SELECT c.id FROM cut c)) AND {wanted}
        ORDER BY {order} LIMIT $5
    ) AS f
    ORDER BY f.id DESC
    LIMIT $5
)
SELECT t.id, (SELECT c.id FROM cut c) AS read_from
FROM (SELECT 1) AS always
LEFT JOIN taken t ON true
ORDER BY t.id DESC

-- Pages of what another table says of events.
-- name: page
WITH keyed AS MATERIALIZED (
    {source}
),
cut AS MATERIALIZED (
    SELECT l.id
    FROM (SELECT count(*) AS n, min(k.id::text)::uuid AS id FROM keyed k GROUP BY k.key) AS l
    WHERE l.n >= $4
    ORDER BY l.id DESC
    LIMIT 1
),
taken AS (
    SELECT s.id
    FROM (
        SELECT DISTINCT k.id FROM keyed k
        WHERE k.id >= coalesce((SELECT c.id FROM cut c), '00000000-0000-0000-0000-000000000000'::uuid)
        ORDER BY k.id DESC
    ) AS s
    CROSS JOIN LATERAL (SELECT o.* FROM ingest.events o WHERE o.id = s.id OFFSET 0) AS e
    WHERE {wanted}
    ORDER BY s.id DESC
    LIMIT $5
)
SELECT t.id, (SELECT c.id FROM cut c) AS read_from
FROM (SELECT 1) AS always
LEFT JOIN taken t ON true
ORDER BY t.id DESC

-- Whether the event e is wanted.
-- name: wanted
e.accepted_at IS NOT NULL
    AND ($1::uuid[] IS NULL OR e.tenant_id = ANY ($1))
    AND ($6::text IS NULL OR e.event_type = $6)
    AND ($16::jsonb IS NULL OR e.metadata @> $16)
    AND ($12::text IS NULL OR e.caller_event_id = $12 OR e.id = $13::uuid)
    AND ($14::bigint IS NULL OR e.accepted_at >= 'epoch'::timestamptz + $14 * interval '1 microsecond')
    AND ($15::bigint IS NULL OR e.accepted_at < 'epoch'::timestamptz + $15 * interval '1 microsecond')
    AND (
        $7::smallint IS NULL AND $8::smallint IS NULL AND $9::text IS NULL AND $10::text IS NULL
        OR EXISTS (
            SELECT 1 FROM (SELECT o.* FROM ingest.deliveries o WHERE o.event_id = e.id OFFSET 0) AS d
            WHERE ($7::smallint IS NULL OR d.status = $7) AND ($8::smallint IS NULL OR d.channel = $8)
                AND ($9::text IS NULL OR d.reason = $9) AND ($10::text IS NULL OR d.provider = $10)
        )
        -- Nothing of it is sent.
        OR e.total = 0 AND e.route_reason = $9
            AND $7::smallint IS NULL AND $8::smallint IS NULL AND $10::text IS NULL
    )
    AND (
        $11::text IS NULL OR e.user_id = $11 OR e.email = $11 OR e.phone = $11
        OR EXISTS (
            SELECT 1 FROM (SELECT o.* FROM ingest.recipients o WHERE o.event_id = e.id OFFSET 0) AS r
            WHERE r.destination NOT LIKE '#-%'  -- not excluded
                AND (r.user_id = $11 OR r.addresses ->> 'email' = $11 OR r.addresses ->> 'sms' = $11)
        )
    )

    AND (
        $17::uuid IS NULL
        -- In the order of their index, and not EXISTS: the planner could read all deliveries of the workflow.
        OR (
            SELECT true FROM ingest.deliveries m
            WHERE m.workflow_id = $17 AND m.event_id = e.id ORDER BY m.step, m.id LIMIT 1
        )
    )

-- By the event's id or its caller's.
-- name: of_id
SELECT '' AS key, e.id FROM ingest.events e
WHERE (e.caller_event_id = $12 AND e.caller_event_id <> '' OR e.id = $13::uuid) AND e.id >= $2::uuid AND e.id < $3::uuid
ORDER BY e.id DESC LIMIT $4

-- One event after the other, however many deliveries each has.
-- name: of_workflow
SELECT '' AS key, f.id
FROM (
    WITH RECURSIVE found AS (
        (
            SELECT d.event_id AS id FROM ingest.deliveries d
            WHERE d.workflow_id = $17::uuid AND d.event_id >= $2::uuid AND d.event_id < $3::uuid
            ORDER BY d.event_id DESC LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT d.event_id FROM ingest.deliveries d
            WHERE d.workflow_id = $17::uuid AND d.event_id >= $2::uuid AND d.event_id < b.id
            ORDER BY d.event_id DESC LIMIT 1
        )
        FROM found b WHERE b.id IS NOT NULL
    )
    SELECT b.id FROM found b LIMIT $4
) AS f
WHERE f.id IS NOT NULL

-- By user id and address, and as versions before wrote an event's only recipient.
-- name: of_recipient
(
    SELECT 'user' AS key, r.event_id AS id FROM ingest.recipients r
    WHERE r.user_id = $11 AND r.event_id >= $2::uuid AND r.event_id < $3::uuid
    ORDER BY r.event_id DESC LIMIT $4
)
UNION ALL
(
    SELECT 'email', r.event_id FROM ingest.recipients r
    WHERE hashtextextended(r.addresses ->> 'email', 0) = hashtextextended($11, 0) AND r.addresses ->> 'email' IS NOT NULL
        AND r.event_id >= $2::uuid AND r.event_id < $3::uuid
    ORDER BY r.event_id DESC LIMIT $4
)
UNION ALL
(
    SELECT 'sms', r.event_id FROM ingest.recipients r
    WHERE hashtextextended(r.addresses ->> 'sms', 0) = hashtextextended($11, 0) AND r.addresses ->> 'sms' IS NOT NULL
        AND r.event_id >= $2::uuid AND r.event_id < $3::uuid
    ORDER BY r.event_id DESC LIMIT $4
)
UNION ALL
(
    SELECT 'old user', e.id FROM ingest.events e
    WHERE e.user_id = $11 AND e.id >= $2::uuid AND e.id < $3::uuid ORDER BY e.id DESC LIMIT $4
)
UNION ALL
(
    SELECT 'old email', e.id FROM ingest.events e
    WHERE e.email = $11 AND e.email <> '' AND e.id >= $2::uuid AND e.id < $3::uuid ORDER BY e.id DESC LIMIT $4
)
UNION ALL
(
    SELECT 'old phone', e.id FROM ingest.events e
    WHERE e.phone = $11 AND e.phone <> '' AND e.id >= $2::uuid AND e.id < $3::uuid ORDER BY e.id DESC LIMIT $4
)

-- Of deliveries, and of events of which nothing is sent.
-- name: of_reason
SELECT f.key, f.id
FROM (
    SELECT t.id FROM ingest.tenants t WHERE $1::uuid[] IS NULL OR t.id = ANY ($1)
) AS w
CROSS JOIN LATERAL (
    (
        SELECT w.id::text AS key, d.event_id AS id FROM ingest.deliveries d
        WHERE d.tenant_id = w.id AND d.reason = $9 AND d.reason <> ''
            AND d.event_id >= $2::uuid AND d.event_id < $3::uuid
        ORDER BY d.event_id DESC LIMIT $4
    )
    UNION ALL
    (
        SELECT w.id::text || '/events', e.id FROM ingest.events e
        WHERE e.tenant_id = w.id AND e.route_reason = $9 AND e.route_reason <> '' AND e.total = 0
            AND e.id >= $2::uuid AND e.id < $3::uuid
        ORDER BY e.id DESC LIMIT $4
    )
) AS f

-- Of statuses that few deliveries have.
-- name: of_trouble
SELECT '' AS key, d.event_id AS id FROM ingest.deliveries d
WHERE d.status = $7 AND d.status NOT IN (1, 4, 5) AND d.event_id >= $2::uuid AND d.event_id < $3::uuid
ORDER BY d.event_id DESC LIMIT $4

-- name: of_trouble_of_tenants
SELECT w.id::text AS key, f.id
FROM unnest($1::uuid[]) AS w (id)
CROSS JOIN LATERAL (
    SELECT d.event_id AS id FROM ingest.deliveries d
    WHERE d.tenant_id = w.id AND d.status = $7 AND d.status NOT IN (1, 4, 5)
        AND d.event_id >= $2::uuid AND d.event_id < $3::uuid
    ORDER BY d.event_id DESC LIMIT $4
) AS f
