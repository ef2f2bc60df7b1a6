-- Arguments that are times: Unix microseconds.

-- Returns by tenant the number of events that this finished, and their bytes. An event that was finished before (a
-- redelivery) is not counted again.
-- name: upsert_events
WITH written AS (
INSERT INTO ingest.events AS e (
    id, tenant_id, event_type, caller_event_id, user_id, email, phone, trace_id, accepted_at,
    routed_at, route_us, route_reason, planned, finished_at, replay_of, is_test, size
)
SELECT
    t.id, t.tenant_id, t.event_type, t.caller_event_id, t.user_id, t.email, t.phone, t.trace_id,
    'epoch'::timestamptz + t.accepted_us * interval '1 microsecond',
    'epoch'::timestamptz + t.routed_us * interval '1 microsecond',
    t.route_us, t.route_reason, t.planned,
    'epoch'::timestamptz + t.finished_us * interval '1 microsecond',
    t.replay_of, t.is_test, t.size
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
    $10::bigint[], $11::bigint[], $12::text[], $13::smallint[], $14::bigint[], $15::uuid[], $16::boolean[],
    $17::integer[]
) AS t (
    id, tenant_id, event_type, caller_event_id, user_id, email, phone, trace_id, accepted_us,
    routed_us, route_us, route_reason, planned, finished_us, replay_of, is_test, size
)
ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET
    event_type = coalesce(e.event_type, EXCLUDED.event_type),
    caller_event_id = coalesce(e.caller_event_id, EXCLUDED.caller_event_id),
    user_id = coalesce(e.user_id, EXCLUDED.user_id),
    email = coalesce(e.email, EXCLUDED.email),
    phone = coalesce(e.phone, EXCLUDED.phone),
    trace_id = coalesce(e.trace_id, EXCLUDED.trace_id),
    accepted_at = coalesce(e.accepted_at, EXCLUDED.accepted_at),
    routed_at = coalesce(e.routed_at, EXCLUDED.routed_at),
    route_us = coalesce(e.route_us, EXCLUDED.route_us),
    route_reason = coalesce(e.route_reason, EXCLUDED.route_reason),
    planned = coalesce(e.planned, EXCLUDED.planned),
    -- A row that is finished without a plan was made for a late record (finish_late).
    finished_at = CASE WHEN e.planned IS NULL AND EXCLUDED.planned IS NOT NULL
        THEN EXCLUDED.finished_at ELSE coalesce(e.finished_at, EXCLUDED.finished_at) END,
    replay_of = coalesce(e.replay_of, EXCLUDED.replay_of),
    is_test = coalesce(e.is_test, EXCLUDED.is_test),
    size = coalesce(e.size, EXCLUDED.size)
RETURNING e.id, e.tenant_id, e.finished_at, coalesce(e.size, 0) AS size, e.xmax = 0 AS inserted
)
SELECT w.tenant_id, count(*) AS finished, sum(w.size) AS bytes
FROM written w
WHERE w.finished_at IS NOT NULL
    -- This sees the table as it was before the statement.
    AND (w.inserted OR EXISTS (SELECT 1 FROM ingest.events o WHERE o.id = w.id AND o.finished_at IS NULL))
GROUP BY w.tenant_id

-- The first note of each event stays. An event older than $5 without a row was deleted by retention.
-- name: note_repeats
INSERT INTO ingest.events AS e (id, tenant_id, repeat_differed_at, repeat_type)
SELECT t.id, t.tenant_id, 'epoch'::timestamptz + t.at_us * interval '1 microsecond', t.event_type
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS t (id, tenant_id, at_us, event_type)
WHERE t.id >= $5::uuid OR EXISTS (SELECT 1 FROM ingest.events o WHERE o.id = t.id)
ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET
    repeat_differed_at = EXCLUDED.repeat_differed_at,
    repeat_type = EXCLUDED.repeat_type
WHERE e.repeat_differed_at IS NULL

