-- What operators see of the ledger.

-- Rows of versions before have an event's only recipient in user_id, email and phone, and planned for total. A contact
-- ("#?") is who was named until the event is planned, and who is meant since. $2: the most recipients that are counted;
-- null: all.
-- name: events
SELECT e.id, e.tenant_id, e.event_type, e.caller_event_id, e.trace_id, e.accepted_at, e.routed_at, e.route_us,
    e.route_reason, e.finished_at, e.replay_of, e.is_test, e.repeat_differed_at, e.repeat_type, e.due_at, e.canceled_at,
    e.canceled_by, e.metadata::text AS metadata, e.has_workflows IS TRUE AS has_workflows,
    e.is_secret IS TRUE AS is_secret,
    coalesce(nullif((
        SELECT greatest(count(*) FILTER (WHERE c.is_contact), count(*) FILTER (WHERE NOT c.is_contact))
        FROM (
            SELECT r.destination LIKE '#?%' AS is_contact FROM ingest.recipients r
            WHERE r.event_id = e.id AND r.destination NOT LIKE '#-%'  -- not excluded
            LIMIT $2
        ) AS c
    ), 0), (e.user_id IS NOT NULL)::integer) AS recipient_count,
    (
        SELECT true FROM ingest.events r WHERE r.replay_of = e.id AND r.accepted_at IS NOT NULL LIMIT 1
    ) IS TRUE AS is_replayed,
    EXISTS (
        SELECT 1 FROM ingest.event_payloads p WHERE p.tenant_id = e.tenant_id AND p.event_id = e.id
    ) AS has_content,
    coalesce(e.total, e.planned) AS total,
    e.is_shared IS TRUE AS is_shared,
    coalesce(person.user_id, e.user_id) AS user_id,
    coalesce(person.addresses, jsonb_build_object('email', e.email, 'sms', e.phone))::text AS addresses
FROM ingest.events e
LEFT JOIN LATERAL (
    SELECT r.user_id, r.addresses FROM ingest.recipients r
    WHERE r.event_id = e.id ORDER BY r.destination LIKE '#?%', r.destination LIMIT 1
) AS person ON true
WHERE e.id = ANY ($1::uuid[])
ORDER BY e.id DESC

-- Also of somebody whom an event excludes.
-- name: of_recipient
SELECT f.id
FROM (
    (
        SELECT r.event_id AS id FROM ingest.recipients r
        WHERE r.user_id = $2 AND r.tenant_id = $1 AND ($3::uuid IS NULL OR r.event_id < $3)
        ORDER BY r.event_id DESC LIMIT $4
    )
    UNION
    (
        SELECT e.id FROM ingest.events e
        WHERE e.user_id = $2 AND e.tenant_id = $1 AND ($3::uuid IS NULL OR e.id < $3)
        ORDER BY e.id DESC LIMIT $4
    )
) AS f
ORDER BY f.id DESC
LIMIT $4

-- {columns} of the queries below.
-- name: delivery_columns
d.id, d.event_id, d.channel, d.status, d.reason, d.provider, d.attempts, d.replay, d.updated_at,
    d.template_version_id, d.step, d.endpoint_id, d.first_attempt_at, d.sent_at, d.workflow_id, d.workflow_run_id,
    CASE WHEN d.parked_turn > coalesce(d.tried, -1) THEN d.parked_reason END AS parked,
    CASE WHEN d.parked_turn > coalesce(d.tried, -1) THEN d.parked_until
        WHEN d.status = 2 THEN d.next_attempt_at END AS next_attempt_at

-- The first $3 deliveries of each event. $1: events with one recipient; $2: those with several.
-- name: first_deliveries
SELECT {columns}
    , NULL::text AS destination, NULL::text AS user_id, NULL::text AS addresses
FROM unnest($1::uuid[]) AS e (id)
CROSS JOIN LATERAL (SELECT o.* FROM ingest.deliveries o WHERE o.event_id = e.id ORDER BY o.channel, o.id LIMIT $3) AS d
UNION ALL
SELECT {columns}
    , d.destination, r.user_id, r.addresses::text
