-- Returns the rates of tenants, in one order, with what counts at a time: the log without the entries that have left the
-- window, and their sum. The day is among them without a bound, too: so that a daily cap that is set at noon counts the
-- morning, if the tenant had any rate then. The result is exact only for a caller that has locked these tenants' rows of ingest.backlog by
-- an earlier statement.
--   callers  only these rates of keys: their scopes, which are chr(1) and the key's id; null: those of all keys
CREATE OR REPLACE FUNCTION ingest.rates_of(tenants uuid[], at timestamptz, callers text[])
RETURNS TABLE (
    tenant_id uuid,
    scope text,
    window_s integer,
    kind smallint,
    bound bigint,
    granted_at timestamptz[],
    granted integer[],
    counted bigint
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan  -- planning would take longer than everything else
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT t.id, r.scope, r.window_s, r.kind, r.bound, l.granted_at[g.gone + 1 :], l.granted[g.gone + 1 :], n.counted
    FROM ingest.tenants t
    CROSS JOIN LATERAL (
        VALUES
            ('', 60, ingest.sliding(), t.rate_limit_per_minute::bigint),
            ('', 86400, ingest.fixed(), t.daily_cap::bigint)
        UNION ALL
        SELECT j.scope, j.window_s, j.kind, j.bound
        FROM jsonb_to_recordset(t.rates || t.key_rates) AS j (scope text, window_s integer, kind smallint, bound bigint)
        WHERE left(j.scope, 1) <> chr(1) OR callers IS NULL OR j.scope = ANY (callers)
    ) AS r (scope, window_s, kind, bound)
    LEFT JOIN ingest.rate_windows w
        ON w.tenant_id = t.id AND w.scope = r.scope AND w.window_s = r.window_s AND w.kind = r.kind
    -- What the version before granted: the minute's log, and the day's sum.
    LEFT JOIN LATERAL (
        SELECT b.granted_at, b.granted
        FROM ingest.rates b
        WHERE b.tenant_id = t.id AND r.window_s = 60 AND r.kind = ingest.sliding()
        UNION ALL
        SELECT ARRAY[b.day::timestamp AT TIME ZONE 'UTC'], ARRAY[least(b.granted_today, 2147483647)::integer]
        FROM ingest.rates b
        WHERE b.tenant_id = t.id AND r.window_s = 86400 AND r.kind = ingest.fixed()
    ) AS p ON w.tenant_id IS NULL AND r.scope = ''
    CROSS JOIN LATERAL (
        SELECT coalesce(w.granted_at, p.granted_at, '{}'), coalesce(w.granted, p.granted, '{}')
    ) AS l (granted_at, granted)
    -- How many entries are as old as the window or older: the log is in order.
    CROSS JOIN LATERAL (SELECT width_bucket(at - make_interval(secs => r.window_s), l.granted_at)) AS g (gone)
    CROSS JOIN LATERAL (SELECT coalesce(sum(u.n), 0) FROM unnest(l.granted[g.gone + 1 :]) AS u (n)) AS n (counted)
    WHERE t.id = ANY (tenants) AND (r.bound IS NOT NULL OR r.kind = ingest.fixed())
    ORDER BY t.id, r.scope, r.window_s, r.kind;
END
$$;

-- The form that versions before migration 0017 call.
CREATE OR REPLACE FUNCTION ingest.rates_of(tenants uuid[], at timestamptz)
RETURNS TABLE (
    tenant_id uuid,
    scope text,
    window_s integer,
    kind smallint,
    bound bigint,
    granted_at timestamptz[],
    granted integer[],
    counted bigint
)
LANGUAGE sql STABLE
AS $$
SELECT r.tenant_id, r.scope, r.window_s, r.kind, r.bound, r.granted_at, r.granted, r.counted
FROM ingest.rates_of(tenants, at, NULL::text[]) AS r
$$;
