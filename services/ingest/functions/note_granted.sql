-- Notes what rates granted at a time. The caller has locked their tenants' rows of ingest.backlog. Returns for each rate,
-- in the arguments' order, the seconds until something leaves its window; null for one that granted nothing. An entry
-- of the log stops at 2147483647, the largest bound that a rate may have.
CREATE OR REPLACE FUNCTION ingest.note_granted(
    rated uuid[],
    at timestamptz,
    tenants uuid[],
    scopes text[],
    windows integer[],
    kinds smallint[],
    amounts integer[]
)
RETURNS integer[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan  -- as in ingest.rates_of
AS $$
#variable_conflict use_column
DECLARE
    resets integer[];
BEGIN
    WITH granted AS (
        SELECT t.tenant_id, t.scope, t.window_s, t.kind, t.amount, t.place
        FROM unnest(tenants, scopes, windows, kinds, amounts) WITH ORDINALITY
            AS t (tenant_id, scope, window_s, kind, amount, place)
    ),
    noted AS (
        INSERT INTO ingest.rate_windows AS w (tenant_id, scope, window_s, kind, granted_at, granted)
        SELECT
            g.tenant_id,
            g.scope,
            g.window_s,
            g.kind,
            -- Never before the last entry, though the machine's clock was put back: the log stays in order.
            c.granted_at[: l.size - s.same] || greatest(l.last, CASE g.kind WHEN ingest.fixed() THEN b.begin ELSE at END),
            c.granted[: l.size - s.same]
                || least(2147483647, g.amount::bigint + s.same * coalesce(c.granted[l.size], 0))::integer
        FROM granted g
        JOIN ingest.rates_of(rated, at, scopes) AS c
            ON c.tenant_id = g.tenant_id AND c.scope = g.scope AND c.window_s = g.window_s AND c.kind = g.kind
        CROSS JOIN LATERAL (SELECT cardinality(c.granted_at)) AS n (size)
        CROSS JOIN LATERAL (SELECT n.size, c.granted_at[n.size]) AS l (size, last)
        -- What begins then is one entry of the log; null: each group is one.
        CROSS JOIN LATERAL (
            SELECT date_bin(make_interval(secs => CASE
                WHEN g.kind = ingest.fixed() THEN g.window_s
                WHEN c.bound > 240 THEN g.window_s / 240.0
            END), at, timestamptz 'epoch')
        ) AS b (begin)
        CROSS JOIN LATERAL (SELECT (l.last >= b.begin IS TRUE)::integer) AS s (same)
        WHERE g.amount > 0
        ORDER BY g.place
        ON CONFLICT (tenant_id, scope, window_s, kind) DO UPDATE SET
            granted_at = EXCLUDED.granted_at, granted = EXCLUDED.granted
        RETURNING w.tenant_id, w.scope, w.window_s, w.kind, w.granted_at[1] AS first
    )
    SELECT array_agg(
        ceil(extract(epoch FROM n.first + make_interval(secs => n.window_s) - at))::integer ORDER BY g.place
    )
    INTO resets
    FROM granted g
    LEFT JOIN noted n
        ON n.tenant_id = g.tenant_id AND n.scope = g.scope AND n.window_s = g.window_s AND n.kind = g.kind;
    RETURN resets;
END
$$;
