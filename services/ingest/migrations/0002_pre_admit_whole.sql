-- What is past the quota is taken back in the same transaction: another process that asks for the same key
-- meanwhile waits for it and never sees the claim. Same answers as before.

CREATE OR REPLACE FUNCTION ingest.admit(tenants uuid[], keys bytea[], events uuid[])
RETURNS TABLE (ordinal bigint, event_id uuid, verdict text)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    ids uuid[];
    verdicts text[];
BEGIN
    WITH asked AS (
        SELECT t.tenant_id, t.key_hash, t.event_id, t.ordinal
        FROM unnest(tenants, keys, events) WITH ORDINALITY AS t (tenant_id, key_hash, event_id, ordinal)
    ),
    claimed AS (
        INSERT INTO ingest.admission AS m (tenant_id, key_hash, event_id)
        SELECT a.tenant_id, a.key_hash, a.event_id
        FROM asked a
        ORDER BY a.tenant_id, a.key_hash  -- the same order everywhere, so that groups do not deadlock
        ON CONFLICT (tenant_id, key_hash) DO UPDATE SET
            event_id = CASE WHEN m.created_at < now() - interval '24 hours' THEN EXCLUDED.event_id ELSE m.event_id END,
            stored = m.stored AND m.created_at >= now() - interval '24 hours',
            created_at = CASE WHEN m.created_at < now() - interval '24 hours' THEN now() ELSE m.created_at END
        RETURNING m.tenant_id, m.key_hash, m.event_id, m.stored
    ),
    answered AS (
        SELECT
            a.ordinal,
            a.tenant_id,
            c.event_id,
            c.stored,
            c.event_id = a.event_id AS fresh,
            row_number() OVER (PARTITION BY a.tenant_id, c.event_id = a.event_id ORDER BY a.ordinal) AS place
        FROM asked a
        JOIN claimed c ON c.tenant_id = a.tenant_id AND c.key_hash = a.key_hash
    ),
    demand AS (
        SELECT n.tenant_id, count(*) AS wanted FROM answered n WHERE n.fresh GROUP BY n.tenant_id
    ),
    locked AS (
        SELECT b.tenant_id, b.unfinished, t.max_unfinished_events
        FROM ingest.backlog b
        JOIN ingest.tenants t ON t.id = b.tenant_id
        WHERE b.tenant_id IN (SELECT d.tenant_id FROM demand d)
        ORDER BY b.tenant_id
        FOR UPDATE OF b
    ),
    counted AS (
        UPDATE ingest.backlog b
        SET unfinished = l.unfinished + least(d.wanted, greatest(0, l.max_unfinished_events - l.unfinished))
        FROM demand d
        JOIN locked l ON l.tenant_id = d.tenant_id
        WHERE b.tenant_id = d.tenant_id
    )
    SELECT
        array_agg(n.event_id ORDER BY n.ordinal),
        array_agg(
            CASE
                WHEN NOT n.fresh AND n.stored THEN 'stored'
                WHEN NOT n.fresh THEN 'pending'
                WHEN n.place <= l.max_unfinished_events - l.unfinished THEN 'new'
                ELSE 'limited'
            END
            ORDER BY n.ordinal
        )
    INTO ids, verdicts
    FROM answered n
    LEFT JOIN locked l ON l.tenant_id = n.tenant_id;

    IF 'limited' = ANY (verdicts) THEN
        DELETE FROM ingest.admission m
        USING unnest(tenants, keys, ids, verdicts) AS t (tenant_id, key_hash, event_id, verdict)
        WHERE t.verdict = 'limited'
            AND m.tenant_id = t.tenant_id AND m.key_hash = t.key_hash AND m.event_id = t.event_id;
    END IF;

    RETURN QUERY
    SELECT t.ordinal, t.event_id, t.verdict
    FROM unnest(ids, verdicts) WITH ORDINALITY AS t (event_id, verdict, ordinal)
    ORDER BY t.ordinal;
END
$$;
