-- What the overview shows, from counts that the ledger's triggers keep (functions/activity.sql). A slot is the number of
-- five minutes since 1970.

-- Counts of the slots from $2 and before $3, in steps of $4 slots. $1: of these tenants; null: of all, whose sums have a
-- tenant of their own. $5: from sums of so many slots each. The rows that are not rolled up yet are added, in the same
-- statement, so nothing is missing or counted twice.
-- name: counts
SELECT c.slot - c.slot % $4::integer AS slot, c.channel, c.status, c.reason, c.class, sum(c.n)::bigint AS n
FROM (
    SELECT a.slot, a.channel, a.status, a.reason, d.class, d.n
    FROM unnest(coalesce($1::uuid[], ARRAY['00000000-0000-0000-0000-000000000000'::uuid])) AS w (tenant_id)
    CROSS JOIN LATERAL (
        SELECT s.slot, s.channel, s.status, s.reason, s.n, s.durations
        FROM ingest.activity_sums s
        WHERE s.tenant_id = w.tenant_id AND s.slots = $5::smallint AND s.slot >= $2 AND s.slot < $3
        OFFSET 0
    ) AS a
    CROSS JOIN LATERAL (
        SELECT -1 AS class, a.n WHERE a.durations IS NULL
        UNION ALL
        SELECT u.number::integer - 1, u.n FROM unnest(a.durations) WITH ORDINALITY AS u (n, number) WHERE u.n <> 0
    ) AS d
    UNION ALL
    SELECT w.slot, w.channel, w.status, w.reason, w.class, w.n
    FROM ingest.activity_new w
    WHERE ($1::uuid[] IS NULL OR w.tenant_id = ANY ($1)) AND w.slot >= $2 AND w.slot < $3
) AS c
GROUP BY 1, 2, 3, 4, 5
HAVING sum(c.n) <> 0

-- The event that has been under way for the longest time since it was accepted or due, among the 20 of each tenant that
-- were accepted, and the 20 that were due, first. Not those that wait in workflow runs. $1: of these tenants; null: of all.
-- name: oldest
SELECT e.id, e.tenant_id, t.name AS tenant_name, e.event_type, e.routed_at, greatest(e.accepted_at, e.due_at) AS since
FROM ingest.tenants t
CROSS JOIN LATERAL (
    (
        SELECT o.id, o.tenant_id, o.event_type, o.routed_at, o.accepted_at, o.due_at
        FROM ingest.events o
        WHERE o.tenant_id = t.id AND o.finished_at IS NULL AND o.due_at IS NULL
            AND (o.is_released AND o.has_workflows) IS NOT TRUE
        ORDER BY o.id
        LIMIT 20
    )
    UNION ALL
    (
        SELECT o.id, o.tenant_id, o.event_type, o.routed_at, o.accepted_at, o.due_at
        FROM ingest.events o
        WHERE o.tenant_id = t.id AND o.finished_at IS NULL AND o.due_at <= now()
            AND (o.is_released AND o.has_workflows) IS NOT TRUE
        ORDER BY o.due_at
        LIMIT 20
    )
) AS e
WHERE ($1::uuid[] IS NULL OR t.id = ANY ($1)) AND e.accepted_at IS NOT NULL
ORDER BY since, e.id
LIMIT 1

-- The delivery for which it waits, of the first 1,000: one that was tried before one that was not. parked: it waits in
-- a row of the senders.
-- name: waiting_delivery
SELECT d.id, d.channel, d.status, d.provider, d.attempts,
    CASE WHEN d.parked_turn > coalesce(d.tried, -1) THEN d.parked_reason ELSE d.reason END AS reason
FROM (SELECT * FROM ingest.deliveries o WHERE o.event_id = $1 LIMIT 1000) AS d
WHERE NOT ingest.is_terminal(d.status)
ORDER BY d.status DESC, d.id
LIMIT 1

