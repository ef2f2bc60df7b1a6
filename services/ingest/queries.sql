-- Admission.

-- name: admit
SELECT ordinal, event_id, verdict, first_type, first_fingerprint, reached, limits
FROM ingest.admit(
    $1::uuid[], $2::bytea[], $3::uuid[], $4::integer[], $5::text[], $6::bytea[], $7::integer[], $8::text[],
    $9::integer[], $10::boolean[], $11::text[], $12
)

-- name: known
SELECT m.tenant_id, m.key_hash, m.event_id, m.event_type, m.fingerprint
FROM (SELECT DISTINCT k.tenant_id, k.key_hash FROM unnest($1::uuid[], $2::bytea[]) AS k (tenant_id, key_hash)) AS asked
JOIN ingest.admission m ON m.tenant_id = asked.tenant_id AND m.key_hash = asked.key_hash
WHERE m.stored AND ingest.key_expiry(m.created_at, m.expires_at) > ingest.clock()

-- The broker knew the key and admission did not, because the row was lost or never written: the first event is another
-- one. Or it is the same event with another body than the row says.
-- name: correct
WITH corrected AS (
    UPDATE ingest.admission SET event_id = $4, stored = true, event_type = $5, fingerprint = $6
    WHERE tenant_id = $1 AND key_hash = $2 AND event_id = $3
    RETURNING tenant_id, size, scheduled
)
UPDATE ingest.backlog b
SET unfinished = greatest(0, b.unfinished - (NOT c.scheduled)::integer),
    unfinished_bytes = greatest(0, b.unfinished_bytes - CASE WHEN c.scheduled THEN 0 ELSE c.size END),
    scheduled = greatest(0, b.scheduled - c.scheduled::integer)
FROM corrected c WHERE b.tenant_id = c.tenant_id AND $3::uuid <> $4::uuid

-- For an event whose key has no fingerprint, because it was accepted while PostgreSQL was away.
-- name: stored_event
SELECT event FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = $2

-- These events are in EVENTS. Adds rows that admission could not write, and corrects a pending row that a repeat of
-- such an event wrote before the ledger read the event.
-- name: mark_stored
INSERT INTO ingest.admission AS m (tenant_id, key_hash, event_id, stored, created_at, expires_at)
SELECT t.tenant_id, t.key_hash, t.event_id, true, c.created_at, c.created_at + make_interval(secs => t.ttl_s)
FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::bigint[], $5::integer[])
    AS t (tenant_id, key_hash, event_id, created_us, ttl_s)
CROSS JOIN LATERAL (SELECT 'epoch'::timestamptz + t.created_us * interval '1 microsecond') AS c (created_at)
ORDER BY t.tenant_id, t.key_hash
ON CONFLICT (tenant_id, key_hash) DO UPDATE SET
    stored = true,
    event_id = EXCLUDED.event_id,
    event_type = CASE WHEN m.event_id = EXCLUDED.event_id THEN m.event_type END,
    fingerprint = CASE WHEN m.event_id = EXCLUDED.event_id THEN m.fingerprint END
WHERE NOT m.stored AND m.created_at < EXCLUDED.expires_at

-- $4: events that waited for their time and are unfinished from now on.
-- name: release_backlog
WITH locked AS (
    SELECT b.tenant_id FROM ingest.backlog b WHERE b.tenant_id = ANY ($1::uuid[]) ORDER BY b.tenant_id FOR UPDATE
)
UPDATE ingest.backlog b
SET unfinished = greatest(0, b.unfinished - t.n), unfinished_bytes = greatest(0, b.unfinished_bytes - t.bytes),
    scheduled = greatest(0, b.scheduled - t.due)
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) AS t (tenant_id, n, bytes, due)
JOIN locked l ON l.tenant_id = t.tenant_id
WHERE b.tenant_id = t.tenant_id

-- For the janitor.

-- name: admission_pages
SELECT pg_relation_size('ingest.admission') / current_setting('block_size')::bigint

-- The pages from $1 up to $2. Rows that another process has locked are left for the next time, so that this waits for
-- nobody.
-- name: sweep_admission
DELETE FROM ingest.admission m
WHERE m.ctid = ANY (ARRAY(
    SELECT s.ctid FROM ingest.admission s
    WHERE s.ctid >= $1::tid AND s.ctid < $2::tid
        AND ingest.key_expiry(s.created_at, s.expires_at) < now() - interval '1 hour'
    FOR UPDATE SKIP LOCKED
))

-- Recounts from the ledger, and from events admitted within the last minute that the ledger has not read yet. Adds only
-- the difference at the start of the statement, so that concurrent changes are kept. Replays have no row of admission:
-- those that the ledger has not read yet, about 0.3 s of them, are missing until the next recount.
-- name: recount_backlog
WITH truth AS (
    SELECT u.tenant_id,
        count(*) FILTER (WHERE NOT u.waits) AS n,
        coalesce(sum(u.size) FILTER (WHERE NOT u.waits), 0)::bigint AS bytes,
        count(*) FILTER (WHERE u.waits) AS scheduled
    FROM (
        -- It waits while it has a time and nothing of it is planned.
        SELECT e.tenant_id, e.size, e.due_at IS NOT NULL AND e.routed_at IS NULL AS waits
        FROM ingest.events e
        -- Not rows of which there is nothing but a note or that they were canceled: there may be no such event.
        -- Nor released ones, which count no more.
        WHERE e.finished_at IS NULL AND e.is_released IS NOT TRUE
            AND (e.accepted_at IS NOT NULL OR e.routed_at IS NOT NULL)
        UNION ALL
        SELECT m.tenant_id, m.size, m.scheduled FROM ingest.admission m
        WHERE NOT m.stored AND m.created_at > now() - interval '1 minute'
            AND NOT EXISTS (
                SELECT 1 FROM ingest.events e
                WHERE e.id = m.event_id AND (e.accepted_at IS NOT NULL OR e.routed_at IS NOT NULL)
            )
    ) AS u
    GROUP BY u.tenant_id
),
drift AS (
    SELECT
        b.tenant_id,
        coalesce(t.n, 0) - b.unfinished AS missing,
        coalesce(t.bytes, 0) - b.unfinished_bytes AS missing_bytes,
        coalesce(t.scheduled, 0) - b.scheduled AS missing_scheduled
    FROM ingest.backlog b
    LEFT JOIN truth t ON t.tenant_id = b.tenant_id
    WHERE b.unfinished <> coalesce(t.n, 0) OR b.unfinished_bytes <> coalesce(t.bytes, 0)
        OR b.scheduled <> coalesce(t.scheduled, 0)
),
locked AS (
    SELECT b.tenant_id FROM ingest.backlog b
    WHERE b.tenant_id IN (SELECT d.tenant_id FROM drift d)
    ORDER BY b.tenant_id FOR UPDATE
)
UPDATE ingest.backlog b
SET unfinished = greatest(0, b.unfinished + d.missing),
    unfinished_bytes = greatest(0, b.unfinished_bytes + d.missing_bytes),
    scheduled = greatest(0, b.scheduled + d.missing_scheduled)
FROM drift d JOIN locked l ON l.tenant_id = d.tenant_id
WHERE b.tenant_id = d.tenant_id
