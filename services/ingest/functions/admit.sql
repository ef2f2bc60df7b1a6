-- Admits a group of events in one round trip: removes duplicates first, then applies the tenants' limits. What exceeds a
-- limit is taken back in the same transaction: another process that asks for the same key meanwhile waits for it and
-- never sees the claim. No (tenant, key) may stand twice in the arguments.
--   sizes                what each event counts against its tenant's budget of bytes
--   types, fingerprints  kept for the repeats of a key, or null
--   share                the part of that budget which counts at the moment, from 0 to 1
-- Returns one row per argument:
--   event_id      the first event's id where this is a duplicate
--   verdict       'new', 'pending' (known, not yet known to be stored), 'stored', or 'limited'
--   limited_by    'day', 'minute', 'unfinished' or 'bytes': of the limits that are reached, the one that ends last
--   bound         that limit
--   retry_after   seconds until that limit admits something again; 0: not known
--   first_type, first_fingerprint  of a duplicate: what was kept of the first event
CREATE OR REPLACE FUNCTION ingest.admit(
    tenants uuid[],
    keys bytea[],
    events uuid[],
    sizes integer[],
    types text[],
    fingerprints bytea[],
    share double precision
)
RETURNS TABLE (
    ordinal bigint,
    event_id uuid,
    verdict text,
    limited_by text,
    bound bigint,
    retry_after integer,
    first_type text,
    first_fingerprint bytea
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    ids uuid[];
    verdicts text[];
    first_types text[];
    first_fingerprints bytea[];
    asked_at timestamptz := ingest.clock();
    forgotten timestamptz := asked_at - interval '24 hours';
BEGIN
    WITH asked AS (
        SELECT t.tenant_id, t.key_hash, t.event_id, t.size, t.event_type, t.fingerprint, t.ordinal
        FROM unnest(tenants, keys, events, sizes, types, fingerprints) WITH ORDINALITY
            AS t (tenant_id, key_hash, event_id, size, event_type, fingerprint, ordinal)
    ),
    claimed AS (
        INSERT INTO ingest.admission AS m
            (tenant_id, key_hash, event_id, size, event_type, fingerprint, created_at)
        SELECT a.tenant_id, a.key_hash, a.event_id, a.size, a.event_type, a.fingerprint, asked_at
        FROM asked a
        ORDER BY a.tenant_id, a.key_hash  -- the same order everywhere, so that groups do not deadlock
        ON CONFLICT (tenant_id, key_hash) DO UPDATE SET
            event_id = CASE WHEN m.created_at < forgotten THEN EXCLUDED.event_id ELSE m.event_id END,
            size = CASE WHEN m.created_at < forgotten THEN EXCLUDED.size ELSE m.size END,
            event_type = CASE WHEN m.created_at < forgotten THEN EXCLUDED.event_type ELSE m.event_type END,
            fingerprint = CASE WHEN m.created_at < forgotten THEN EXCLUDED.fingerprint ELSE m.fingerprint END,
            stored = m.stored AND m.created_at >= forgotten,
            created_at = CASE WHEN m.created_at < forgotten THEN asked_at ELSE m.created_at END
        RETURNING m.tenant_id, m.key_hash, m.event_id, m.stored, m.event_type, m.fingerprint
    ),
    answered AS (
        SELECT
            a.ordinal,
            a.tenant_id,
            c.event_id,
            c.stored,
            c.event_type,
            c.fingerprint,
            c.event_id = a.event_id AS fresh,
            row_number() OVER (PARTITION BY a.tenant_id, c.event_id = a.event_id ORDER BY a.ordinal) AS place,
            sum(a.size) OVER (PARTITION BY a.tenant_id, c.event_id = a.event_id ORDER BY a.ordinal) AS bytes
        FROM asked a
        JOIN claimed c ON c.tenant_id = a.tenant_id AND c.key_hash = a.key_hash
    ),
    demand AS (
        SELECT n.tenant_id, count(*) AS wanted FROM answered n WHERE n.fresh GROUP BY n.tenant_id
    ),
    locked AS (
        SELECT
            b.tenant_id,
            b.unfinished,
            b.unfinished_bytes,
            t.max_unfinished_events,
            t.rate_limit_per_minute,
            t.daily_cap,
            t.max_unfinished_bytes * share - b.unfinished_bytes AS free_bytes
        FROM ingest.backlog b
        JOIN ingest.tenants t ON t.id = b.tenant_id
        WHERE b.tenant_id IN (SELECT d.tenant_id FROM demand d)
        ORDER BY b.tenant_id
        FOR UPDATE OF b
    ),
    held AS (
        SELECT r.tenant_id, r.granted_at, r.granted, r.day, r.granted_today
        FROM ingest.rates r
        WHERE r.tenant_id IN (
            SELECT l.tenant_id FROM locked l WHERE coalesce(l.rate_limit_per_minute, l.daily_cap) IS NOT NULL
        )
        ORDER BY r.tenant_id
        FOR UPDATE
    ),
    -- The time is read after the lock was got: then it never runs backwards from one group to the next.
    timed AS MATERIALIZED (
        SELECT h.tenant_id, h.granted_at, h.granted, h.day, h.granted_today, ingest.clock() AS at FROM held h
    ),
    counted AS MATERIALIZED (
        SELECT
            t.tenant_id,
            t.at,
            w.granted_at,
            w.granted,
            w.in_minute,
            CASE WHEN t.day = (t.at AT TIME ZONE 'UTC')::date THEN t.granted_today ELSE 0 END AS in_day
        FROM timed t
        CROSS JOIN LATERAL (
            SELECT
                t.granted_at[g.gone + 1 :] AS granted_at,
                t.granted[g.gone + 1 :] AS granted,
                (SELECT coalesce(sum(u.n), 0) FROM unnest(t.granted[g.gone + 1 :]) AS u (n)) AS in_minute
            -- How many entries are a minute old or older: the log is in order.
            FROM (SELECT width_bucket(t.at - interval '1 minute', t.granted_at) AS gone) AS g
        ) AS w
    ),
    -- How many of the tenant's events, in their order, its budget of bytes has room for.
    fitting AS (
        SELECT n.tenant_id, count(*) AS n
        FROM answered n
        JOIN locked l ON l.tenant_id = n.tenant_id
        WHERE n.fresh AND n.bytes <= l.free_bytes
        GROUP BY n.tenant_id
    ),
    allowed AS MATERIALIZED (
        -- least() passes over what is null: no limit.
        SELECT
            d.tenant_id,
            least(coalesce(f.n, 0), greatest(0, least(
                l.max_unfinished_events - l.unfinished,
                l.rate_limit_per_minute - c.in_minute,
                l.daily_cap - c.in_day
            ))) AS n,
            l.unfinished,
            l.unfinished_bytes,
            l.rate_limit_per_minute
        FROM demand d
        JOIN locked l ON l.tenant_id = d.tenant_id
        LEFT JOIN fitting f ON f.tenant_id = d.tenant_id
        LEFT JOIN counted c ON c.tenant_id = d.tenant_id
    ),
    backlogged AS (
        UPDATE ingest.backlog b
        SET unfinished = a.unfinished + a.n, unfinished_bytes = a.unfinished_bytes + n.bytes
        FROM allowed a
        JOIN answered n ON n.tenant_id = a.tenant_id AND n.fresh AND n.place = a.n
        WHERE b.tenant_id = a.tenant_id
    ),
    noted AS (
        UPDATE ingest.rates r SET
            granted_at = CASE
                WHEN a.rate_limit_per_minute IS NULL THEN '{}'
                -- Never before the last entry, though the machine's clock was put back: the log stays in order.
                ELSE c.granted_at[: cardinality(c.granted_at) - m.same]
                    || greatest(c.at, c.granted_at[cardinality(c.granted_at)])
            END,
            granted = CASE
                WHEN a.rate_limit_per_minute IS NULL THEN '{}'
                ELSE c.granted[: cardinality(c.granted) - m.same]
                    || (a.n + m.same * coalesce(c.granted[cardinality(c.granted)], 0))::integer
            END,
            day = (c.at AT TIME ZONE 'UTC')::date,
            granted_today = c.in_day + a.n
        FROM allowed a
        JOIN counted c ON c.tenant_id = a.tenant_id
        CROSS JOIN LATERAL (
            SELECT (
                a.rate_limit_per_minute > 240
                AND c.granted_at[cardinality(c.granted_at)]
                    >= date_bin('0.25 s', c.at, timestamptz '2000-01-01 00:00:00+00')
            ) IS TRUE AS same
        ) AS s
        CROSS JOIN LATERAL (SELECT s.same::integer AS same) AS m
        WHERE r.tenant_id = a.tenant_id AND a.n > 0
    )
    SELECT
        array_agg(n.event_id ORDER BY n.ordinal),
        array_agg(
            CASE
                WHEN NOT n.fresh AND n.stored THEN 'stored'
                WHEN NOT n.fresh THEN 'pending'
                WHEN n.place <= a.n THEN 'new'
                ELSE 'limited'
            END
            ORDER BY n.ordinal
        ),
        array_agg(CASE WHEN NOT n.fresh THEN n.event_type END ORDER BY n.ordinal),
        array_agg(CASE WHEN NOT n.fresh THEN n.fingerprint END ORDER BY n.ordinal)
    INTO ids, verdicts, first_types, first_fingerprints
    FROM answered n
    LEFT JOIN allowed a ON a.tenant_id = n.tenant_id;

    IF 'limited' = ANY (verdicts) THEN
        DELETE FROM ingest.admission m
        USING unnest(tenants, keys, ids, verdicts) AS t (tenant_id, key_hash, event_id, verdict)
        WHERE t.verdict = 'limited'
            AND m.tenant_id = t.tenant_id AND m.key_hash = t.key_hash AND m.event_id = t.event_id;
        RETURN QUERY
        WITH full_ones AS MATERIALIZED (
            SELECT f.tenant_id, f.limited_by, f.bound, f.retry_after
            FROM (
                SELECT DISTINCT t.tenant_id
                FROM unnest(tenants, verdicts) AS t (tenant_id, verdict)
                WHERE t.verdict = 'limited'
            ) AS refused
            CROSS JOIN LATERAL ingest.limit_reached(refused.tenant_id, ingest.clock(), share) AS f
        )
        SELECT
            t.ordinal,
            t.event_id,
            t.verdict,
            CASE WHEN t.verdict = 'limited' THEN f.limited_by END,
            CASE WHEN t.verdict = 'limited' THEN f.bound END,
            CASE WHEN t.verdict = 'limited' THEN f.retry_after END,
            t.first_type,
            t.first_fingerprint
        FROM unnest(ids, verdicts, tenants, first_types, first_fingerprints) WITH ORDINALITY
            AS t (event_id, verdict, tenant_id, first_type, first_fingerprint, ordinal)
        LEFT JOIN full_ones f ON f.tenant_id = t.tenant_id
        ORDER BY t.ordinal;
        RETURN;
    END IF;

    RETURN QUERY
    SELECT
        t.ordinal, t.event_id, t.verdict, NULL::text, NULL::bigint, NULL::integer, t.first_type, t.first_fingerprint
    FROM unnest(ids, verdicts, first_types, first_fingerprints) WITH ORDINALITY
        AS t (event_id, verdict, first_type, first_fingerprint, ordinal)
    ORDER BY t.ordinal;
END
$$;

-- The form that versions before migration 0009 call.
CREATE OR REPLACE FUNCTION ingest.admit(
    tenants uuid[], keys bytea[], events uuid[], sizes integer[], share double precision
)
RETURNS TABLE (ordinal bigint, event_id uuid, verdict text, limited_by text, bound bigint, retry_after integer)
LANGUAGE sql
AS $$
SELECT a.ordinal, a.event_id, a.verdict, a.limited_by, a.bound, a.retry_after
FROM ingest.admit(tenants, keys, events, sizes, NULL::text[], NULL::bytea[], share) AS a
$$;
