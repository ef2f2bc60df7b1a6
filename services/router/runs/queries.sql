-- Arguments that are times: Unix microseconds. A run's revision is raised by what decides (a page, a cancellation), not
-- by a pause.

-- An event that has a run keeps it. Those that this process goes on with at once are leased until $15. 1 to 7: waiting,
-- expanding, paused, done, canceled, failed, running (clarion.router.v1.RunState).
-- name: begin
INSERT INTO router.runs (
    id, event_id, tenant_id, event_type, scope, lane, state, is_large, due_at, wake_at, event, sequence, body_size,
    created_at, updated_at
)
SELECT
    t.id, t.event_id, t.tenant_id, t.event_type, t.scope, t.lane, t.state, t.is_large,
    'epoch'::timestamptz + nullif(t.due_us, 0) * interval '1 microsecond',
    'epoch'::timestamptz + (CASE WHEN t.is_taken THEN $15 ELSE greatest(t.due_us, $13) END) * interval '1 microsecond',
    t.event, t.sequence, t.body_size,
    'epoch'::timestamptz + $13 * interval '1 microsecond',
    'epoch'::timestamptz + $13 * interval '1 microsecond'
FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::smallint[], $8::boolean[],
    $9::bigint[], $10::bytea[], $11::bigint[], $12::integer[], $14::boolean[]
) AS t (id, event_id, tenant_id, event_type, scope, lane, state, is_large, due_us, event, sequence, body_size, is_taken)
ORDER BY t.id
ON CONFLICT (id) DO NOTHING
RETURNING id

-- After begin's commit, because the cancellation may have been stored at the same time.
-- name: wake_canceled
UPDATE router.runs r SET wake_at = 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
FROM router.canceled_events c
WHERE r.id = ANY($1::uuid[]) AND r.state IN (1, 2) AND r.output IS NULL
    AND r.wake_at > 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
    AND c.tenant_id = r.tenant_id AND c.event_id = r.event_id
RETURNING r.id

-- Leases up to $4 runs whose time has come: if this process dies, another one sees them when the lease ends at $3. The
-- first one of each lane goes before the second of any, so that a tenant with thousands delays few others; among equals
-- chance decides, because by age a flood would always be first. There are more candidates than are taken: other
-- processes take some of them at the same time.
-- name: claim
WITH candidates AS (
    SELECT head.id, head.place, random() AS chance
    FROM generate_series(0, $5::int - 1) AS l (lane)
    CROSS JOIN LATERAL (
        SELECT first.id, row_number() OVER (ORDER BY first.wake_at) AS place
        FROM (
            SELECT id, wake_at FROM router.runs
            WHERE is_large = $1 AND lane = l.lane
                AND wake_at <= 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
            ORDER BY wake_at
            LIMIT 2 * $4::int
        ) AS first
    ) AS head
    ORDER BY head.place, chance
    LIMIT 4 * $4::int
)
UPDATE router.runs r SET wake_at = 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
FROM (
    SELECT waiting.id FROM candidates c JOIN router.runs waiting ON waiting.id = c.id
    WHERE waiting.wake_at <= 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
    ORDER BY c.place, c.chance
    LIMIT $4
    FOR UPDATE OF waiting SKIP LOCKED
) AS due
WHERE r.id = due.id
RETURNING r.id, r.state, r.revision, r.sequence, r.body_size, r.page_after, r.page_upto, r.recipients, r.sends, r.skips,
    r.due_at, r.crashes, r.updated_at, r.open_runs, r.event, r.output, EXISTS (
        SELECT 1 FROM router.canceled_events c WHERE c.tenant_id = r.tenant_id AND c.event_id = r.event_id
    ) AS is_canceled

-- Seconds from $2 until the next run must be looked at; null: none.
-- name: until_next
SELECT extract(epoch FROM min(head.wake_at) - ('epoch'::timestamptz + $2::bigint * interval '1 microsecond'))::float8
FROM generate_series(0, $3::int - 1) AS l (lane)
CROSS JOIN LATERAL (
    SELECT wake_at FROM router.runs
    WHERE wake_at IS NOT NULL AND is_large = $1 AND lane = l.lane
    ORDER BY wake_at
    LIMIT 1
) AS head

