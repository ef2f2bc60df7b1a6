-- Admission.

-- name: admit
SELECT ordinal, event_id, verdict FROM ingest.admit($1::uuid[], $2::bytea[], $3::uuid[])

-- Takes back what was admitted past the quota.
-- name: withdraw
WITH gone AS (
    DELETE FROM ingest.admission m
    USING unnest($1::uuid[], $2::bytea[], $3::uuid[]) AS t (tenant_id, key_hash, event_id)
    WHERE m.tenant_id = t.tenant_id AND m.key_hash = t.key_hash AND m.event_id = t.event_id AND NOT m.stored
    RETURNING m.tenant_id
),
counts AS (
    SELECT g.tenant_id, count(*) AS n FROM gone g GROUP BY g.tenant_id
),
locked AS (
    SELECT b.tenant_id FROM ingest.backlog b
    WHERE b.tenant_id IN (SELECT c.tenant_id FROM counts c)
    ORDER BY b.tenant_id FOR UPDATE
)
UPDATE ingest.backlog b SET unfinished = greatest(0, b.unfinished - c.n)
FROM counts c JOIN locked l ON l.tenant_id = c.tenant_id
WHERE b.tenant_id = c.tenant_id

-- The ledger knows that these reached EVENTS; also adds what admission could not write.
-- name: mark_stored
INSERT INTO ingest.admission AS m (tenant_id, key_hash, event_id, stored, created_at)
SELECT t.tenant_id, t.key_hash, t.event_id, true, 'epoch'::timestamptz + t.created_us * interval '1 microsecond'
FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::bigint[]) AS t (tenant_id, key_hash, event_id, created_us)
ORDER BY t.tenant_id, t.key_hash
ON CONFLICT (tenant_id, key_hash) DO UPDATE SET stored = true
WHERE m.event_id = EXCLUDED.event_id AND NOT m.stored

-- name: release_backlog
WITH locked AS (
    SELECT b.tenant_id FROM ingest.backlog b WHERE b.tenant_id = ANY ($1::uuid[]) ORDER BY b.tenant_id FOR UPDATE
)
UPDATE ingest.backlog b SET unfinished = greatest(0, b.unfinished - t.n)
FROM unnest($1::uuid[], $2::bigint[]) AS t (tenant_id, n)
JOIN locked l ON l.tenant_id = t.tenant_id
WHERE b.tenant_id = t.tenant_id

-- The janitor's.

-- name: sweep_admission
DELETE FROM ingest.admission m
WHERE m.ctid = ANY (ARRAY(
    SELECT s.ctid FROM ingest.admission s
    WHERE s.created_at < now() - interval '25 hours'
    LIMIT 5000
))

-- Counts anew from the ledger, and from what was admitted within the last minute and the ledger has not read yet.
-- name: recount_backlog
WITH truth AS (
    SELECT u.tenant_id, count(*) AS n
    FROM (
        SELECT e.tenant_id, e.id FROM ingest.events e WHERE e.finished_at IS NULL
        UNION
        SELECT m.tenant_id, m.event_id FROM ingest.admission m
        WHERE NOT m.stored AND m.created_at > now() - interval '1 minute'
    ) AS u
    GROUP BY u.tenant_id
)
UPDATE ingest.backlog b SET unfinished = coalesce((SELECT t.n FROM truth t WHERE t.tenant_id = b.tenant_id), 0)
WHERE b.unfinished <> coalesce((SELECT t.n FROM truth t WHERE t.tenant_id = b.tenant_id), 0)
