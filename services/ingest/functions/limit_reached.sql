-- Returns the limit that a tenant has reached whose event was just refused; of several, the one that ends last.
CREATE OR REPLACE FUNCTION ingest.limit_reached(refused uuid, at timestamptz, share double precision)
RETURNS TABLE (tenant_id uuid, limited_by text, bound bigint, retry_after integer)
LANGUAGE sql
AS $$
WITH entries AS (
    SELECT u.at, sum(u.n) OVER (ORDER BY u.place) AS until_here, sum(u.n) OVER () AS in_minute
    FROM ingest.rates r
    CROSS JOIN LATERAL unnest(r.granted_at, r.granted) WITH ORDINALITY AS u (at, n, place)
    WHERE r.tenant_id = refused AND u.at > $2 - interval '1 minute'
),
state AS (
    SELECT
        t.rate_limit_per_minute AS per_minute,
        t.daily_cap AS per_day,
        t.max_unfinished_events AS events,
        floor(t.max_unfinished_bytes * share)::bigint AS bytes,
        coalesce(b.unfinished, 0) AS unfinished,
        coalesce((SELECT e.in_minute FROM entries e LIMIT 1), 0) AS in_minute,
        CASE WHEN r.day = ($2 AT TIME ZONE 'UTC')::date THEN r.granted_today ELSE 0 END AS in_day
    FROM ingest.tenants t
    LEFT JOIN ingest.rates r ON r.tenant_id = t.id
    LEFT JOIN ingest.backlog b ON b.tenant_id = t.id
    WHERE t.id = refused
)
SELECT
    refused,
    CASE
        WHEN s.in_day >= s.per_day THEN 'day'
        WHEN s.in_minute >= s.per_minute THEN 'minute'
        WHEN s.unfinished >= s.events THEN 'unfinished'
        ELSE 'bytes'
    END,
    CASE
        WHEN s.in_day >= s.per_day THEN s.per_day
        WHEN s.in_minute >= s.per_minute THEN s.per_minute
        WHEN s.unfinished >= s.events THEN s.events
        ELSE s.bytes
    END,
    CASE
        WHEN s.in_day >= s.per_day THEN ceil(extract(epoch FROM
            (($2 AT TIME ZONE 'UTC')::date + 1)::timestamp AT TIME ZONE 'UTC' - $2))::integer
        -- When the first entry goes without which there is room; a limit of 0 has none.
        WHEN s.in_minute >= s.per_minute THEN coalesce((
            SELECT ceil(extract(epoch FROM min(e.at) + interval '1 minute' - $2))::integer
            FROM entries e WHERE e.in_minute - e.until_here < s.per_minute
        ), 60)
        ELSE 0
    END
FROM state s
$$;
