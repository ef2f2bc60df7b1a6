-- Arguments that are times: Unix microseconds. States 1 to 5: active, waiting, done, canceled, failed
-- (clarion.router.v1.WorkflowRunState). A run's revision is raised by what decides.

-- As claim of router.runs: $2 is now, $3 the end of the lease.
-- name: claim
WITH candidates AS (
    SELECT head.id, head.place, random() AS chance
    FROM generate_series(0, $5::int - 1) AS l (lane)
    CROSS JOIN LATERAL (
        SELECT first.id, row_number() OVER (ORDER BY first.wake_at) AS place
        FROM (
            SELECT id, wake_at FROM router.workflow_runs
            WHERE is_large = $1 AND lane = $6::int + l.lane
                AND wake_at <= 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
            ORDER BY wake_at
            LIMIT 2 * $4::int
        ) AS first
    ) AS head
    ORDER BY head.place, chance
    LIMIT 4 * $4::int
)
UPDATE router.workflow_runs w SET wake_at = 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
FROM (
    SELECT waiting.id FROM candidates c JOIN router.workflow_runs waiting ON waiting.id = c.id
    WHERE waiting.wake_at <= 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
    ORDER BY c.place, c.chance
    LIMIT $4
    FOR UPDATE OF waiting SKIP LOCKED
) AS due
WHERE w.id = due.id
RETURNING w.id, w.run_id, w.event_id, w.tenant_id, w.workflow_id, w.version, w.destination, w.recipient_id, w.recipient,
    w.state, w.revision, w.position, w.steps, w.output, w.crashes, w.updated_at

-- The runs of their events.
-- name: events
SELECT id, state, revision, sequence, body_size, page_after, page_upto, recipients, sends, skips, due_at, crashes,
    updated_at, open_runs, is_closed, event, NULL::bytea AS output
FROM router.runs WHERE id = ANY($1::uuid[])

-- name: lock_event
SELECT r.id, r.state, r.revision, r.sequence, r.body_size, r.page_after, r.page_upto, r.recipients, r.sends, r.skips,
    r.due_at, r.crashes, r.updated_at, r.open_runs, r.is_closed, r.event, NULL::bytea AS output
FROM router.runs r
WHERE r.id = (SELECT run_id FROM router.workflow_runs WHERE id = $1) AND NOT r.is_closed
FOR NO KEY UPDATE

-- Seconds from $2 until the next run must be looked at; null: none.
-- name: until_next
SELECT extract(epoch FROM min(head.wake_at) - ('epoch'::timestamptz + $2::bigint * interval '1 microsecond'))::float8
FROM generate_series(0, $3::int - 1) AS l (lane)
CROSS JOIN LATERAL (
    SELECT wake_at FROM router.workflow_runs
    WHERE wake_at IS NOT NULL AND is_large = $1 AND lane = $4::int + l.lane
    ORDER BY wake_at
    LIMIT 1
) AS head

-- Not if another process decided it meanwhile, nor if its event has ended or is paused: that row is locked, so that nothing
-- is planned that its closing record did not count. Returns the runs that were written.
-- name: decide
WITH open AS (
    SELECT id FROM router.runs WHERE id = ANY($2::uuid[]) AND NOT is_closed AND state <> 3 ORDER BY id FOR NO KEY UPDATE
), written AS (
    UPDATE router.workflow_runs w SET
        state = t.state, revision = w.revision + 1, output = t.output, position = t.position, steps = t.steps,
        next_at = 'epoch'::timestamptz + nullif(t.next_us, 0) * interval '1 microsecond',
        held_back = '', crashes = 0,
        updated_at = 'epoch'::timestamptz + $11::bigint * interval '1 microsecond'
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bigint[],
        $9::smallint[], $10::bigint[]
    ) AS t (id, run_id, revision, output, position, steps, sends, skips, state, next_us)
    JOIN open ON open.id = t.run_id
    WHERE w.id = t.id AND w.revision = t.revision AND w.state IN (1, 2) AND w.output IS NULL
    RETURNING w.id, w.run_id, t.sends, t.skips
), counted AS (
    UPDATE router.runs r SET
        sends = r.sends + c.sends, skips = r.skips + c.skips,
        updated_at = 'epoch'::timestamptz + $11::bigint * interval '1 microsecond'
    FROM (
        SELECT run_id, sum(sends)::bigint AS sends, sum(skips)::bigint AS skips FROM written GROUP BY run_id
    ) AS c
    WHERE r.id = c.run_id
)
SELECT id FROM written

