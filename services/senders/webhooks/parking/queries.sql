-- Times are Unix microseconds. Whoever adds or deletes rows of senders.parked begins with add_states and lock_states in
-- the same transaction: processes that wait for each other's endpoints wait in the same order.

-- A state that is there is locked too, as it is: otherwise the end of a turn could forget it before lock_states.
-- name: add_states
INSERT INTO senders.endpoint_states (tenant_id, endpoint_id)
SELECT t.tenant_id, t.endpoint_id FROM unnest($1::uuid[], $2::uuid[]) AS t (tenant_id, endpoint_id)
ORDER BY t.tenant_id, t.endpoint_id
ON CONFLICT (tenant_id, endpoint_id) DO UPDATE SET parked = 0 WHERE false

-- name: lock_states
SELECT
    s.tenant_id, s.endpoint_id, s.state, s.since_us, s.failures, s.first_failure_us, s.failing_since_us, s.probes,
    s.next_probe_us, s.is_quiet, s.parked, s.is_full, s.wake_us, s.held_until_us, s.lease_owner, s.lease_until_us
FROM senders.endpoint_states s
JOIN unnest($1::uuid[], $2::uuid[]) AS t (tenant_id, endpoint_id)
    ON s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id
ORDER BY s.tenant_id, s.endpoint_id
FOR UPDATE OF s

-- Each delivery and replay once in the arguments. A row that is there stays, unless this is a later attempt, or the copy
-- that has the claim. bound: of the endpoint; room: how many more the tenant may have. Returns whether each has a row
-- now, whether that is new, and whether its endpoint was full.
-- name: park
WITH given AS (
    SELECT t.* FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::integer[], $6::bigint[], $7::text[], $8::bytea[],
        $9::boolean[], $10::bigint[], $11::bigint[]
    ) WITH ORDINALITY AS t (
        tenant_id, endpoint_id, delivery_id, replay, attempt, due_us, reason, delivery, is_claimed, bound, room, ordinal
    )
), fresh AS (
    SELECT g.*, row_number() OVER (PARTITION BY g.endpoint_id ORDER BY g.ordinal) AS place
    FROM given g
    WHERE NOT EXISTS (
        SELECT 1 FROM senders.parked p
        WHERE p.endpoint_id = g.endpoint_id AND p.delivery_id = g.delivery_id AND p.replay = g.replay
    )
), fitting AS (
    SELECT f.*, row_number() OVER (PARTITION BY f.tenant_id ORDER BY f.ordinal) AS place_of_tenant
    FROM fresh f
    JOIN senders.endpoint_states s ON s.tenant_id = f.tenant_id AND s.endpoint_id = f.endpoint_id
    WHERE s.parked + f.place <= f.bound
), added AS (
    INSERT INTO senders.parked (
        tenant_id, endpoint_id, delivery_id, replay, attempt, due_us, parked_us, reason, delivery
    )
    SELECT f.tenant_id, f.endpoint_id, f.delivery_id, f.replay, f.attempt, f.due_us, $12, f.reason, f.delivery
    FROM fitting f
    WHERE f.place_of_tenant <= f.room
    ORDER BY f.ordinal
    RETURNING endpoint_id, delivery_id, replay
), renewed AS (
    UPDATE senders.parked p SET
        attempt = g.attempt, due_us = g.due_us, reason = g.reason, delivery = g.delivery, revision = p.revision + 1
    FROM given g
    WHERE p.endpoint_id = g.endpoint_id AND p.delivery_id = g.delivery_id AND p.replay = g.replay
        AND (g.attempt > p.attempt OR (g.attempt = p.attempt AND g.is_claimed))
)
SELECT
    f.ordinal IS NULL OR a.delivery_id IS NOT NULL AS is_stored, a.delivery_id IS NOT NULL AS is_new,
    f.ordinal IS NOT NULL AND i.ordinal IS NULL AS is_endpoint_full