-- One process at a time rolls up. It holds nothing that the ledger waits for.
-- name: lock_roll_up
SELECT pg_try_advisory_xact_lock(hashtextextended('ingest.activity', 0))

-- Adds up to 20,000 new rows to the sums of their day, to those of their hour unless they are of slots before $2, and to
-- those of their slot unless they are before $1. Returns their number.
-- name: add_new
WITH gone AS (
    DELETE FROM ingest.activity_new
    WHERE ctid = ANY (ARRAY(SELECT w.ctid FROM ingest.activity_new w LIMIT 20000))
    RETURNING tenant_id, slot, channel, status, reason, class, n
),
summed AS (
    SELECT c.tenant_id, k.slots, g.slot - g.slot % k.slots AS slot, g.channel, g.status, g.reason, g.class, sum(g.n) AS n
    FROM gone g
    CROSS JOIN (VALUES (1, $1::integer), (12, $2::integer), (288, 0)) AS k (slots, first_slot)
    CROSS JOIN LATERAL (VALUES (g.tenant_id), ('00000000-0000-0000-0000-000000000000'::uuid)) AS c (tenant_id)
    WHERE g.slot >= k.first_slot
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    HAVING sum(g.n) <> 0
),
added AS (
    INSERT INTO ingest.activity_sums AS a (tenant_id, slots, slot, channel, status, reason, n, durations)
    SELECT s.tenant_id, s.slots, s.slot, s.channel, s.status, s.reason, sum(s.n),
        ingest.durations_of(array_agg(s.class) FILTER (WHERE s.class >= 0), array_agg(s.n) FILTER (WHERE s.class >= 0))
    FROM summed s
    GROUP BY 1, 2, 3, 4, 5, 6
    ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (tenant_id, slots, slot, channel, status, reason) DO UPDATE SET
        n = a.n + EXCLUDED.n, durations = ingest.added_durations(a.durations, EXCLUDED.durations)
)
SELECT count(*) FROM gone

-- Deletes up to 20,000 sums of $2 slots that are before slot $1: there are sums of more slots. Returns their number.
-- name: delete_finer
WITH gone AS (
    DELETE FROM ingest.activity_sums
    WHERE ctid = ANY (ARRAY(
        SELECT o.ctid FROM ingest.activity_sums o
        WHERE o.slots = $2::smallint AND o.slot < $1::integer
        ORDER BY o.slot
        LIMIT 20000
    ))
    RETURNING 1
)
SELECT count(*) FROM gone

-- Deletes up to 20,000 sums of events that their tenant's retention has deleted; of all tenants together, of the longest
-- retention. $1: days where a tenant has none of its own. Returns their number.
-- name: delete_expired
WITH kept AS (
    SELECT t.tenant_id, (extract(epoch FROM now()) / 300)::integer - t.days * 288 AS first_slot
    FROM (
        SELECT r.tenant_id, coalesce(nullif(r.events_days, 0), $1::integer) AS days FROM ingest.retention r
        UNION ALL
        SELECT '00000000-0000-0000-0000-000000000000'::uuid,
            greatest($1::integer, (SELECT max(m.events_days) FROM ingest.retention m))
    ) AS t
),
gone AS (
    DELETE FROM ingest.activity_sums
    WHERE ctid = ANY (ARRAY(
        SELECT a.ctid
        FROM ingest.activity_sums a
        LEFT JOIN kept k ON k.tenant_id = a.tenant_id
        WHERE a.slots = ANY ('{1,12,288}')
            AND a.slot < coalesce(k.first_slot, (extract(epoch FROM now()) / 300)::integer - $1 * 288)
            AND a.slot < (SELECT max(c.first_slot) FROM (
                SELECT o.first_slot FROM kept o
                UNION ALL SELECT (extract(epoch FROM now()) / 300)::integer - $1 * 288
            ) AS c)
        LIMIT 20000
    ))
    RETURNING 1
)
SELECT count(*) FROM gone