-- Finishes rows that were made for records so late that retention had deleted the event, so that retention deletes
-- them.
-- name: finish_late
UPDATE ingest.events SET finished_at = now()
WHERE id = ANY ($1::uuid[]) AND finished_at IS NULL AND accepted_at IS NULL AND routed_at IS NULL

-- The serialised event; not of an erased recipient.
-- name: insert_payloads
INSERT INTO ingest.event_payloads (tenant_id, event_id, event)
SELECT t.tenant_id, t.event_id, t.event
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS t (tenant_id, event_id, event)
ORDER BY t.tenant_id, t.event_id
ON CONFLICT (tenant_id, event_id) DO NOTHING

-- A status of a higher rank replaces one of a lower rank; a replay starts over.
-- name: upsert_deliveries
INSERT INTO ingest.deliveries AS d (
    id, event_id, tenant_id, channel, status, reason, provider, attempts, replay,
    template_version_id, provider_id, updated_at
)
SELECT
    t.id, t.event_id, t.tenant_id, t.channel, t.status, t.reason, t.provider, t.attempts, t.replay,
    t.template_version_id, t.provider_id, 'epoch'::timestamptz + t.updated_us * interval '1 microsecond'
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::smallint[], $6::text[], $7::text[], $8::smallint[],
    $9::smallint[], $10::text[], $11::text[], $12::bigint[]
) AS t (
    id, event_id, tenant_id, channel, status, reason, provider, attempts, replay,
    template_version_id, provider_id, updated_us
)
ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET
    status = CASE WHEN (EXCLUDED.replay, ingest.status_rank(EXCLUDED.status), EXCLUDED.attempts)
            > (d.replay, ingest.status_rank(d.status), d.attempts)
        THEN EXCLUDED.status ELSE d.status END,
    reason = CASE WHEN (EXCLUDED.replay, ingest.status_rank(EXCLUDED.status), EXCLUDED.attempts)
            > (d.replay, ingest.status_rank(d.status), d.attempts)
        THEN EXCLUDED.reason ELSE d.reason END,
    provider = CASE WHEN (EXCLUDED.replay, ingest.status_rank(EXCLUDED.status), EXCLUDED.attempts)
            > (d.replay, ingest.status_rank(d.status), d.attempts)
        THEN EXCLUDED.provider ELSE d.provider END,
    attempts = greatest(d.attempts, EXCLUDED.attempts),
    replay = greatest(d.replay, EXCLUDED.replay),
    template_version_id = coalesce(d.template_version_id, EXCLUDED.template_version_id),
    provider_id = coalesce(d.provider_id, EXCLUDED.provider_id),
    updated_at = greatest(d.updated_at, EXCLUDED.updated_at)

-- name: insert_attempts
INSERT INTO ingest.attempts (
    id, event_id, delivery_id, channel, attempt, replay, status, reason, detail, provider, provider_message_id,
    ended_at, wait_us, render_us, send_us, next_attempt_at, sms_segments, sms_encoding, provider_id
)
SELECT
    t.id, t.event_id, t.delivery_id, t.channel, t.attempt, t.replay, t.status, t.reason, t.detail, t.provider,
    t.provider_message_id, 'epoch'::timestamptz + t.ended_us * interval '1 microsecond',
    t.wait_us, t.render_us, t.send_us, 'epoch'::timestamptz + nullif(t.next_us, 0) * interval '1 microsecond',
    t.sms_segments, t.sms_encoding, t.provider_id
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::smallint[], $6::smallint[], $7::smallint[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
    $17::smallint[], $18::text[], $19::text[]
) AS t (
    id, event_id, delivery_id, channel, attempt, replay, status, reason, detail, provider, provider_message_id,
    ended_us, wait_us, render_us, send_us, next_us, sms_segments, sms_encoding, provider_id
)
ORDER BY t.id
ON CONFLICT (id) DO NOTHING