-- What was decided at this revision is published, and the run goes on.
-- name: published
UPDATE router.workflow_runs w SET output = NULL, wake_at = w.next_at
FROM unnest($1::uuid[], $2::bigint[]) AS t (id, revision)
WHERE w.id = t.id AND w.revision = t.revision AND w.output IS NOT NULL AND w.state IN (1, 2)
RETURNING w.id

-- The same of runs that have ended: nothing is kept of them but whose they were and what they did. Only now their event may
-- end, because what they send needs its body; it is looked at when none is open any more. Returns such events.
-- name: ends_published
WITH event AS (
    SELECT id FROM router.runs WHERE id = ANY($3::uuid[]) ORDER BY id FOR NO KEY UPDATE
), done AS (
    UPDATE router.workflow_runs w SET
        output = NULL, wake_at = NULL, recipient = NULL,
        finished_at = 'epoch'::timestamptz + $4::bigint * interval '1 microsecond'
    FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS t (id, revision, run_id)
    JOIN event ON event.id = t.run_id
    WHERE w.id = t.id AND w.revision = t.revision AND w.output IS NOT NULL AND w.state > 2
    RETURNING w.run_id
)
UPDATE router.runs r SET
    open_runs = r.open_runs - c.ended,
    wake_at = CASE WHEN r.state = 7 AND r.output IS NULL AND r.open_runs = c.ended
        THEN 'epoch'::timestamptz + $4::bigint * interval '1 microsecond' ELSE r.wake_at END,
    event = CASE WHEN r.finished_at IS NOT NULL AND r.open_runs = c.ended THEN ''::bytea ELSE r.event END
FROM (SELECT run_id, count(*) AS ended FROM done GROUP BY run_id) AS c
WHERE r.id = c.run_id
RETURNING r.id, r.state = 7 AND r.open_runs = 0 AS is_due

-- Not what was decided meanwhile, nor what has ended. $6: runs of events that were paused. If such an event is paused still,
-- its workflow runs sleep until they are woken. Its row is locked, so that resuming it finds them asleep.
-- name: hold_back
WITH paused AS (
    SELECT id FROM router.runs WHERE id = ANY($6::uuid[]) AND state = 3 ORDER BY id FOR SHARE
)
UPDATE router.workflow_runs w SET
    held_back = t.reason, crashes = t.crashes,
    wake_at = CASE WHEN t.reason = 'paused' AND w.run_id IN (SELECT id FROM paused) THEN NULL
        ELSE 'epoch'::timestamptz + t.until_us * interval '1 microsecond' END
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::smallint[], $5::bigint[])
    AS t (id, revision, reason, crashes, until_us)
WHERE w.id = t.id AND w.revision = t.revision AND w.wake_at IS NOT NULL

-- Those of an event that sleep because it was paused.
-- name: wake_paused
UPDATE router.workflow_runs SET
    wake_at = 'epoch'::timestamptz + $2::bigint * interval '1 microsecond', held_back = ''
WHERE id IN (
    SELECT id FROM router.workflow_runs
    WHERE run_id = $1 AND held_back = 'paused' AND wake_at IS NULL AND state IN (1, 2)
    ORDER BY id
    LIMIT 1000
    FOR UPDATE
)

-- Up to $1 events that go on although their runs sleep: the process that was to wake them ended before it did. Each event
-- with sleeping runs is looked up once, however many it has.
-- name: resumed
WITH RECURSIVE asleep AS (
    (
        SELECT w.run_id FROM router.workflow_runs w
        WHERE w.held_back = 'paused' AND w.wake_at IS NULL AND w.state IN (1, 2)
        ORDER BY w.run_id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT w.run_id FROM router.workflow_runs w
        WHERE w.held_back = 'paused' AND w.wake_at IS NULL AND w.state IN (1, 2) AND w.run_id > a.run_id
        ORDER BY w.run_id
        LIMIT 1
    )
    FROM asleep a
    WHERE a.run_id IS NOT NULL
)
SELECT r.id FROM asleep a JOIN router.runs r ON r.id = a.run_id WHERE r.state <> 3 AND NOT r.is_closed LIMIT $1

