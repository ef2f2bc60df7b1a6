-- States are those of clarion.ingest.v1.ReplayState up to 3; 4 and 5: running, and narrowed in ways that earlier versions
-- do not know (see the migrations 0018 and 0025); 6: paused. This version makes only 5: earlier ones take every event
-- after position for one that was accepted in time.

-- name: insert_replay
INSERT INTO ingest.replays (
    id, tenant_id, since, until, status, per_second, state, position, endpoint_id, event_type, event_types,
    environment_id, channel, reason, provider, kind, found
)
VALUES (
    $1, $2, 'epoch'::timestamptz + $3::bigint * interval '1 microsecond',
    'epoch'::timestamptz + $4::bigint * interval '1 microsecond', $5, $6,
    5, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
)
RETURNING *

-- name: replay
SELECT * FROM ingest.replays WHERE id = $1

-- name: replays
SELECT * FROM ingest.replays
WHERE ($1::uuid[] IS NULL OR tenant_id = ANY ($1)) AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3

-- name: cancel_replay
UPDATE ingest.replays SET state = 3, finished_at = now(), waiting = '', position_destination = NULL
WHERE id = $1 AND state IN (1, 4, 5, 6)
RETURNING id

-- name: pause_replay
UPDATE ingest.replays SET paused_state = state, state = 6, waiting = '' WHERE id = $1 AND state IN (1, 4, 5)
RETURNING id

-- name: resume_replay
UPDATE ingest.replays SET state = paused_state, paused_state = NULL, next_at = now() WHERE id = $1 AND state = 6
RETURNING id

-- Seconds until the next page of any replay is due; null: no replay runs.
-- name: next_page
SELECT extract(epoch FROM min(next_at) - now())::float8 FROM ingest.replays WHERE state IN (1, 4, 5)

-- name: claim
SELECT * FROM ingest.replays
WHERE state IN (1, 4, 5) AND next_at <= now()
ORDER BY next_at
LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: room
SELECT t.active, coalesce(b.unfinished, 0) AS unfinished, t.max_unfinished_events AS most,
    coalesce(b.unfinished_bytes, 0) AS unfinished_bytes, t.max_unfinished_bytes AS most_bytes
FROM ingest.tenants t LEFT JOIN ingest.backlog b ON b.tenant_id = t.id
WHERE t.id = $1

-- name: wait
UPDATE ingest.replays SET waiting = $2, next_at = now() + interval '2 seconds' WHERE id = $1

-- Keeps the pace, but does not catch up in a burst after waiting.
-- name: advance
UPDATE ingest.replays SET
    position = $2, position_destination = $7, replayed = replayed + $3, unplayable = unplayable + $4, waiting = '',
    next_at = greatest(next_at, now() - interval '1 second') + $5::float8 * interval '1 second',
    state = CASE WHEN $6::boolean THEN 2 ELSE state END,
    finished_at = CASE WHEN $6::boolean THEN now() END
WHERE id = $1

-- Of dead letters: $2 and $3 are the last one that is done with.
-- name: advance_letters
UPDATE ingest.replays SET
    position_at = coalesce($2, position_at), position = coalesce($3::uuid, position), replayed = replayed + $4,
    unplayable = unplayable + $5, waiting = '',
    next_at = greatest(next_at, now() - interval '1 second') + $6::float8 * interval '1 second',
    state = CASE WHEN $7::boolean THEN 2 ELSE state END,
    finished_at = CASE WHEN $7::boolean THEN now() END
WHERE id = $1

-- Goes on with deliveries to endpoints, from the beginning of its time.
-- name: next_stage
UPDATE ingest.replays SET
    stage = 1, position = $2, position_destination = NULL, replayed = replayed + $3, unplayable = unplayable + $4,
    waiting = '', next_at = greatest(next_at, now() - interval '1 second') + $5::float8 * interval '1 second'
WHERE id = $1