FROM given g
LEFT JOIN fresh f ON f.ordinal = g.ordinal
LEFT JOIN fitting i ON i.ordinal = g.ordinal
LEFT JOIN added a ON a.endpoint_id = g.endpoint_id AND a.delivery_id = g.delivery_id AND a.replay = g.replay
ORDER BY g.ordinal

-- Only endpoints that something waits for, or that are not well, have states: they are fewer than the tenant's endpoints.
-- name: backlogs
SELECT tenant_id, sum(parked)::bigint AS parked FROM senders.endpoint_states
WHERE tenant_id = ANY ($1::uuid[])
GROUP BY tenant_id

-- wake_us: null: as it was. is_freed: its first delivery is not held back any more; see lease.
-- name: count_parked
UPDATE senders.endpoint_states s SET
    parked = s.parked + t.added, is_full = t.is_full, wake_us = least(s.wake_us, t.wake_us),
    held_until_us = CASE WHEN t.is_freed THEN -1 ELSE s.held_until_us END
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::boolean[], $5::bigint[], $6::boolean[])
    AS t (tenant_id, endpoint_id, added, is_full, wake_us, is_freed)
WHERE s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id

-- name: find
SELECT delivery, reason, due_us FROM senders.parked
WHERE endpoint_id = $1 AND delivery_id = $2 AND replay = $3 AND attempt >= $4

-- What is due until $5, after one that is known ($3, $4).
-- name: due
SELECT sequence, delivery_id, replay, attempt, due_us, parked_us, revision, probes, reason, delivery
FROM senders.parked
WHERE tenant_id = $1 AND endpoint_id = $2 AND (due_us, sequence) > ($3, $4) AND due_us <= $5
ORDER BY due_us, sequence
LIMIT $6

-- Rows that cannot be read: they are never due.
-- name: set_aside
UPDATE senders.parked SET due_us = 9000000000000000000, revision = revision + 1
WHERE endpoint_id = $1 AND delivery_id = ANY ($2::uuid[])

-- name: some_of
SELECT sequence, delivery_id, replay, attempt, due_us, parked_us, revision, probes, reason, delivery
FROM senders.parked
WHERE tenant_id = $1 AND endpoint_id = $2 AND delivery_id = ANY ($3::uuid[])
ORDER BY due_us, sequence
LIMIT 200

-- Of events by the 48 bits of time with which their ids and those of their deliveries begin; the caller looks closer.
-- name: of_events
SELECT p.sequence, p.delivery_id, p.replay, p.attempt, p.due_us, p.parked_us, p.revision, p.probes, p.reason, p.delivery
FROM (SELECT DISTINCT left(e.id::text, 13) AS time FROM unnest($2::uuid[]) AS e (id)) AS t
JOIN senders.parked p ON p.delivery_id BETWEEN (t.time || '-0000-0000-000000000000')::uuid
    AND (t.time || '-ffff-ffff-ffffffffffff')::uuid
WHERE p.tenant_id::text = $1 AND (cardinality($3::uuid[]) = 0 OR p.delivery_id = ANY ($3::uuid[]))

-- What rests of an endpoint since before $4, of events before $3 (an id that begins with that time).
-- name: aged
SELECT sequence, delivery_id, replay, attempt, due_us, parked_us, revision, probes, reason, delivery
FROM senders.parked
WHERE tenant_id = $1 AND endpoint_id = $2 AND delivery_id < $3 AND parked_us < $4 AND due_us < 9000000000000000000
ORDER BY delivery_id
LIMIT $5

-- The next ones of the same, of one event $2.
-- name: of_event
SELECT p.endpoint_id, p.sequence, p.delivery_id, p.replay, p.attempt, p.due_us, p.parked_us, p.revision, p.probes,
    p.reason, p.delivery