FROM unnest($2::uuid[]) AS e (id)
CROSS JOIN LATERAL (
    (
        SELECT o.* FROM ingest.deliveries o
        WHERE o.event_id = e.id AND o.destination IS NOT NULL
        ORDER BY o.destination, o.id
        LIMIT $3
    )
    UNION ALL
    (
        SELECT o.* FROM ingest.deliveries o
        WHERE o.event_id = e.id AND o.channel = 4
            AND o.tenant_id = (SELECT v.tenant_id FROM ingest.events v WHERE v.id = e.id)
        ORDER BY o.id
        LIMIT $3
    )
    ORDER BY destination NULLS LAST, id
    LIMIT $3
) AS d
LEFT JOIN ingest.recipients r ON r.event_id = d.event_id AND r.destination = d.destination

-- Of an event with one recipient. $5: only theirs, not those to endpoints. $6: of this step; $7: the channel of which a
-- delivery without a step is one of it. $8: so many are left out.
-- name: deliveries
SELECT {columns}
    , NULL::text AS destination, NULL::text AS user_id, NULL::text AS addresses
FROM ingest.deliveries d
WHERE d.event_id = $1 AND ($2::smallint[] IS NULL OR d.status = ANY ($2)) AND ($3::uuid IS NULL OR d.id > $3)
    AND NOT ($5::boolean AND d.channel = 4)
    AND ($6::text IS NULL OR d.step = $6 OR d.step IS NULL AND d.channel = $7::smallint)
ORDER BY d.id
LIMIT $4 OFFSET $8

-- Of the workflow $5, by step. $3: after this delivery. $6: of these destinations; null: of any. $7: of this step. $8: as above.
-- name: workflow_deliveries
SELECT {columns}
    , d.destination, r.user_id, r.addresses::text AS addresses
FROM (
    SELECT o.* FROM ingest.deliveries o
    WHERE o.event_id = $1 AND o.workflow_id = $5 {of_step}
        AND ($2::smallint[] IS NULL OR o.status = ANY ($2))
        AND ($3::uuid IS NULL OR (o.step, o.id) > ((SELECT c.step FROM ingest.deliveries c WHERE c.id = $3), $3))
        AND ($6::text[] IS NULL OR o.destination = ANY ($6))
    ORDER BY o.step, o.id
    LIMIT $4 OFFSET $8
) AS d
LEFT JOIN ingest.recipients r ON r.event_id = d.event_id AND r.destination = d.destination
ORDER BY d.step, d.id

-- name: of_any_step
AND $7::text IS NULL

-- name: of_one_step
AND o.step = $7

-- Of an event with several recipients, by recipient; then those to endpoints. $3: after this delivery. $5: of these
-- destinations only. $6: the event's tenant. $7 to $9: as $6 to $8 above.
-- name: shared_deliveries
SELECT {columns}
    , d.destination, r.user_id, r.addresses::text AS addresses
FROM (
    (
        SELECT o.* FROM ingest.deliveries o
        WHERE o.event_id = $1 AND o.destination IS NOT NULL
            AND ($2::smallint[] IS NULL OR o.status = ANY ($2))
            AND ($3::uuid IS NULL
                OR (o.destination, o.id) > ((SELECT c.destination FROM ingest.deliveries c WHERE c.id = $3), $3))
            AND ($5::text[] IS NULL OR o.destination = ANY ($5))
            AND ($7::text IS NULL OR o.step = $7 OR o.step IS NULL AND o.channel = $8::smallint)
        ORDER BY o.destination, o.id
        LIMIT $4::bigint + $9::bigint
    )
    UNION ALL
    (
        SELECT o.* FROM ingest.deliveries o
        WHERE o.tenant_id = $6 AND o.event_id = $1 AND o.channel = 4
            AND ($2::smallint[] IS NULL OR o.status = ANY ($2))
            AND ($3::uuid IS NULL OR o.id > $3
                OR EXISTS (SELECT 1 FROM ingest.deliveries c WHERE c.id = $3 AND c.destination IS NOT NULL))
            AND $5::text[] IS NULL
            AND ($7::text IS NULL OR o.step = $7 OR o.step IS NULL AND o.channel = $8::smallint)
        ORDER BY o.id
        LIMIT $4::bigint + $9::bigint
    )
    ORDER BY destination NULLS LAST, id
    LIMIT $4 OFFSET $9
) AS d
LEFT JOIN ingest.recipients r ON r.event_id = d.event_id AND r.destination = d.destination
ORDER BY d.destination NULLS LAST, d.id