-- The next events in the order of their ids: reads $4, returns at most $5 rows; of an event with several recipients one
-- for each recipient, after $10 of the event $2. channels: empty: all that it asked for.
-- Of a status $6 (0: every event): what ended so for a recipient on a channel, and was not sent again on it since,
-- except by this replay (its events' ids lie between $11 and $12). $7: whether events of which nothing was planned
-- count, too. $8: reasons of what is never sent again. $9: the reason of a channel that a replay left out. $13: only of
-- this type; empty: of any. $14, $15, $16: on this channel, with this reason, of this kind of provider; null: any.
-- $17, $18: accepted at or after, and before.
-- Deliveries to endpoints are sent again under their ids: see ended_page. Those of stored workflows are not, because a
-- replay would begin the workflow again; dead letters of them can be. An event whose workflows go on is left out.
-- name: page
WITH scanned AS (
    SELECT e.id, coalesce(e.total, e.planned) AS total, e.replay_of, e.route_reason, e.is_shared IS TRUE AS is_shared,
        e.canceled_at IS NOT NULL AS is_canceled,
        $13::text IN ('', e.event_type) AND {accepted} >= $17 AND {accepted} < $18 AS is_wanted
    FROM ingest.events e
    WHERE e.tenant_id = $1 AND e.id >= $2 AND (e.id > $2 OR $10::text IS NOT NULL) AND e.id < $3
        AND (e.finished_at IS NOT NULL OR e.is_released AND e.has_workflows IS NOT TRUE)
    ORDER BY e.id
    LIMIT $4
),
taken AS (
    SELECT s.id, NULL::text AS destination, '{}'::smallint[] AS channels, '{}'::uuid[] AS deliveries
    FROM scanned s
    WHERE s.is_wanted AND ($6 = 0 AND s.replay_of IS NULL)
        OR s.is_wanted AND ($7 AND s.total = 0 AND NOT s.is_canceled
            AND $14::smallint IS NULL AND $16::text IS NULL AND ($15::text IS NULL OR s.route_reason = $15)
            AND NOT EXISTS (SELECT 1 FROM ingest.events r WHERE r.replay_of = s.id AND r.id NOT BETWEEN $11 AND $12))
    UNION ALL
    SELECT s.id, NULL, array_agg(DISTINCT d.channel), array_agg(d.id)
    FROM scanned s
    JOIN ingest.deliveries d ON d.event_id = s.id AND d.status = $6 AND d.channel <> 4 AND d.workflow_id IS NULL
    WHERE $6 <> 0 AND s.is_wanted AND NOT s.is_shared AND d.reason <> ALL ($8::text[])
        AND ($14 IS NULL OR d.channel = $14) AND ($15 IS NULL OR d.reason = $15) AND ($16 IS NULL OR d.provider = $16)
        AND NOT EXISTS (
            SELECT 1 FROM ingest.events r JOIN ingest.deliveries rd ON rd.event_id = r.id
            WHERE r.replay_of = s.id AND r.id NOT BETWEEN $11 AND $12 AND rd.channel = d.channel AND rd.reason <> $9
        )
    GROUP BY s.id
    UNION ALL
    SELECT s.id, p.destination, p.channels, p.deliveries
    FROM scanned s
    CROSS JOIN LATERAL (
        SELECT d.destination, array_agg(DISTINCT d.channel) AS channels, array_agg(d.id) AS deliveries
        FROM ingest.deliveries d
        JOIN ingest.recipients n ON n.event_id = d.event_id AND n.destination = d.destination
            AND n.addresses IS NOT NULL  -- not erased
        WHERE d.event_id = s.id AND d.destination > CASE WHEN s.id = $2 THEN $10 ELSE '' END
            AND d.status = $6 AND d.workflow_id IS NULL AND d.reason <> ALL ($8::text[])
            AND ($14 IS NULL OR d.channel = $14) AND ($15 IS NULL OR d.reason = $15)
            AND ($16 IS NULL OR d.provider = $16)
            AND NOT EXISTS (
                SELECT 1 FROM ingest.events r JOIN ingest.deliveries rd ON rd.event_id = r.id
                WHERE r.replay_of = s.id AND r.id NOT BETWEEN $11 AND $12
                    AND rd.destination = d.destination AND rd.channel = d.channel AND rd.reason <> $9
            )
        GROUP BY d.destination
        ORDER BY d.destination
        LIMIT $5
    ) AS p
    WHERE $6 <> 0 AND s.is_shared AND s.is_wanted
)
SELECT t.id, t.destination, t.channels, t.deliveries, NULL::boolean AS is_end
FROM (SELECT id, destination, channels, deliveries FROM taken ORDER BY id, destination LIMIT $5) AS t
UNION ALL
-- The last event that was read, and whether there are no more.
SELECT (SELECT id FROM scanned ORDER BY id DESC LIMIT 1), NULL, '{}', '{}', (SELECT count(*) FROM scanned) < $4

-- The next deliveries to endpoints that ended with the status $3, after the delivery $5 of the event $4, in the order of
-- their events: reads $8, returns at most $9. {of}: of a tenant or of an endpoint. $7: the reasons for which a skipped
-- one can be sent again. $10: only of this type; empty: of any. $11 to $15: as $14 to $18 above.
-- name: ended_page
WITH scanned AS (
    SELECT d.id, d.event_id, d.reason, d.provider
    FROM ingest.deliveries d
    WHERE {of}
    AND d.channel = 4 AND d.status = $3 AND d.status NOT IN (4, 5)
        AND (d.event_id, d.id) > ($4::uuid, $5::uuid) AND d.event_id < $6 AND ($11::smallint IS NULL OR $11 = 4)
    ORDER BY d.event_id, d.id
    LIMIT $8
)
SELECT t.id, t.event_id, NULL::boolean AS is_end
FROM (
    SELECT s.id, s.event_id FROM scanned s
    WHERE ($3 <> 3 OR s.reason = ANY ($7::text[]))
        AND ($12::text IS NULL OR s.reason = $12) AND ($13::text IS NULL OR s.provider = $13)
        AND EXISTS (
            SELECT 1 FROM ingest.events e
            WHERE e.id = s.event_id AND $10::text IN ('', e.event_type) AND {accepted} >= $14 AND {accepted} < $15
        )
    ORDER BY s.event_id, s.id
    LIMIT $9
) AS t
UNION ALL
-- The last delivery that was read, and whether there are no more.
SELECT l.id, l.event_id, (SELECT count(*) FROM scanned) < $8
FROM (SELECT 1) AS one
LEFT JOIN LATERAL (SELECT id, event_id FROM scanned ORDER BY event_id DESC, id DESC LIMIT 1) AS l ON true

-- name: of_endpoint
d.endpoint_id = $2 AND d.tenant_id = $1

-- name: of_tenant
$2::uuid IS NULL AND d.tenant_id = $1

-- The next events after $2 of one of the types $6 of which the endpoint $7 has no delivery, also not by a replay, except
-- by this one (its events' ids lie between $8 and $9): reads $4, returns at most $5. Only what was planned, because the
-- plan of the others may still reach the endpoint. $10, $11: as $17, $18 above.
-- name: missed_page
WITH scanned AS (
    SELECT e.id, e.event_type, e.replay_of, e.is_test, e.canceled_at, coalesce(e.total, e.planned) AS total,
        {accepted} >= $10 AND {accepted} < $11 AS is_in_time
    FROM ingest.events e
    WHERE e.tenant_id = $1 AND e.id > $2 AND e.id < $3
    ORDER BY e.id
    LIMIT $4
)
SELECT t.id, NULL::boolean AS is_end
FROM (
    SELECT s.id FROM scanned s
    WHERE s.is_in_time AND s.event_type = ANY ($6::text[]) AND s.replay_of IS NULL AND s.is_test IS NOT TRUE
        AND s.canceled_at IS NULL AND s.total IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM ingest.deliveries d WHERE d.endpoint_id = $7 AND d.event_id = s.id AND d.channel = 4
        )
        AND NOT EXISTS (
            SELECT 1 FROM ingest.events r
            JOIN ingest.deliveries d ON d.endpoint_id = $7 AND d.event_id = r.id AND d.channel = 4
            WHERE r.replay_of = s.id AND r.id NOT BETWEEN $8 AND $9
        )
    ORDER BY s.id
    LIMIT $5
) AS t
UNION ALL
SELECT (SELECT id FROM scanned ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM scanned) < $4

-- name: payloads
SELECT event_id, event FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = ANY ($2::uuid[])

-- name: known
SELECT id FROM ingest.events WHERE id = ANY ($1::uuid[])

-- name: mark_dead_letters
UPDATE ingest.dead_letters SET replayed_at = now()
WHERE event_id = ANY ($1::uuid[]) AND replayed_at IS NULL AND (cardinality($2::smallint[]) = 0 OR channel = ANY ($2))

-- name: mark_dead_deliveries
UPDATE ingest.dead_letters SET replayed_at = now() WHERE delivery_id = ANY ($1::uuid[]) AND replayed_at IS NULL

-- Which of these recipients an event with several recipients has; none that was erased.
-- name: recipients
SELECT r.destination FROM ingest.recipients r
WHERE r.event_id = $1 AND r.destination = ANY ($2::text[]) AND r.addresses IS NOT NULL

-- name: deliveries_of
SELECT d.id FROM ingest.deliveries d
WHERE d.event_id = $1 AND d.destination = ANY ($2::text[])
    AND (cardinality($3::smallint[]) = 0 OR d.channel = ANY ($3::smallint[]))

-- name: count_backlog
UPDATE ingest.backlog SET unfinished = unfinished + $2, unfinished_bytes = unfinished_bytes + $3 WHERE tenant_id = $1

-- name: payload
SELECT e.tenant_id, t.active, e.is_shared IS TRUE AS is_shared, p.event,
    e.due_at IS NOT NULL AND e.routed_at IS NULL AND e.finished_at IS NULL AS is_waiting
FROM ingest.events e
JOIN ingest.tenants t ON t.id = e.tenant_id
LEFT JOIN ingest.event_payloads p ON p.tenant_id = e.tenant_id AND p.event_id = e.id
WHERE e.id = $1

-- {accepted} of the queries above. It is the last, as its line goes on where it is put. An event's record of its acceptance may be missing; its id says about when it was.
-- name: accepted
coalesce(e.accepted_at, 'epoch'::timestamptz + ingest.accepted_ms(e.id) * interval '1 millisecond')