FROM senders.parked p
WHERE p.delivery_id BETWEEN (left($2::text, 13) || '-0000-0000-000000000000')::uuid
    AND (left($2::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    AND p.delivery_id >= $3::uuid AND (p.delivery_id, p.endpoint_id, p.replay) > ($3::uuid, $4::uuid, $5::integer)
    AND p.tenant_id::text = $1
ORDER BY p.delivery_id, p.endpoint_id, p.replay
LIMIT $6

-- Whether nobody else ends the rows of canceled events, until the transaction ends.
-- name: alone
SELECT pg_try_advisory_xact_lock(hashtext('senders.parked.canceled'))

-- name: oldest
SELECT delivery FROM senders.parked WHERE tenant_id = $1 AND endpoint_id = $2
ORDER BY delivery_id
LIMIT 1

-- Only of rows that are as they were read. Returns the endpoints of what is deleted.
-- name: end
DELETE FROM senders.parked p
USING unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[]) AS t (endpoint_id, delivery_id, replay, revision)
WHERE p.endpoint_id = t.endpoint_id AND p.delivery_id = t.delivery_id AND p.replay = t.replay
    AND p.revision = t.revision
RETURNING p.tenant_id, p.endpoint_id

-- Returns for each, in their order, whether it has a row: otherwise somebody ended it.
-- name: keep
WITH t AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $5::integer[], $6::bigint[], $7::text[], $8::bytea[],
        $10::integer[]
    ) WITH ORDINALITY AS g (
        endpoint_id, delivery_id, replay, revision, attempt, due_us, reason, delivery, probes, ordinal
    )
), kept AS (
    UPDATE senders.parked p SET
        attempt = t.attempt, due_us = t.due_us, reason = t.reason, delivery = t.delivery, probes = t.probes,
        parked_us = $9, revision = p.revision + 1
    FROM t
    WHERE p.endpoint_id = t.endpoint_id AND p.delivery_id = t.delivery_id AND p.replay = t.replay
        AND p.revision = t.revision
)
SELECT p.endpoint_id IS NOT NULL AS is_there
FROM t
LEFT JOIN senders.parked p
    ON p.endpoint_id = t.endpoint_id AND p.delivery_id = t.delivery_id AND p.replay = t.replay
ORDER BY t.ordinal

-- The rows of an endpoint that is polled now, in the order of their arrival anew.
-- name: queue_for_polling
WITH moved AS (
    SELECT delivery_id, replay FROM senders.parked
    WHERE tenant_id = $1 AND endpoint_id = $2 AND due_us > 0
    ORDER BY due_us, sequence
    LIMIT 1000
)
UPDATE senders.parked p SET due_us = 0, sequence = nextval('senders.parked_sequence_seq'), reason = 'polled'
FROM moved m
WHERE p.endpoint_id = $2 AND p.delivery_id = m.delivery_id AND p.replay = m.replay

-- is_woken: it is looked at now, and its first delivery is not held back any more; see lease.
-- name: set_health
UPDATE senders.endpoint_states s SET
    state = t.state, since_us = t.since_us, failures = t.failures, first_failure_us = t.first_failure_us,
    failing_since_us = t.failing_since_us, probes = t.probes, next_probe_us = t.next_probe_us, is_quiet = t.is_quiet,
    held_until_us = CASE WHEN t.is_woken THEN -1 ELSE s.held_until_us END,
    wake_us = CASE
        WHEN s.parked = 0 THEN s.wake_us
        WHEN t.state = 2 THEN t.next_probe_us
        WHEN t.is_woken THEN least(s.wake_us, $12)
        ELSE s.wake_us
    END
FROM unnest(
    $1::uuid[], $2::uuid[], $3::smallint[], $4::bigint[], $5::integer[], $6::bigint[], $7::bigint[], $8::integer[],
    $9::bigint[], $10::boolean[], $11::boolean[]
) AS t (
    tenant_id, endpoint_id, state, since_us, failures, first_failure_us, failing_since_us, probes, next_probe_us,
    is_quiet, is_woken
)
WHERE s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id