-- Ends runs whose rows cannot be read, as ends_published does; what they had decided is lost.
-- name: end_unreadable
WITH event AS (
    SELECT id FROM router.runs WHERE id = ANY($3::uuid[]) ORDER BY id FOR NO KEY UPDATE
), done AS (
    UPDATE router.workflow_runs w SET
        state = CASE WHEN w.state IN (1, 2) THEN 5 ELSE w.state END, revision = w.revision + 1,
        output = NULL, wake_at = NULL, next_at = NULL, recipient = NULL, position = '{}', steps = '', held_back = '',
        updated_at = 'epoch'::timestamptz + $4::bigint * interval '1 microsecond',
        finished_at = 'epoch'::timestamptz + $4::bigint * interval '1 microsecond'
    FROM unnest($1::uuid[], $2::bigint[]) AS t (id, revision)
    -- Counted before, so that the events are locked first.
    CROSS JOIN (SELECT count(*) FROM event) AS locked
    WHERE w.id = t.id AND w.revision = t.revision AND w.finished_at IS NULL
    RETURNING w.run_id
)
UPDATE router.runs r SET
    open_runs = r.open_runs - c.ended,
    wake_at = CASE WHEN r.state = 7 AND r.output IS NULL AND r.open_runs = c.ended
        THEN 'epoch'::timestamptz + $4::bigint * interval '1 microsecond' ELSE r.wake_at END,
    event = CASE WHEN r.finished_at IS NOT NULL AND r.open_runs = c.ended THEN ''::bytea ELSE r.event END
FROM (SELECT run_id, count(*) AS ended FROM done GROUP BY run_id) AS c
WHERE r.id = c.run_id

-- name: lock
SELECT w.id, w.run_id, w.event_id, w.tenant_id, w.workflow_id, w.version, w.destination, w.recipient_id, w.recipient,
    w.state, w.revision, w.position, w.steps, w.output, w.crashes, w.updated_at
FROM router.workflow_runs w
WHERE w.id = $1 AND w.state IN (1, 2) FOR UPDATE

-- Ends a run whatever it waits for; its output is published next.
-- name: end
UPDATE router.workflow_runs SET
    state = 4, revision = revision + 1, output = $2, steps = $3, held_back = '', next_at = NULL,
    wake_at = 'epoch'::timestamptz + $4::bigint * interval '1 microsecond',
    updated_at = 'epoch'::timestamptz + $4::bigint * interval '1 microsecond'
WHERE id = $1

-- The next ones after $2.
-- name: ended_events
SELECT id FROM router.runs WHERE is_closed AND open_runs > 0 AND id > $2 ORDER BY id LIMIT $1

-- Ends the next $3 runs, after $2, of an event that has ended. What is decided is published first.
-- name: end_some
WITH event AS (
    SELECT id FROM router.runs WHERE id = $1 AND is_closed FOR NO KEY UPDATE
), page AS (
    SELECT w.id FROM event JOIN router.workflow_runs w ON w.run_id = event.id
    WHERE w.id > $2
    ORDER BY w.id
    LIMIT $3
), ended AS (
    UPDATE router.workflow_runs w SET
        state = 4, next_at = NULL,
        revision = CASE WHEN w.output IS NULL THEN w.revision + 1 ELSE w.revision END,
        wake_at = CASE WHEN w.output IS NULL THEN NULL ELSE w.wake_at END,
        recipient = CASE WHEN w.output IS NULL THEN NULL ELSE w.recipient END,
        finished_at = CASE WHEN w.output IS NULL
            THEN 'epoch'::timestamptz + $4::bigint * interval '1 microsecond' END,
        updated_at = 'epoch'::timestamptz + $4::bigint * interval '1 microsecond'
    FROM page
    WHERE w.id = page.id AND w.state IN (1, 2)
    RETURNING w.finished_at
), counted AS (
    UPDATE router.runs r SET
        open_runs = r.open_runs - c.ended,
        event = CASE WHEN r.finished_at IS NOT NULL AND r.open_runs = c.ended THEN ''::bytea ELSE r.event END
    FROM (SELECT count(*) FILTER (WHERE finished_at IS NOT NULL) AS ended FROM ended) AS c
    WHERE r.id = $1
)
SELECT CASE WHEN count(*) = $3 THEN max(id::text) END FROM page

-- name: forget
DELETE FROM router.workflow_runs WHERE id IN (
    SELECT id FROM router.workflow_runs
    WHERE finished_at < 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
    ORDER BY finished_at
    LIMIT 1000
)
