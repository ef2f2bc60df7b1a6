-- Admits a group of events in one round trip: removes duplicates first, then applies the tenants' limits. What exceeds a
-- limit is taken back in the same transaction: another process that asks for the same key meanwhile waits for it and
-- never sees the claim. No (tenant, key) may stand twice in the arguments.
--   sizes                what each event counts against its tenant's budget of bytes
--   types, fingerprints  kept for the repeats of a key, or null
--   ttls                 how long each key is remembered, seconds
--   scopes, costs        which of the tenant's rates count an event besides those of the whole tenant, and how much
--   scheduled            whether it waits for its time: then it counts against max_scheduled_events, and against
--                        neither of the limits of what is unfinished
--   callers              the scope of the rates of the key that sends it, see ingest.rates_of; empty: none
--   share                the part of the budget of bytes which counts at the moment, from 0 to 1
-- Returns one row per argument:
--   event_id  the first event's id where this is a duplicate
--   verdict   'new', 'pending' (known, not yet known to be stored), 'stored', or 'limited'
--   first_type, first_fingerprint  of a duplicate: what was kept of the first event
--   reached   of a limited one: JSON, see ingest.limit_reached
--   limits    of a new one whose tenant has rates: those that count it, as they are after it: JSON, a list of
--             {scope, window_s, kind, bound, remaining, reset_s}
CREATE OR REPLACE FUNCTION ingest.admit(
    tenants uuid[],
    keys bytea[],
    events uuid[],
    sizes integer[],
    types text[],
    fingerprints bytea[],
    ttls integer[],
    scopes text[],
    costs integer[],
    scheduled boolean[],
    callers text[],
    share double precision
)
RETURNS TABLE (
    ordinal bigint,
    event_id uuid,
    verdict text,
    first_type text,
    first_fingerprint bytea,
    reached text,
    limits text
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    asked_at timestamptz := ingest.clock();
    -- Of each event: its key's row, and what is decided.
    ids uuid[];
    are_stored boolean[];
    first_types text[];
    first_fingerprints bytea[];
    verdicts text[];
    -- Of each tenant with a new event: what its quotas have room for, and what is admitted.
    owners uuid[];
    free_events bigint[];
    free_bytes double precision[];
    free_scheduled bigint[];
    new_events bigint[];
    new_bytes bigint[];
    new_scheduled bigint[];
    -- Those of them that have rates, when their rates were read, and of each rate: what is left, and what is granted.
    rated uuid[];
    counted_at timestamptz;
    rate_owners uuid[];
    rate_scopes text[];
    rate_windows integer[];
    rate_kinds smallint[];
    rate_bounds bigint[];
    rate_left bigint[];
    rate_granted integer[];
    rate_resets integer[];
    -- Of each admitted event and each rate that counts it: which event, which rate, and what was left after it.
    state_events integer[] := '{}';
    state_rates integer[] := '{}';
    state_left bigint[] := '{}';
    o integer;
    first_rate integer;
    r integer;
    fits boolean;
BEGIN
    WITH asked AS (
        SELECT t.tenant_id, t.key_hash, t.event_id, t.size, t.event_type, t.fingerprint, t.ttl, t.waits, t.ordinal
        FROM unnest(tenants, keys, events, sizes, types, fingerprints, ttls, scheduled) WITH ORDINALITY
            AS t (tenant_id, key_hash, event_id, size, event_type, fingerprint, ttl, waits, ordinal)
    ),
    claimed AS (
        INSERT INTO ingest.admission AS m
            (tenant_id, key_hash, event_id, size, event_type, fingerprint, created_at, expires_at, scheduled)
        SELECT
            a.tenant_id, a.key_hash, a.event_id, a.size, a.event_type, a.fingerprint,
            asked_at, asked_at + make_interval(secs => a.ttl), a.waits
        FROM asked a
        ORDER BY a.tenant_id, a.key_hash  -- the same order everywhere, so that groups do not deadlock
        ON CONFLICT (tenant_id, key_hash) DO UPDATE SET
            event_id = CASE WHEN ingest.key_expiry(m.created_at, m.expires_at) <= asked_at
                THEN EXCLUDED.event_id ELSE m.event_id END,
            size = CASE WHEN ingest.key_expiry(m.created_at, m.expires_at) <= asked_at
                THEN EXCLUDED.size ELSE m.size END,
            event_type = CASE WHEN ingest.key_expiry(m.created_at, m.expires_at) <= asked_at
                THEN EXCLUDED.event_type ELSE m.event_type END,
            fingerprint = CASE WHEN ingest.key_expiry(m.created_at, m.expires_at) <= asked_at
                THEN EXCLUDED.fingerprint ELSE m.fingerprint END,
            created_at = CASE WHEN ingest.key_expiry(m.created_at, m.expires_at) <= asked_at
                THEN EXCLUDED.created_at ELSE m.created_at END,
            expires_at = CASE WHEN ingest.key_expiry(m.created_at, m.expires_at) <= asked_at
                THEN EXCLUDED.expires_at ELSE m.expires_at END,
            scheduled = CASE WHEN ingest.key_expiry(m.created_at, m.expires_at) <= asked_at
                THEN EXCLUDED.scheduled ELSE m.scheduled END,
            stored = m.stored AND ingest.key_expiry(m.created_at, m.expires_at) > asked_at
        RETURNING m.tenant_id, m.key_hash, m.event_id, m.stored, m.event_type, m.fingerprint
    )
    SELECT
        array_agg(c.event_id ORDER BY a.ordinal),
        array_agg(c.stored ORDER BY a.ordinal),
        array_agg(CASE WHEN c.event_id <> a.event_id THEN c.event_type END ORDER BY a.ordinal),
        array_agg(CASE WHEN c.event_id <> a.event_id THEN c.fingerprint END ORDER BY a.ordinal)
    INTO ids, are_stored, first_types, first_fingerprints
    FROM asked a
    JOIN claimed c ON c.tenant_id = a.tenant_id AND c.key_hash = a.key_hash;

    WITH locked AS (
        SELECT
            b.tenant_id,
            t.max_unfinished_events - b.unfinished AS events,
            t.max_unfinished_bytes * share - b.unfinished_bytes AS bytes,
            t.max_scheduled_events - b.scheduled AS scheduled,
            t.rate_limit_per_minute IS NOT NULL OR t.daily_cap IS NOT NULL OR t.rates <> '[]' OR t.key_rates <> '[]'
                AS is_rated
        FROM ingest.backlog b
        JOIN ingest.tenants t ON t.id = b.tenant_id
        WHERE b.tenant_id IN (
            SELECT a.tenant_id
            FROM unnest(tenants, events, ids) AS a (tenant_id, event_id, first_id)
            WHERE a.event_id = a.first_id
        )
        ORDER BY b.tenant_id
        FOR UPDATE OF b
    )
    SELECT
        array_agg(l.tenant_id), array_agg(l.events), array_agg(l.bytes), array_agg(l.scheduled),
        array_agg(l.tenant_id) FILTER (WHERE l.is_rated)
    INTO owners, free_events, free_bytes, free_scheduled, rated
    FROM locked l;

    IF rated IS NOT NULL THEN
        -- The time is read after the lock was got: then it never runs backwards from one group to the next.
        counted_at := ingest.clock();
        SELECT
            array_agg(c.tenant_id), array_agg(c.scope), array_agg(c.window_s), array_agg(c.kind), array_agg(c.bound),
            array_agg(c.bound - c.counted), array_agg(0)
        INTO rate_owners, rate_scopes, rate_windows, rate_kinds, rate_bounds, rate_left, rate_granted
        FROM ingest.rates_of(rated, counted_at, callers) AS c;
    END IF;

    verdicts := array_fill('new'::text, ARRAY[cardinality(events)]);
    new_events := array_fill(0, ARRAY[coalesce(cardinality(owners), 0)]);
    new_bytes := new_events;
    new_scheduled := new_events;
    FOR e IN 1 .. cardinality(events) LOOP
        IF ids[e] <> events[e] THEN
            verdicts[e] := CASE WHEN are_stored[e] THEN 'stored' ELSE 'pending' END;
            CONTINUE;
        END IF;
        IF o IS NULL OR owners[o] <> tenants[e] THEN
            o := array_position(owners, tenants[e]);
            first_rate := array_position(rate_owners, tenants[e]);
            IF o IS NULL THEN  -- no such tenant
                verdicts[e] := 'limited';
                CONTINUE;
            END IF;
        END IF;
        IF scheduled[e] THEN
            fits := new_scheduled[o] < free_scheduled[o];
        ELSIF new_bytes[o] + sizes[e] > free_bytes[o] THEN
            fits := false;
            free_bytes[o] := -1;  -- a smaller one does not overtake it
        ELSE
            fits := new_events[o] < free_events[o];
        END IF;
        IF first_rate IS NOT NULL THEN
            r := first_rate;
            WHILE fits AND rate_owners[r] = tenants[e] LOOP
                -- Null: the day is counted, and not limited.
                fits := rate_left[r] IS NULL OR rate_left[r] >= costs[e]
                    OR rate_scopes[r] NOT IN ('', scopes[e], callers[e]);
                r := r + 1;
            END LOOP;
        END IF;
        IF NOT fits THEN
            verdicts[e] := 'limited';
            CONTINUE;
        END IF;
        IF scheduled[e] THEN
            new_scheduled[o] := new_scheduled[o] + 1;
        ELSE
            new_events[o] := new_events[o] + 1;
            new_bytes[o] := new_bytes[o] + sizes[e];
        END IF;
        IF first_rate IS NOT NULL THEN
            r := first_rate;
            WHILE rate_owners[r] = tenants[e] LOOP
                IF rate_scopes[r] IN ('', scopes[e], callers[e]) THEN
                    rate_left[r] := rate_left[r] - costs[e];
                    rate_granted[r] := least(2147483647, rate_granted[r]::bigint + costs[e]);
                    IF rate_left[r] IS NOT NULL THEN
                        state_events := array_append(state_events, e);
                        state_rates := array_append(state_rates, r);
                        state_left := array_append(state_left, rate_left[r]);
                    END IF;
                END IF;
                r := r + 1;
            END LOOP;
        END IF;
    END LOOP;

    UPDATE ingest.backlog b
    SET unfinished = b.unfinished + n.events,
        unfinished_bytes = b.unfinished_bytes + n.bytes,
        scheduled = b.scheduled + n.scheduled
    FROM unnest(owners, new_events, new_bytes, new_scheduled) AS n (tenant_id, events, bytes, scheduled)
    WHERE b.tenant_id = n.tenant_id AND n.events + n.scheduled > 0;

    IF rated IS NULL AND 'limited' <> ALL (verdicts) THEN
        RETURN QUERY
        SELECT t.ordinal, t.event_id, t.verdict, t.first_type, t.first_fingerprint, NULL::text, NULL::text
        FROM unnest(ids, verdicts, first_types, first_fingerprints) WITH ORDINALITY
            AS t (event_id, verdict, first_type, first_fingerprint, ordinal)
        ORDER BY t.ordinal;
        RETURN;
    END IF;

    IF 0 < ANY (rate_granted) THEN
        rate_resets := ingest.note_granted(
            rated, counted_at, rate_owners, rate_scopes, rate_windows, rate_kinds, rate_granted
        );
    END IF;

    DELETE FROM ingest.admission m
    USING unnest(tenants, keys, ids, verdicts) AS t (tenant_id, key_hash, event_id, verdict)
    WHERE t.verdict = 'limited'
        AND m.tenant_id = t.tenant_id AND m.key_hash = t.key_hash AND m.event_id = t.event_id;

    RETURN QUERY
    WITH full_ones AS MATERIALIZED (
        SELECT f.tenant_id, f.scope, f.cost, f.waits, f.caller,
            ingest.limit_reached(
                f.tenant_id, ARRAY[f.scope, f.caller], f.cost, f.waits, coalesce(counted_at, asked_at), share
            )::text AS reached
        FROM (
            SELECT DISTINCT t.tenant_id, t.scope, t.cost, t.waits, t.caller
            FROM unnest(tenants, verdicts, scopes, costs, scheduled, callers)
                AS t (tenant_id, verdict, scope, cost, waits, caller)
            WHERE t.verdict = 'limited'
        ) AS f
    ),
    -- Put together as text: for many events that is several times as fast as building jsonb.
    rates AS MATERIALIZED (
        SELECT r.place, format(
            '{"scope":%s,"window_s":%s,"kind":%s,"bound":%s,"reset_s":%s,"remaining":',
            to_json(r.scope), r.window_s, r.kind, r.bound, r.reset_s
        ) AS head
        FROM unnest(rate_scopes, rate_windows, rate_kinds, rate_bounds, rate_resets) WITH ORDINALITY
            AS r (scope, window_s, kind, bound, reset_s, place)
    ),
    states AS MATERIALIZED (
        SELECT s.ordinal, '[' || string_agg(r.head || s.remaining || '}', ',') || ']' AS limits
        FROM unnest(state_events, state_rates, state_left) AS s (ordinal, place, remaining)
        JOIN rates r ON r.place = s.place
        GROUP BY s.ordinal
    )
    SELECT
        t.ordinal, t.event_id, t.verdict, t.first_type, t.first_fingerprint,
        CASE WHEN t.verdict = 'limited' THEN f.reached END,
        s.limits
    FROM unnest(ids, verdicts, first_types, first_fingerprints, tenants, scopes, costs, scheduled, callers)
        WITH ORDINALITY
        AS t (event_id, verdict, first_type, first_fingerprint, tenant_id, scope, cost, waits, caller, ordinal)
    LEFT JOIN full_ones f
        ON f.tenant_id = t.tenant_id AND f.scope = t.scope AND f.cost = t.cost AND f.waits = t.waits
        AND f.caller = t.caller
    LEFT JOIN states s ON s.ordinal = t.ordinal
    ORDER BY t.ordinal;
END
$$;

-- The form that versions before migration 0015 call. They know rates by the minute and by the day only.
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
LANGUAGE sql
AS $$
SELECT
    a.ordinal,
    a.event_id,
    a.verdict,
    ('{minute,day,unfinished,bytes}'::text[])[(a.reached::jsonb ->> 'kind')::integer],
    (a.reached::jsonb ->> 'bound')::bigint,
    (a.reached::jsonb ->> 'retry_after')::integer,
    a.first_type,
    a.first_fingerprint
FROM ingest.admit(
    tenants, keys, events, sizes, types, fingerprints,
    array_fill(86400, ARRAY[cardinality(events)]),
    array_fill(''::text, ARRAY[cardinality(events)]),
    array_fill(1, ARRAY[cardinality(events)]),
    array_fill(false, ARRAY[cardinality(events)]),
    array_fill(''::text, ARRAY[cardinality(events)]),
    share
) AS a
$$;

-- The form that versions before migration 0017 call. They know nothing of keys' rates.
CREATE OR REPLACE FUNCTION ingest.admit(
    tenants uuid[],
    keys bytea[],
    events uuid[],
    sizes integer[],
    types text[],
    fingerprints bytea[],
    ttls integer[],
    scopes text[],
    costs integer[],
    scheduled boolean[],
    share double precision
)
RETURNS TABLE (
    ordinal bigint,
    event_id uuid,
    verdict text,
    first_type text,
    first_fingerprint bytea,
    reached text,
    limits text
)
LANGUAGE sql
AS $$
SELECT a.ordinal, a.event_id, a.verdict, a.first_type, a.first_fingerprint, a.reached, a.limits
FROM ingest.admit(
    tenants, keys, events, sizes, types, fingerprints, ttls, scopes, costs, scheduled,
    array_fill(''::text, ARRAY[cardinality(events)]),
    share
) AS a
$$;