-- Leases up to $4 endpoints that are to be looked at, at most $5 of a tenant, for $1 until $3, without
-- the tenants in $6 and the endpoints in $7. One whose process before has not given
-- it back: what waits since before may have been sent. That is remembered until nothing of it waits any more.
-- held_until_us is negative if somebody woke the endpoint since: then release neither holds it nor lets it rest.
-- name: lease
WITH waiting AS (
    SELECT w.tenant_id, w.endpoint_id, w.lease_owner,
        row_number() OVER (PARTITION BY w.tenant_id ORDER BY w.wake_us) AS place
    FROM (
        SELECT tenant_id, endpoint_id, wake_us, lease_owner FROM senders.endpoint_states
        WHERE wake_us <= $2 AND lease_until_us <= $2 AND tenant_id <> ALL ($6::uuid[])
            AND endpoint_id <> ALL ($7::uuid[])
        ORDER BY wake_us
        LIMIT 4 * $4::int
        FOR UPDATE SKIP LOCKED
    ) w
)
UPDATE senders.endpoint_states s SET
    lease_owner = $1, lease_until_us = $3, held_until_us = greatest(s.held_until_us, 0),
    unsure_before_us = CASE WHEN w.lease_owner IS NOT NULL THEN $2 ELSE s.unsure_before_us END
FROM (SELECT * FROM waiting WHERE place <= $5 ORDER BY place LIMIT $4) w
WHERE s.tenant_id = w.tenant_id AND s.endpoint_id = w.endpoint_id
RETURNING
    s.tenant_id, s.endpoint_id, s.state, s.since_us, s.failures, s.first_failure_us, s.failing_since_us, s.probes,
    s.next_probe_us, s.is_quiet, s.parked, s.is_full, s.wake_us, s.held_until_us, s.unsure_before_us

-- name: until_next
SELECT wake_us FROM senders.endpoint_states
WHERE wake_us > $1
ORDER BY wake_us
LIMIT 1

-- name: renew
UPDATE senders.endpoint_states s SET lease_until_us = $4
FROM (
    SELECT l.tenant_id, l.endpoint_id FROM senders.endpoint_states l
    JOIN unnest($2::uuid[], $3::uuid[]) AS g (tenant_id, endpoint_id)
        ON l.tenant_id = g.tenant_id AND l.endpoint_id = g.endpoint_id
    WHERE l.lease_owner = $1
    ORDER BY l.tenant_id, l.endpoint_id
    FOR UPDATE OF l
) AS t
WHERE s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id AND s.lease_owner = $1
RETURNING
    s.tenant_id, s.endpoint_id, s.state, s.since_us, s.failures, s.first_failure_us, s.failing_since_us, s.probes,
    s.next_probe_us, s.is_quiet, s.parked, s.is_full, s.wake_us, s.held_until_us

-- After lock_states: what was parked meanwhile is seen. is_resting: nothing is sent until somebody wakes it. One that was
-- woken during the lease is looked at now ($7). Rows that cannot be read come last: with nothing else it waits for them.
-- name: release
UPDATE senders.endpoint_states s SET
    lease_owner = NULL, lease_until_us = 0,
    held_until_us = CASE WHEN s.held_until_us < 0 THEN 0 ELSE t.held_until_us END,
    unsure_before_us = CASE
        WHEN s.unsure_before_us > 0 AND EXISTS (
            SELECT FROM senders.parked p
            WHERE p.endpoint_id = s.endpoint_id AND p.due_us <= s.unsure_before_us AND p.parked_us < s.unsure_before_us
        ) THEN s.unsure_before_us
        ELSE 0
    END,
    wake_us = CASE
        WHEN s.parked = 0 THEN NULL
        WHEN s.held_until_us < 0 THEN greatest($7, t.not_before_us)
        WHEN t.is_resting THEN NULL
        WHEN s.state = 2 AND first.due_us < 9000000000000000000 THEN greatest(s.next_probe_us, t.not_before_us)
        ELSE greatest(t.held_until_us, t.not_before_us, first.due_us)
    END