-- name: delivery
SELECT {columns}
    , d.tenant_id, d.destination, r.user_id, r.addresses::text AS addresses
FROM ingest.deliveries d
LEFT JOIN ingest.recipients r ON r.event_id = d.event_id AND r.destination = d.destination
WHERE d.id = $1

-- The recipients of an event with the destination $2 of a user id, or with this address $3 if there is none.
-- name: destinations
SELECT r.destination FROM ingest.recipients r WHERE r.event_id = $1 AND r.destination = $2
UNION ALL
(
    SELECT r.destination FROM ingest.recipients r
    WHERE r.event_id = $1
        AND NOT EXISTS (SELECT 1 FROM ingest.recipients o WHERE o.event_id = $1 AND o.destination = $2)
        AND EXISTS (SELECT 1 FROM jsonb_each_text(r.addresses) AS a WHERE a.value = $3)
    LIMIT 100
)

-- How many deliveries of each event have each status: from counters where the event has them, else from the rows.
-- 0: they wait in rows of the senders.
-- name: counts
SELECT c.event_id, c.status, c.n FROM ingest.event_counts c WHERE c.event_id = ANY ($1::uuid[]) AND c.n > 0
UNION ALL
SELECT e.id, d.status, d.n
FROM unnest($1::uuid[]) AS e (id)
CROSS JOIN LATERAL (
    SELECT o.status, count(*) AS n FROM ingest.deliveries o WHERE o.event_id = e.id GROUP BY o.status
) AS d
WHERE NOT EXISTS (SELECT 1 FROM ingest.event_counts c WHERE c.event_id = e.id)
ORDER BY 1, 2

-- $2: of these deliveries only; null: of all. $3: what endpoints answered, too, to the newest 100. {of}: of an event, or
-- of one delivery to an endpoint.
-- name: attempts
SELECT id, delivery_id, channel, attempt, replay, status, reason, detail, provider, ended_at, wait_us, render_us,
    send_us, next_attempt_at, sms_segments, sms_encoding, provider_id, provider_message_id, http_status, http_url,
    CASE WHEN $3::boolean AND row_number() OVER (ORDER BY ended_at DESC, id DESC) <= 100 THEN http_answer END AS http_answer
FROM ingest.attempts
WHERE {of}
    AND ($2::uuid[] IS NULL OR delivery_id = ANY ($2))
ORDER BY ended_at, id LIMIT 1000

-- name: of_event
event_id = $1

-- name: of_webhook
delivery_id = $1 AND channel = 4

-- name: replays_of
SELECT id, accepted_at FROM ingest.events WHERE replay_of = $1 AND accepted_at IS NOT NULL ORDER BY id LIMIT 100

-- name: states
SELECT id, status FROM ingest.deliveries WHERE id = ANY ($1::uuid[])

-- name: tenant_of_event
SELECT tenant_id FROM ingest.events WHERE id = $1

-- A dead letter may be older than what else is known of its delivery.
-- name: tenant_of_delivery
SELECT tenant_id FROM ingest.deliveries WHERE id = $1
UNION ALL
SELECT tenant_id FROM ingest.dead_letters WHERE delivery_id = $1
LIMIT 1

-- name: payload
SELECT event FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = $2

-- Of the tenant's newest $3 events: a type that is rare has no index of its own.
-- name: last_payload
SELECT s.accepted_at, p.event
FROM (
    SELECT e.id, e.event_type, e.accepted_at, e.is_test FROM ingest.events e
    WHERE e.tenant_id = $1 AND e.accepted_at IS NOT NULL
    ORDER BY e.id DESC
    LIMIT $3
) AS s
JOIN ingest.event_payloads p ON p.tenant_id = $1 AND p.event_id = s.id
WHERE s.event_type = $2 AND s.is_test IS NOT TRUE
ORDER BY s.id DESC
LIMIT 1