-- Not if an operator has replayed the delivery: an attempt that was made twice is recorded twice.
-- name: insert_dead_letter
INSERT INTO ingest.dead_letters AS l
    (delivery_id, event_id, tenant_id, channel, reason, detail, died_at, delivery)
SELECT $1, $2, $3, $4, $5, $6, 'epoch'::timestamptz + $7::bigint * interval '1 microsecond', $8
WHERE $9::smallint >= coalesce((SELECT d.replay FROM ingest.deliveries d WHERE d.id = $1), 0)
ON CONFLICT (delivery_id) DO UPDATE SET
    reason = EXCLUDED.reason, detail = EXCLUDED.detail, died_at = EXCLUDED.died_at,
    delivery = EXCLUDED.delivery, replayed_at = NULL
WHERE EXCLUDED.died_at > l.died_at

-- All statements that write several events lock them in the order of their ids, so that processes do not deadlock.
-- Also releases the quota of the events that it finishes.
-- name: finish_events
WITH ended AS (
    SELECT e.id FROM ingest.events e
    WHERE e.id = ANY ($1::uuid[]) AND e.finished_at IS NULL
        AND e.planned <= (SELECT count(*) FROM ingest.deliveries d WHERE d.event_id = e.id AND ingest.is_terminal(d.status))
    ORDER BY e.id
    FOR UPDATE
),
finished AS (
    UPDATE ingest.events e SET finished_at = now()
    FROM ended o WHERE e.id = o.id AND e.finished_at IS NULL
    RETURNING e.tenant_id, coalesce(e.size, 0) AS size
),
counted AS (
    SELECT f.tenant_id, count(*) AS n, sum(f.size) AS bytes FROM finished f GROUP BY f.tenant_id
),
locked AS (
    SELECT b.tenant_id FROM ingest.backlog b
    WHERE b.tenant_id IN (SELECT c.tenant_id FROM counted c)
    ORDER BY b.tenant_id FOR UPDATE
)
UPDATE ingest.backlog b
SET unfinished = greatest(0, b.unfinished - c.n), unfinished_bytes = greatest(0, b.unfinished_bytes - c.bytes)
FROM counted c JOIN locked l ON l.tenant_id = c.tenant_id
WHERE b.tenant_id = c.tenant_id

-- Finishes events that a crash left unfinished, of the next 5000 after $1. Returns where to continue; null: from the
-- start.
-- name: finish_forgotten
WITH page AS MATERIALIZED (
    SELECT u.id FROM ingest.events u
    WHERE u.finished_at IS NULL AND u.id > $1
    ORDER BY u.id
    LIMIT 5000
),
ended AS (
    SELECT e.id FROM ingest.events e
    WHERE e.id IN (SELECT p.id FROM page p) AND e.finished_at IS NULL AND e.routed_at < now() - interval '5 seconds'
        AND e.planned <= (SELECT count(*) FROM ingest.deliveries d WHERE d.event_id = e.id AND ingest.is_terminal(d.status))
    FOR UPDATE SKIP LOCKED
),
finished AS (
    UPDATE ingest.events e SET finished_at = now() FROM ended o WHERE e.id = o.id
)
SELECT p.id FROM page p ORDER BY p.id OFFSET 4999

-- Reading.

-- name: event
SELECT id, tenant_id, event_type, caller_event_id, user_id, email, phone, trace_id, accepted_at, routed_at, route_us,
    route_reason, planned, finished_at, replay_of, is_test, repeat_differed_at, repeat_type
FROM ingest.events WHERE id = $1

-- name: events_of_recipient
SELECT id, tenant_id, event_type, caller_event_id, user_id, email, phone, trace_id, accepted_at, routed_at, route_us,
    route_reason, planned, finished_at, replay_of, is_test, repeat_differed_at, repeat_type
FROM ingest.events WHERE user_id = $2 AND tenant_id = $1 AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC
LIMIT $4