FROM unnest($2::uuid[], $3::uuid[], $4::boolean[], $5::bigint[], $6::bigint[])
    AS t (tenant_id, endpoint_id, is_resting, held_until_us, not_before_us)
LEFT JOIN LATERAL (
    SELECT p.due_us FROM senders.parked p WHERE p.endpoint_id = t.endpoint_id ORDER BY p.due_us LIMIT 1
) AS first ON true
WHERE s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id AND s.lease_owner = $1

-- States that say nothing; $3: or of endpoints that do not exist any more.
-- name: forget
DELETE FROM senders.endpoint_states s
USING unnest($1::uuid[], $2::uuid[]) AS t (tenant_id, endpoint_id)
WHERE s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id
    AND s.parked = 0 AND s.lease_owner IS NULL AND ($3 OR (s.state = 1 AND s.failures = 0 AND NOT s.is_full))
RETURNING s.tenant_id, s.endpoint_id, s.state, s.is_full

-- After a start: a process may have missed that an endpoint changed. Those that rest are looked at once.
-- name: wake_resting
UPDATE senders.endpoint_states s SET wake_us = $1
FROM (
    SELECT l.tenant_id, l.endpoint_id FROM senders.endpoint_states l
    WHERE l.wake_us IS NULL AND l.parked > 0
    ORDER BY l.tenant_id, l.endpoint_id
    FOR UPDATE
) AS t
WHERE s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id AND s.wake_us IS NULL AND s.parked > 0

-- Up to $4 endpoints that rest, and have something from before $3; see aged.
-- name: wake_aged
UPDATE senders.endpoint_states s SET wake_us = $1
FROM (
    SELECT e.tenant_id, e.endpoint_id FROM senders.endpoint_states e
    WHERE e.wake_us IS NULL AND e.parked > 0 AND EXISTS (
        SELECT FROM senders.parked p
        WHERE p.endpoint_id = e.endpoint_id AND p.delivery_id < $2 AND p.parked_us < $3
            AND p.due_us < 9000000000000000000
    )
    LIMIT $4
    FOR UPDATE SKIP LOCKED
) a
WHERE s.tenant_id = a.tenant_id AND s.endpoint_id = a.endpoint_id

-- name: wake
UPDATE senders.endpoint_states SET wake_us = least(wake_us, $3), held_until_us = -1
WHERE tenant_id = $1 AND endpoint_id = $2 AND parked > 0

-- name: state
SELECT
    tenant_id, endpoint_id, state, since_us, failures, first_failure_us, failing_since_us, probes, next_probe_us,
    is_quiet, parked, is_full, wake_us, held_until_us
FROM senders.endpoint_states WHERE tenant_id = $1 AND endpoint_id = $2

-- name: states
SELECT
    s.tenant_id, s.endpoint_id, s.state, s.since_us, s.failures, s.first_failure_us, s.failing_since_us, s.probes,
    s.next_probe_us, s.is_quiet, s.parked, s.is_full, s.wake_us, s.held_until_us
FROM senders.endpoint_states s
JOIN unnest($1::uuid[], $2::uuid[]) AS t (tenant_id, endpoint_id)
    ON s.tenant_id = t.tenant_id AND s.endpoint_id = t.endpoint_id

-- name: add_notice
INSERT INTO senders.endpoint_notices (tenant_id, endpoint_id, kind, reason, at_us, failing_since_us, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING

-- name: take_notices
UPDATE senders.endpoint_notices n SET taken_until_us = $2
FROM (
    SELECT id FROM senders.endpoint_notices WHERE taken_until_us <= $1 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
) AS first
WHERE n.id = first.id
RETURNING n.id, n.tenant_id, n.endpoint_id, n.kind, n.reason, n.at_us, n.failing_since_us, n.revision

-- name: end_notice
DELETE FROM senders.endpoint_notices WHERE id = $1

-- name: put_back_notice
UPDATE senders.endpoint_notices SET taken_until_us = $2 WHERE id = $1
