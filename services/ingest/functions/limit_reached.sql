-- Returns the limit that refuses an event, as {kind, scope, window_s, bound, remaining, retry_after}: of several the one
-- that ends last. kind is clarion.common.v1.LimitKind, retry_after the seconds until the limit admits the event; 0: not
-- known. Null: there is no such tenant. counts_in: the scopes whose rates count it, besides those of the whole tenant.
CREATE OR REPLACE FUNCTION ingest.limit_reached(
    refused uuid, counts_in text[], cost integer, waits boolean, at timestamptz, share double precision
)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan  -- as in ingest.rates_of
AS $$
#variable_conflict use_column
DECLARE
    found jsonb;
BEGIN
    SELECT jsonb_build_object(
        'kind', c.kind, 'scope', c.scope, 'window_s', c.window_s, 'bound', c.bound,
        'remaining', greatest(0, c.bound - c.counted),
        'retry_after', w.retry_after
    )
    INTO found
    FROM ingest.rates_of(ARRAY[refused], at, counts_in) AS c
    CROSS JOIN LATERAL (
        SELECT ceil(extract(epoch FROM coalesce(
            -- When the first entry leaves without which there is room.
            (
                SELECT min(e.at) FROM (
                    SELECT u.at, sum(u.n) OVER (ORDER BY u.place) AS until_here
                    FROM unnest(c.granted_at, c.granted) WITH ORDINALITY AS u (at, n, place)
                ) AS e
                WHERE c.counted - e.until_here <= c.bound - cost
            ),
            -- There will never be room: in a window from now on, or from the next one that begins.
            CASE c.kind
                WHEN ingest.fixed() THEN date_bin(make_interval(secs => c.window_s), at, timestamptz 'epoch')
                ELSE at
            END
        ) + make_interval(secs => c.window_s) - at))::integer AS retry_after
    ) AS w
    WHERE (c.scope = '' OR c.scope = ANY (counts_in)) AND c.bound - c.counted < cost
    ORDER BY w.retry_after DESC, c.window_s DESC, c.kind, c.scope
    LIMIT 1;
    IF found IS NOT NULL THEN
        RETURN found;
    END IF;

    SELECT jsonb_build_object(
        'kind', q.kind, 'scope', '', 'window_s', 0, 'bound', q.bound, 'remaining', greatest(0, q.bound - q.used),
        'retry_after', 0
    )
    INTO found
    FROM ingest.tenants t
    JOIN ingest.backlog b ON b.tenant_id = t.id
    CROSS JOIN LATERAL (
        VALUES
            -- LIMIT_KIND_UNFINISHED, _BYTES and _SCHEDULED. What is refused though no number is reached does not fit into
            -- the budget of bytes.
            (3, t.max_unfinished_events::bigint, b.unfinished, NOT waits AND b.unfinished >= t.max_unfinished_events),
            (4, floor(t.max_unfinished_bytes * share)::bigint, b.unfinished_bytes, NOT waits),
            (5, t.max_scheduled_events::bigint, b.scheduled, waits)
    ) AS q (kind, bound, used, is_reached)
    WHERE t.id = refused AND q.is_reached
    ORDER BY q.kind
    LIMIT 1;
    RETURN found;
END
$$;

-- The form that versions before migration 0017 call.
CREATE OR REPLACE FUNCTION ingest.limit_reached(
    refused uuid, counts_in text, cost integer, waits boolean, at timestamptz, share double precision
)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
SELECT ingest.limit_reached(refused, ARRAY[counts_in], cost, waits, at, share)
$$;