-- name: deliveries
SELECT id, event_id, channel, status, reason, provider, attempts, replay, updated_at, template_version_id
FROM ingest.deliveries WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id, channel

-- name: attempts
SELECT delivery_id, channel, attempt, replay, status, reason, detail, provider, ended_at, wait_us, render_us, send_us,
    next_attempt_at, sms_segments, sms_encoding, provider_id, provider_message_id
FROM ingest.attempts WHERE event_id = $1 ORDER BY ended_at, id LIMIT 1000

-- name: events
SELECT id, tenant_id, event_type, caller_event_id, user_id, email, phone, trace_id, accepted_at, routed_at, route_us,
    route_reason, planned, finished_at, replay_of, is_test
FROM ingest.events e
WHERE e.accepted_at IS NOT NULL
    AND ($1::uuid IS NULL OR e.tenant_id = $1)
    AND ($2::text IS NULL OR e.event_type = $2)
    AND ($3::text IS NULL OR e.user_id = $3 OR e.email = $3 OR e.phone = $3)
    AND ($4::smallint IS NULL OR EXISTS (
        SELECT 1 FROM ingest.deliveries d WHERE d.event_id = e.id AND d.status = $4
    ))
    AND ($5::bigint IS NULL OR e.accepted_at >= 'epoch'::timestamptz + $5 * interval '1 microsecond')
    AND ($6::bigint IS NULL OR e.accepted_at < 'epoch'::timestamptz + $6 * interval '1 microsecond')
    -- $8: $7 if it is a UUID.
    AND ($7::text IS NULL OR e.caller_event_id = $7 OR e.id = $8::uuid)
    AND ($9::uuid IS NULL OR e.id < $9)
ORDER BY e.id DESC
LIMIT $10

-- name: replays_of
SELECT id, accepted_at FROM ingest.events WHERE replay_of = $1 AND accepted_at IS NOT NULL ORDER BY id LIMIT 100

-- name: states
SELECT id, status FROM ingest.deliveries WHERE id = ANY ($1::uuid[])

-- name: payload
SELECT event FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = $2

-- name: dead_letters
SELECT delivery_id, event_id, tenant_id, channel, reason, detail, died_at
FROM ingest.dead_letters l
WHERE l.replayed_at IS NULL
    AND ($1::uuid IS NULL OR l.tenant_id = $1)
    AND ($2::bigint IS NULL OR (l.died_at, l.delivery_id) < ('epoch'::timestamptz + $2 * interval '1 microsecond', $3::uuid))
ORDER BY l.died_at DESC, l.delivery_id DESC
LIMIT $4

-- Locks the event first, as the ledger does; retention skips locked events.
-- name: lock_event_of_dead_letter
SELECT e.id FROM ingest.events e
WHERE e.id = (SELECT l.event_id FROM ingest.dead_letters l WHERE l.delivery_id = $1)
FOR UPDATE

-- name: dead_letter_for_update
SELECT delivery FROM ingest.dead_letters WHERE delivery_id = $1 AND replayed_at IS NULL FOR UPDATE

-- name: mark_replayed
UPDATE ingest.dead_letters SET replayed_at = now() WHERE delivery_id = $1

-- Reopens the delivery's event. Returns its tenant and size if it was finished.
-- name: requeue_delivery
WITH queued AS (
    UPDATE ingest.deliveries SET status = $3, reason = '', replay = $2, updated_at = now()
    WHERE id = $1 AND replay < $2
    RETURNING event_id
)
UPDATE ingest.events e SET finished_at = NULL
FROM queued q WHERE e.id = q.event_id AND e.finished_at IS NOT NULL AND e.planned IS NOT NULL
RETURNING e.tenant_id, coalesce(e.size, 0) AS size

-- name: count_again
UPDATE ingest.backlog SET unfinished = unfinished + 1, unfinished_bytes = unfinished_bytes + $2 WHERE tenant_id = $1
