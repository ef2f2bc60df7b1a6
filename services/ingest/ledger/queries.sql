-- Arguments that are times: Unix microseconds.

-- Also stores the events' recipients: in one statement, because nearly every event has one.
-- Returns by tenant what to take off the backlog: finished events and their bytes, and events that waited until this
-- planned them (due), which are unfinished from now on. An event that was finished, released or planned before (a
-- redelivery) is not counted again. Columns that are empty arrays are null. secrets: the tenant's events with a secret
-- that have ended.
-- name: upsert_events
WITH people AS (
INSERT INTO ingest.recipients AS r (event_id, destination, tenant_id, user_id, addresses)
SELECT t.event_id, t.destination, t.tenant_id, t.user_id, t.addresses::jsonb
FROM unnest($19::uuid[], $20::text[], $21::uuid[], $22::text[], $23::text[])
    AS t (event_id, destination, tenant_id, user_id, addresses)
ORDER BY t.event_id, t.destination
ON CONFLICT (event_id, destination) DO UPDATE SET addresses = r.addresses || EXCLUDED.addresses
WHERE NOT r.addresses @> EXCLUDED.addresses
),
written AS (
INSERT INTO ingest.events AS e (
    id, tenant_id, event_type, caller_event_id, trace_id, accepted_at, routed_at, route_us, route_reason,
    planned, total, finished_at, replay_of, is_test, size, is_shared, due_at, canceled_at, canceled_by, metadata,
    is_released, has_workflows, is_secret
)
SELECT
    t.id, t.tenant_id, t.event_type, t.caller_event_id, t.trace_id,
    'epoch'::timestamptz + t.accepted_us * interval '1 microsecond',
    'epoch'::timestamptz + t.routed_us * interval '1 microsecond',
    t.route_us,
    -- Not null: an update that does not change it keeps the row's index entries.
    coalesce(t.route_reason, ''),
    -- Of small plans also as processes of the version before read it.
    CASE WHEN t.total <= 500 THEN t.total END, t.total,
    'epoch'::timestamptz + t.finished_us * interval '1 microsecond',
    t.replay_of, t.is_test, t.size, t.is_shared,
    'epoch'::timestamptz + t.due_us * interval '1 microsecond',
    'epoch'::timestamptz + t.canceled_us * interval '1 microsecond', t.canceled_by, t.metadata::jsonb, t.is_released,
    t.has_workflows, t.is_secret
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[],
    $10::integer[], $11::bigint[], $12::uuid[], $13::boolean[], $14::integer[], $15::boolean[], $16::bigint[],
    $17::bigint[], $18::text[], $24::text[], $25::boolean[], $26::boolean[], $27::boolean[]
) AS t (
    id, tenant_id, event_type, caller_event_id, trace_id, accepted_us, routed_us, route_us, route_reason,
    total, finished_us, replay_of, is_test, size, is_shared, due_us, canceled_us, canceled_by, metadata, is_released,
    has_workflows, is_secret
)
ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET
    event_type = coalesce(e.event_type, EXCLUDED.event_type),
    caller_event_id = coalesce(e.caller_event_id, EXCLUDED.caller_event_id),
    trace_id = coalesce(e.trace_id, EXCLUDED.trace_id),
    accepted_at = coalesce(e.accepted_at, EXCLUDED.accepted_at),
    routed_at = coalesce(e.routed_at, EXCLUDED.routed_at),
    route_us = coalesce(e.route_us, EXCLUDED.route_us),
    -- Of a plan in several records the last one may have a reason.
    route_reason = coalesce(nullif(e.route_reason, ''), EXCLUDED.route_reason, e.route_reason),
    planned = coalesce(e.planned, EXCLUDED.planned),
    total = coalesce(e.total, EXCLUDED.total),
    -- A row that is finished without a plan was made for a late record (finish_late). A process of the version before
    -- takes the first record of a plan of several for the whole.
    finished_at = CASE WHEN e.total IS NULL AND EXCLUDED.total IS NOT NULL AND e.planned IS DISTINCT FROM EXCLUDED.total
        THEN EXCLUDED.finished_at ELSE coalesce(e.finished_at, EXCLUDED.finished_at) END,
    replay_of = coalesce(e.replay_of, EXCLUDED.replay_of),
    is_test = coalesce(e.is_test, EXCLUDED.is_test),
    size = coalesce(e.size, EXCLUDED.size),
    is_shared = coalesce(e.is_shared, EXCLUDED.is_shared),
    due_at = greatest(e.due_at, EXCLUDED.due_at),
    -- Whose event it is says the event itself; a cancellation of another tenant's is none.
    tenant_id = CASE WHEN e.accepted_at IS NULL AND EXCLUDED.accepted_at IS NOT NULL
        THEN EXCLUDED.tenant_id ELSE e.tenant_id END,
    canceled_at = CASE WHEN e.tenant_id = EXCLUDED.tenant_id THEN coalesce(e.canceled_at, EXCLUDED.canceled_at)
        WHEN EXCLUDED.accepted_at IS NULL THEN e.canceled_at END,
    canceled_by = CASE WHEN e.tenant_id = EXCLUDED.tenant_id THEN coalesce(e.canceled_by, EXCLUDED.canceled_by)
        WHEN EXCLUDED.accepted_at IS NULL THEN e.canceled_by END,
    metadata = coalesce(e.metadata, EXCLUDED.metadata),
    is_released = coalesce(e.is_released, EXCLUDED.is_released),
    has_workflows = coalesce(e.has_workflows, EXCLUDED.has_workflows),
    is_secret = coalesce(e.is_secret, EXCLUDED.is_secret),
    -- From the row, not from a query: another process may have written it since this statement began.
    was_finished = e.finished_at IS NOT NULL OR e.is_released IS TRUE,
    was_due = e.due_at IS NOT NULL AND e.routed_at IS NOT NULL