-- A tenant's deliveries to endpoints, newest first, after the delivery $4 of the event $3: reads $9 from {source}, returns
-- at most $10, and beside each row how many were read and the last of them; one row without a delivery if none is found.
-- $2: of this endpoint. $5, $6: ids of events from and before. $7: of these statuses; null: any. $8: of this type.
-- $11: labels, as the column has them. $12: only used by a source. $13, $14: accepted at or after, and before, Unix
-- microseconds; null: any.
-- name: endpoint_deliveries
WITH scanned AS MATERIALIZED (
    SELECT s.* FROM (
        {source}
    ) AS s ORDER BY s.event_id DESC, s.id DESC LIMIT $9
),
taken AS (
    SELECT {columns}
    , NULL::text AS destination, NULL::text AS user_id, NULL::text AS addresses,
        e.event_type, e.caller_event_id, e.metadata::text AS metadata, e.accepted_at,
        EXISTS (
            SELECT 1 FROM ingest.event_payloads p WHERE p.tenant_id = d.tenant_id AND p.event_id = d.event_id
        ) AS has_content
    FROM scanned d
    JOIN ingest.events e ON e.id = d.event_id
    WHERE ($7::smallint[] IS NULL OR d.status = ANY ($7))
        AND ($8::text IS NULL OR e.event_type = $8)
        AND ($11::jsonb IS NULL OR e.metadata @> $11)
        AND ($13::bigint IS NULL OR e.accepted_at >= 'epoch'::timestamptz + $13 * interval '1 microsecond')
        AND ($14::bigint IS NULL OR e.accepted_at < 'epoch'::timestamptz + $14 * interval '1 microsecond')
    ORDER BY d.event_id DESC, d.id DESC
    LIMIT $10
)
SELECT t.*, c.read, l.event_id AS last_event, l.id AS last_delivery
FROM (SELECT count(*) AS read FROM scanned) AS c
LEFT JOIN (SELECT o.event_id, o.id FROM scanned o ORDER BY o.event_id, o.id LIMIT 1) AS l ON true
LEFT JOIN taken t ON true
ORDER BY t.event_id DESC, t.id DESC

-- which: one of the two conditions at the end.
-- name: source_all
SELECT o.* FROM ingest.deliveries o
WHERE {which}
            AND o.channel = 4 AND (o.event_id, o.id) < ($3::uuid, $4::uuid)
    AND o.event_id >= $5::uuid AND o.event_id < $6::uuid AND $12::uuid[] IS NULL
ORDER BY o.event_id DESC, o.id DESC LIMIT $9

-- Of statuses other than SENT and DELIVERED.
-- name: source_statuses
SELECT o.* FROM unnest($7::smallint[]) AS w (status)
CROSS JOIN LATERAL (
    SELECT i.* FROM (
        SELECT o.* FROM ingest.deliveries o
        WHERE {which}
            AND o.channel = 4 AND o.status = w.status AND o.status NOT IN (4, 5)
            AND (o.event_id, o.id) < ($3::uuid, $4::uuid)
            AND o.event_id >= $5::uuid AND o.event_id < $6::uuid AND $12::uuid[] IS NULL
        ORDER BY o.event_id DESC, o.id DESC LIMIT $9
    ) AS i
) AS o

-- Of the events $12.
-- name: source_events
SELECT o.* FROM unnest($12::uuid[]) AS w (event_id)
CROSS JOIN LATERAL (
    SELECT i.* FROM (
        SELECT o.* FROM ingest.deliveries o
        WHERE {which}
            AND o.channel = 4 AND o.event_id = w.event_id
            AND (o.event_id, o.id) < ($3::uuid, $4::uuid)
            AND o.event_id >= $5::uuid AND o.event_id < $6::uuid
        ORDER BY o.id DESC LIMIT $9
    ) AS i
) AS o

-- name: of_tenant
o.tenant_id = $1::uuid AND $2::uuid IS NULL

-- name: of_endpoint
o.tenant_id = $1::uuid AND o.endpoint_id = $2::uuid

-- Up to $2 events with these labels, in any order. MATERIALIZED: else the planner, which takes any labels for common ones,
-- reads the whole table for the first $2.
-- name: labelled
WITH found AS MATERIALIZED (
    SELECT e.id FROM ingest.events e WHERE e.metadata IS NOT NULL AND e.metadata @> $1::jsonb
)
SELECT f.id FROM found f LIMIT $2
