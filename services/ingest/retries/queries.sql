-- Sending again deliveries that have ended, under their ids.

-- Locks the event first, as the ledger does; retention skips locked events.
-- name: lock_event_of_dead_letter
SELECT e.id FROM ingest.events e
WHERE e.id = (SELECT l.event_id FROM ingest.dead_letters l WHERE l.delivery_id = $1)
FOR UPDATE

-- name: dead_letter_for_update
SELECT delivery FROM ingest.dead_letters WHERE delivery_id = $1 AND replayed_at IS NULL FOR UPDATE

-- name: lock_events_of_dead_letters
SELECT e.id FROM ingest.events e
WHERE e.id IN (SELECT l.event_id FROM ingest.dead_letters l WHERE l.delivery_id = ANY ($1::uuid[]))
ORDER BY e.id
FOR UPDATE

-- name: dead_letters_for_update
SELECT l.delivery_id, l.delivery, EXISTS (
        SELECT 1 FROM ingest.event_payloads p WHERE p.tenant_id = l.tenant_id AND p.event_id = l.event_id
    ) AS has_payload
FROM ingest.dead_letters l
WHERE l.delivery_id = ANY ($1::uuid[]) AND l.replayed_at IS NULL
ORDER BY l.delivery_id
FOR UPDATE OF l

-- name: has_payload
SELECT EXISTS (SELECT 1 FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = $2)

-- name: mark_replayed
UPDATE ingest.dead_letters SET replayed_at = now() WHERE delivery_id = ANY ($1::uuid[]) AND replayed_at IS NULL

-- Of a tenant's deliveries to endpoints.
-- name: lock_events
SELECT e.id FROM ingest.events e
WHERE e.id IN (
    SELECT d.event_id FROM ingest.deliveries d WHERE d.id = ANY ($2::uuid[]) AND d.tenant_id = $1 AND d.channel = 4
)
ORDER BY e.id
FOR UPDATE

-- $3: the largest payload to read, bytes.
-- name: deliveries_for_update
SELECT d.id, d.event_id, d.tenant_id, d.channel, d.status, d.reason, d.replay, d.endpoint_id, d.step,
    e.event_type, e.trace_id, e.accepted_at, octet_length(p.event) AS size,
    CASE WHEN octet_length(p.event) <= $3 THEN p.event END AS event
FROM ingest.deliveries d
JOIN ingest.events e ON e.id = d.event_id
LEFT JOIN ingest.event_payloads p ON p.tenant_id = d.tenant_id AND p.event_id = d.event_id
WHERE d.id = ANY ($2::uuid[]) AND d.tenant_id = $1 AND d.channel = 4
ORDER BY d.id
FOR UPDATE OF d

-- $1: deliveries; $2: their new replays; $3: QUEUED. Reopens their events. Returns by tenant the number of events that
-- were finished, and their bytes.
-- name: requeue
WITH written AS (
    UPDATE ingest.deliveries d SET status = $3::smallint, reason = '', replay = t.replay, updated_at = now(),
        next_attempt_at = NULL,
        counted_before = d.counted, counted = CASE WHEN d.counted IS NOT NULL THEN $3::smallint END
    FROM unnest($1::uuid[], $2::smallint[]) AS t (id, replay)
    WHERE d.id = t.id AND d.replay < t.replay
    RETURNING d.event_id, d.counted, d.counted_before, d.workflow_id, d.step, d.channel
),
{count_events},
counted AS (
    {count_workflows}
),
reopened AS (
    UPDATE ingest.events e SET finished_at = NULL, is_released = NULL
    WHERE e.id IN (SELECT w.event_id FROM written w)
        AND e.finished_at IS NOT NULL AND coalesce(e.total, e.planned) IS NOT NULL
    RETURNING e.tenant_id, coalesce(e.size, 0) AS size
)
SELECT r.tenant_id, count(*) AS events, sum(r.size)::bigint AS bytes FROM reopened r GROUP BY r.tenant_id

-- name: count_again
UPDATE ingest.backlog SET unfinished = unfinished + $2, unfinished_bytes = unfinished_bytes + $3 WHERE tenant_id = $1