-- Not if it was paused, canceled or decided by another process meanwhile. Returns the runs that were written. Rows are
-- locked in the order of their ids, here and below, because workflow runs count in them too.
-- name: decide
UPDATE router.runs r SET
    state = t.state, revision = r.revision + 1, output = t.output, page_after = t.page_after, page_upto = t.page_upto,
    recipients = t.recipients, sends = r.sends + t.sends, skips = r.skips + t.skips,
    open_runs = r.open_runs + t.new_runs, is_read = r.is_read OR t.is_last, is_closed = t.closes,
    held_back = '', crashes = 0,
    updated_at = 'epoch'::timestamptz + $13::bigint * interval '1 microsecond'
FROM unnest(
    $1::uuid[], $2::bigint[], $3::bytea[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::boolean[], $10::boolean[], $11::smallint[], $12::bigint[]
) AS t (id, revision, output, page_after, page_upto, recipients, sends, skips, is_last, closes, state, new_runs)
JOIN (SELECT id FROM router.runs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) AS locked ON locked.id = t.id
WHERE r.id = t.id AND r.revision = t.revision AND r.state IN (1, 2, 7) AND r.output IS NULL
RETURNING r.id

-- What was decided at this revision is published. A paused run stays so, unless this was its end. One whose workflow runs
-- go on is looked at again when the last one ends. Of a run that has ended nothing about people is kept.
-- name: published
UPDATE router.runs r SET
    output = NULL,
    event = CASE WHEN r.is_closed AND r.open_runs = 0 THEN ''::bytea ELSE r.event END,
    state = CASE WHEN r.is_closed AND r.state NOT IN (5, 6) THEN 4 ELSE r.state END,
    wake_at = CASE WHEN r.is_closed OR r.state NOT IN (1, 2, 7) OR r.is_read AND r.open_runs > 0 THEN NULL
        ELSE 'epoch'::timestamptz + $3::bigint * interval '1 microsecond' END,
    finished_at = CASE WHEN r.is_closed THEN 'epoch'::timestamptz + $3::bigint * interval '1 microsecond' END,
    updated_at = 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
FROM unnest($1::uuid[], $2::bigint[]) AS t (id, revision)
JOIN (SELECT id FROM router.runs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) AS locked ON locked.id = t.id
WHERE r.id = t.id AND r.revision = t.revision AND r.output IS NOT NULL

-- Not what was decided meanwhile, nor what has ended or is paused.
-- name: hold_back
UPDATE router.runs r SET
    held_back = t.reason, crashes = t.crashes,
    wake_at = 'epoch'::timestamptz + t.until_us * interval '1 microsecond'
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::smallint[], $5::bigint[])
    AS t (id, revision, reason, crashes, until_us)
JOIN (SELECT id FROM router.runs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) AS locked ON locked.id = t.id
WHERE r.id = t.id AND r.revision = t.revision AND r.wake_at IS NOT NULL

-- name: run_of_event
SELECT id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at
FROM router.runs WHERE id = $1

-- name: lock_run
SELECT id, event_id, tenant_id, event_type, scope, state, revision, sequence, body_size, page_after, page_upto, due_at,
    recipients, sends, skips, open_runs, held_back, crashes, is_closed, event, output, created_at, updated_at
FROM router.runs WHERE id = $1 AND tenant_id = $2 FOR UPDATE

-- name: runs
SELECT id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at
FROM router.runs
WHERE id < $1
ORDER BY id DESC
LIMIT $2

-- name: runs_of_tenant
SELECT id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at
FROM router.runs
WHERE id < $1 AND tenant_id = $3
ORDER BY id DESC
LIMIT $2

-- $4: in this state; null: in any.
-- name: runs_of_tenants
SELECT id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at
FROM router.runs
WHERE id < $1 AND tenant_id = ANY ($3::uuid[]) AND ($4::smallint IS NULL OR state = $4)
ORDER BY id DESC
LIMIT $2

