-- name: begin_entry
INSERT INTO ingest.audit (id, actor, method, route, resource, trace_id, tenant_id, actor_email)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: finish_entry
UPDATE ingest.audit SET status = $2, resource = $3, tenant_id = coalesce(nullif($4::text, ''), tenant_id), fields = $5,
    finished_at = now()
WHERE id = $1 AND finished_at IS NULL

-- name: entries
SELECT a.id, a.actor, a.method, a.route, a.resource, a.tenant_id, a.fields, a.trace_id, a.status, a.begun_at,
    a.finished_at, a.actor_email
FROM ingest.audit a
WHERE ($1::text IS NULL OR a.actor = $1 OR (a.actor_email <> '' AND lower(a.actor_email) = lower($1)))
    AND ($2::text IS NULL OR a.tenant_id = $2)
    AND ($3::text IS NULL OR a.resource = $3)
    AND ($4::text IS NULL OR a.method = $4)
    AND ($5::bigint IS NULL OR a.begun_at >= 'epoch'::timestamptz + $5 * interval '1 microsecond')
    AND ($6::bigint IS NULL OR a.begun_at < 'epoch'::timestamptz + $6 * interval '1 microsecond')
    AND ($7::uuid IS NULL OR a.id < $7)
    AND ($9::text[] IS NULL OR a.method || ' ' || a.route = ANY ($9))
    AND ($11::text[] IS NULL OR a.tenant_id = ANY ($11))
ORDER BY a.id DESC
LIMIT $8 OFFSET $10

-- name: count_entries
SELECT count(*) FROM (
    SELECT 1 FROM ingest.audit a
    WHERE ($1::text IS NULL OR a.actor = $1 OR (a.actor_email <> '' AND lower(a.actor_email) = lower($1)))
        AND ($2::text IS NULL OR a.tenant_id = $2)
        AND ($3::text IS NULL OR a.resource = $3)
        AND ($4::text IS NULL OR a.method = $4)
        AND ($5::bigint IS NULL OR a.begun_at >= 'epoch'::timestamptz + $5 * interval '1 microsecond')
        AND ($6::bigint IS NULL OR a.begun_at < 'epoch'::timestamptz + $6 * interval '1 microsecond')
        AND ($7::text[] IS NULL OR a.method || ' ' || a.route = ANY ($7))
        AND ($8::text[] IS NULL OR a.tenant_id = ANY ($8))
    LIMIT 10000
) AS counted

-- name: sweep_entries
DELETE FROM ingest.audit a
WHERE a.id = ANY (ARRAY(
    SELECT s.id FROM ingest.audit s
    WHERE s.begun_at < now() - $1 * interval '1 day'
    LIMIT 5000
))