RETURNING e.tenant_id, coalesce(e.size, 0) AS size, CASE WHEN e.is_secret AND e.finished_at IS NOT NULL THEN e.id END AS secret,
    (e.finished_at IS NOT NULL OR e.is_released IS TRUE) AND e.was_finished IS NOT TRUE AS is_finished,
    e.due_at IS NOT NULL AND e.routed_at IS NOT NULL AND e.was_due IS NOT TRUE AS is_due
)
SELECT c.tenant_id,
    count(*) FILTER (WHERE c.is_finished) - count(*) FILTER (WHERE c.is_due) AS finished,
    coalesce(sum(c.size) FILTER (WHERE c.is_finished), 0) - coalesce(sum(c.size) FILTER (WHERE c.is_due), 0) AS bytes,
    count(*) FILTER (WHERE c.is_due) AS due,
    array_agg(c.secret) FILTER (WHERE c.secret IS NOT NULL) AS secrets
FROM written c
WHERE c.is_finished OR c.is_due OR c.secret IS NOT NULL
GROUP BY c.tenant_id

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

-- Finishes rows that were made for records of events that retention had deleted, or that never were, so that retention
-- deletes them.
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

-- A status of a higher rank replaces one of a lower rank; a replay starts over. Also keeps the counters of events whose
-- plan came in several records: what a delivery is counted under stands in its own row, so that a repeat, or another
-- order, never counts it twice. One that waits in a row of the senders is counted under 0. Columns that are empty
-- arrays are null.
-- name: upsert_deliveries
WITH written AS (
INSERT INTO ingest.deliveries AS d (
    id, event_id, tenant_id, channel, status, reason, provider, attempts, replay,
    template_version_id, provider_id, updated_at, destination, step, counted, endpoint_id, tried,
    parked_turn, parked_at, parked_reason, parked_until, first_attempt_at, next_attempt_at, sent_at,
    workflow_id, workflow_run_id
)
SELECT
    t.id, t.event_id, t.tenant_id, t.channel, t.status, t.reason, t.provider, t.attempts, t.replay,
    t.template_version_id, t.provider_id, 'epoch'::timestamptz + t.updated_us * interval '1 microsecond',
    t.destination, t.step,
    CASE WHEN t.is_part THEN CASE WHEN t.parked_turn > coalesce(t.tried, -1) THEN 0 ELSE t.status END END,
    t.endpoint_id, t.tried, t.parked_turn, 'epoch'::timestamptz + t.parked_us * interval '1 microsecond',
    t.parked_reason, 'epoch'::timestamptz + t.until_us * interval '1 microsecond',
    'epoch'::timestamptz + t.first_us * interval '1 microsecond',
    'epoch'::timestamptz + t.next_us * interval '1 microsecond',
    'epoch'::timestamptz + t.sent_us * interval '1 microsecond',
    t.workflow_id, t.workflow_run_id
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::smallint[], $6::text[], $7::text[], $8::smallint[],
    $9::smallint[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::boolean[],
    $16::uuid[], $17::integer[], $18::integer[], $19::bigint[], $20::text[], $21::bigint[],
    $22::bigint[], $23::bigint[], $24::bigint[], $25::uuid[], $26::uuid[]
) AS t (
    id, event_id, tenant_id, channel, status, reason, provider, attempts, replay,
    template_version_id, provider_id, updated_us, destination, step, is_part,
    endpoint_id, tried, parked_turn, parked_us, parked_reason, until_us, first_us, next_us, sent_us,
    workflow_id, workflow_run_id
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
    updated_at = greatest(d.updated_at, EXCLUDED.updated_at),
    destination = coalesce(d.destination, EXCLUDED.destination),
    step = coalesce(d.step, EXCLUDED.step),
    endpoint_id = coalesce(d.endpoint_id, EXCLUDED.endpoint_id),
    tried = greatest(d.tried, EXCLUDED.tried),
    parked_turn = greatest(d.parked_turn, EXCLUDED.parked_turn),
    parked_at = CASE WHEN d.parked_turn IS NULL
            OR (EXCLUDED.parked_turn, EXCLUDED.parked_at) > (d.parked_turn, d.parked_at)
        THEN EXCLUDED.parked_at ELSE d.parked_at END,
    parked_reason = CASE WHEN d.parked_turn IS NULL
            OR (EXCLUDED.parked_turn, EXCLUDED.parked_at) > (d.parked_turn, d.parked_at)
        THEN EXCLUDED.parked_reason ELSE d.parked_reason END,
    parked_until = CASE WHEN d.parked_turn IS NULL
            OR (EXCLUDED.parked_turn, EXCLUDED.parked_at) > (d.parked_turn, d.parked_at)
        THEN EXCLUDED.parked_until ELSE d.parked_until END,
    first_attempt_at = least(d.first_attempt_at, EXCLUDED.first_attempt_at),
    next_attempt_at = CASE WHEN (EXCLUDED.replay, ingest.status_rank(EXCLUDED.status), EXCLUDED.attempts)
            > (d.replay, ingest.status_rank(d.status), d.attempts)
        THEN EXCLUDED.next_attempt_at ELSE d.next_attempt_at END,
    sent_at = least(d.sent_at, EXCLUDED.sent_at),
    workflow_id = coalesce(d.workflow_id, EXCLUDED.workflow_id),
    workflow_run_id = coalesce(d.workflow_run_id, EXCLUDED.workflow_run_id),
    counted_before = d.counted,
    -- Null while no record says that the plan has several; else the new status, as above.
    counted = CASE WHEN coalesce(d.counted, EXCLUDED.counted) IS NULL THEN NULL
        WHEN greatest(d.parked_turn, EXCLUDED.parked_turn) > coalesce(greatest(d.tried, EXCLUDED.tried), -1) THEN 0
        WHEN (EXCLUDED.replay, ingest.status_rank(EXCLUDED.status), EXCLUDED.attempts)
            > (d.replay, ingest.status_rank(d.status), d.attempts)
        THEN EXCLUDED.status ELSE d.status END
RETURNING d.event_id, d.counted, d.counted_before, d.workflow_id, d.step, d.channel
),
{count_events}
{count_workflows}

-- name: insert_unknown
INSERT INTO ingest.unknown_records (id, is_event, record)
SELECT t.id, t.is_event, t.record FROM unnest($1::text[], $2::boolean[], $3::bytea[]) AS t (id, is_event, record)
ON CONFLICT (id) DO NOTHING

-- name: unknown_records
SELECT id, is_event, record FROM ingest.unknown_records WHERE id > $1 ORDER BY id LIMIT 500

-- name: delete_unknown
DELETE FROM ingest.unknown_records WHERE id = ANY ($1::text[])

-- name: insert_attempts
INSERT INTO ingest.attempts (
    id, event_id, delivery_id, channel, attempt, replay, status, reason, detail, provider, provider_message_id,
    ended_at, wait_us, render_us, send_us, next_attempt_at, sms_segments, sms_encoding, provider_id,
    http_status, http_url, http_answer
)
SELECT
    t.id, t.event_id, t.delivery_id, t.channel, t.attempt, t.replay, t.status, t.reason, t.detail, t.provider,
    t.provider_message_id, 'epoch'::timestamptz + t.ended_us * interval '1 microsecond',
    t.wait_us, t.render_us, t.send_us, 'epoch'::timestamptz + nullif(t.next_us, 0) * interval '1 microsecond',
    t.sms_segments, t.sms_encoding, t.provider_id, t.http_status, t.http_url, t.http_answer
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::smallint[], $6::smallint[], $7::smallint[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
    $17::smallint[], $18::text[], $19::text[], $20::smallint[], $21::text[], $22::bytea[]
) AS t (
    id, event_id, delivery_id, channel, attempt, replay, status, reason, detail, provider, provider_message_id,
    ended_us, wait_us, render_us, send_us, next_us, sms_segments, sms_encoding, provider_id,
    http_status, http_url, http_answer
)
ORDER BY t.id
ON CONFLICT (id) DO NOTHING

-- Not if an operator has replayed the delivery: an attempt that was made twice is recorded twice.
-- name: insert_dead_letter
INSERT INTO ingest.dead_letters AS l
    (delivery_id, event_id, tenant_id, channel, reason, detail, died_at, delivery, event_type, provider, endpoint_id)
SELECT $1, $2, $3, $4, $5, $6, 'epoch'::timestamptz + $7::bigint * interval '1 microsecond', $8, $10, $11, $12
WHERE $9::smallint >= coalesce((SELECT d.replay FROM ingest.deliveries d WHERE d.id = $1), 0)
ON CONFLICT (delivery_id) DO UPDATE SET
    reason = EXCLUDED.reason, detail = EXCLUDED.detail, died_at = EXCLUDED.died_at,
    delivery = EXCLUDED.delivery, replayed_at = NULL, event_type = EXCLUDED.event_type,
    provider = EXCLUDED.provider, endpoint_id = EXCLUDED.endpoint_id
WHERE EXCLUDED.died_at > l.died_at

-- An event is finished when its plan is closed, and all of its deliveries are known and none is open. It is released if
-- some are open and all of these wait in rows of the senders. state: 1 released, 2 finished.
-- All statements that write several events lock them in the order of their ids, so that processes do not deadlock.
-- Also takes the events that it finishes or releases off the quota, each once, and deletes the payloads of secrets.
-- name: finish_events
WITH ended AS (
    SELECT e.id, s.state, e.is_released IS TRUE AS was_released
    FROM ingest.events e
    CROSS JOIN LATERAL (
        {state}
    ) AS s
    WHERE e.id = ANY ($1::uuid[]) AND e.finished_at IS NULL
        AND coalesce(e.total, e.planned) IS NOT NULL
        AND s.state > (e.is_released IS TRUE)::integer
    ORDER BY e.id
    FOR UPDATE OF e
),
finished AS (
    UPDATE ingest.events e SET finished_at = CASE WHEN o.state = 2 THEN now() END,
        is_released = CASE WHEN o.state = 1 THEN true ELSE e.is_released END
    FROM ended o WHERE e.id = o.id AND e.finished_at IS NULL
    RETURNING e.id, e.tenant_id, coalesce(e.size, 0) AS size, o.was_released, e.finished_at IS NOT NULL AND e.is_secret AS is_over
),
forgotten AS (
    DELETE FROM ingest.event_payloads p USING finished f
    WHERE f.is_over AND p.tenant_id = f.tenant_id AND p.event_id = f.id
),
counted AS (
    SELECT f.tenant_id, count(*) AS n, sum(f.size) AS bytes FROM finished f WHERE NOT f.was_released GROUP BY f.tenant_id
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

-- Of the event e, by its counters where it has them: 0 something is open, 1 what is open waits, 2 all have ended.
-- OFFSET 0: evaluated once for each event.
-- name: state
SELECT CASE WHEN EXISTS (SELECT 1 FROM ingest.event_counts c WHERE c.event_id = e.id)
    THEN (
        SELECT CASE
            WHEN sum(c.n) < e.total OR e.total IS NULL
                OR sum(c.n) FILTER (WHERE c.status <> 0 AND NOT ingest.is_terminal(c.status)) > 0 THEN 0
            WHEN sum(c.n) FILTER (WHERE c.status = 0) > 0 THEN 1
            ELSE 2 END
        FROM ingest.event_counts c WHERE c.event_id = e.id
    )
    ELSE (
        SELECT CASE
            WHEN count(*) < coalesce(e.total, e.planned)
                OR count(*) FILTER (
                    WHERE NOT ingest.is_terminal(d.status) AND (d.parked_turn > coalesce(d.tried, -1)) IS NOT TRUE
                ) > 0 THEN 0
            WHEN count(*) FILTER (WHERE NOT ingest.is_terminal(d.status)) > 0 THEN 1
            ELSE 2 END
        FROM ingest.deliveries d WHERE d.event_id = e.id
    ) END AS state
OFFSET 0

-- Finishes or releases events that a crash left unfinished, of the next 5000 after $1, and rows of which there is nothing but that
-- they were canceled. Returns where to continue; null: from the start.
-- name: finish_forgotten
WITH page AS MATERIALIZED (
    SELECT u.id FROM ingest.events u
    WHERE u.finished_at IS NULL AND u.id > $1
    ORDER BY u.id
    LIMIT 5000
),
ended AS (
    SELECT e.id, CASE WHEN e.accepted_at IS NULL AND e.routed_at IS NULL THEN 2 ELSE s.state END AS state
    FROM ingest.events e
    CROSS JOIN LATERAL (
        {state}
    ) AS s
    WHERE e.id IN (SELECT p.id FROM page p) AND e.finished_at IS NULL
        -- Before the state is computed: most of them are on their way.
        AND (e.routed_at < now() - interval '5 seconds' OR e.routed_at IS NULL AND e.accepted_at IS NULL) AND (
        e.accepted_at IS NULL AND e.routed_at IS NULL AND e.canceled_at < now() - interval '1 day'
        OR e.routed_at < now() - interval '5 seconds'
            AND coalesce(e.total, e.planned) IS NOT NULL
            AND s.state > (e.is_released IS TRUE)::integer
    )
    FOR UPDATE OF e SKIP LOCKED
),
finished AS (
    UPDATE ingest.events e SET finished_at = CASE WHEN o.state = 2 THEN now() END,
        is_released = CASE WHEN o.state = 1 THEN true ELSE e.is_released END
    FROM ended o WHERE e.id = o.id
    RETURNING e.id, e.tenant_id, e.finished_at IS NOT NULL AND e.is_secret AS is_over
),
forgotten AS (
    DELETE FROM ingest.event_payloads p USING finished f
    WHERE f.is_over AND p.tenant_id = f.tenant_id AND p.event_id = f.id
)
SELECT p.id FROM page p ORDER BY p.id OFFSET 4999

-- Counts the deliveries again of one event that is long unfinished: a process of an earlier version does not keep the
-- counters.
-- name: recount_event
WITH stale AS (
    SELECT e.id FROM ingest.events e
    WHERE e.finished_at IS NULL AND e.is_shared AND e.routed_at < now() - interval '10 minutes'
        AND EXISTS (SELECT 1 FROM ingest.event_counts c WHERE c.event_id = e.id)
    ORDER BY random()
    LIMIT 1
),
locked AS (
    SELECT d.id FROM ingest.deliveries d
    WHERE d.event_id IN (SELECT s.id FROM stale s) AND d.counted IS DISTINCT FROM
        CASE WHEN d.parked_turn > coalesce(d.tried, -1) THEN 0 ELSE d.status END
    ORDER BY d.id
    FOR UPDATE
),
written AS (
    UPDATE ingest.deliveries d SET counted_before = d.counted,
        counted = CASE WHEN d.parked_turn > coalesce(d.tried, -1) THEN 0 ELSE d.status END
    FROM locked l WHERE d.id = l.id
    RETURNING d.event_id, d.counted, d.counted_before, d.workflow_id, d.step, d.channel
),
{count_events}
{count_workflows}