-- name: runs_in_state
SELECT id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at
FROM router.runs
WHERE id < $1 AND state = $3
ORDER BY id DESC
LIMIT $2

-- name: runs_of_tenant_in_state
SELECT id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at
FROM router.runs
WHERE id < $1 AND tenant_id = $3 AND state = $4
ORDER BY id DESC
LIMIT $2

-- What is decided and not known to be published still is: its lease runs on.
-- name: pause
UPDATE router.runs SET
    state = 3, held_back = '', wake_at = CASE WHEN output IS NULL THEN NULL ELSE wake_at END,
    updated_at = 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
WHERE id = $1 AND state IN (1, 2, 7) AND NOT is_closed
RETURNING id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at

-- name: resume
UPDATE router.runs SET
    state = CASE
        WHEN due_at > 'epoch'::timestamptz + $2::bigint * interval '1 microsecond' THEN 1
        WHEN is_read THEN 7
        ELSE 2
    END,
    wake_at = CASE WHEN output IS NOT NULL THEN wake_at WHEN is_read AND open_runs > 0 THEN NULL
        ELSE greatest(due_at, 'epoch'::timestamptz + $2::bigint * interval '1 microsecond') END,
    crashes = 0,
    updated_at = 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
WHERE id = $1 AND state = 3
RETURNING id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at

-- name: insert_canceled
INSERT INTO router.canceled_events (tenant_id, event_id, canceled_at)
VALUES ($1, $2, 'epoch'::timestamptz + $3::bigint * interval '1 microsecond')
ON CONFLICT DO NOTHING
RETURNING event_id

-- name: cancel
UPDATE router.runs SET
    state = 5, revision = revision + 1, output = $2, is_closed = true, held_back = '',
    wake_at = 'epoch'::timestamptz + $3::bigint * interval '1 microsecond',
    updated_at = 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
WHERE id = $1
RETURNING id, event_id, tenant_id, event_type, scope, state, due_at, recipients, sends, skips, open_runs, held_back,
    created_at, updated_at

-- name: old_canceled
SELECT tenant_id, event_id FROM router.canceled_events
WHERE canceled_at < 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
ORDER BY canceled_at
LIMIT 1000

-- Not of events whose run has not ended: it would go on. $3: the ids of the events' runs.
-- name: forget_canceled
DELETE FROM router.canceled_events c
USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS old (tenant_id, event_id, run_id)
WHERE c.tenant_id = old.tenant_id AND c.event_id = old.event_id
    AND NOT EXISTS (SELECT 1 FROM router.runs r WHERE r.id = old.run_id AND r.finished_at IS NULL)
RETURNING c.tenant_id, c.event_id

-- name: forget_runs
DELETE FROM router.runs WHERE id IN (
    SELECT id FROM router.runs
    WHERE finished_at < 'epoch'::timestamptz + $1::bigint * interval '1 microsecond' AND open_runs = 0
    ORDER BY finished_at
    LIMIT 1000
)

-- name: begin_workflow_runs
INSERT INTO router.workflow_runs (
    id, run_id, event_id, tenant_id, lane, is_large, workflow_id, version, destination, recipient_id, recipient, state,
    wake_at, position, created_at, updated_at
)
SELECT
    t.id, t.run_id, r.event_id, r.tenant_id, r.lane, r.is_large, t.workflow_id, t.version, t.destination, t.recipient_id,
    t.recipient, 1,
    'epoch'::timestamptz + $9::bigint * interval '1 microsecond', '{}',
    'epoch'::timestamptz + $9::bigint * interval '1 microsecond',
    'epoch'::timestamptz + $9::bigint * interval '1 microsecond'
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::bytea[])
    AS t (id, run_id, workflow_id, version, destination, recipient_id, recipient)
JOIN router.runs r ON r.id = t.run_id
WHERE t.run_id = ANY($8::uuid[])
ON CONFLICT (id) DO NOTHING
RETURNING run_id

-- Fewer have begun than were counted.
-- name: uncount_workflow_runs
UPDATE router.runs SET open_runs = open_runs - $2 WHERE id = $1
