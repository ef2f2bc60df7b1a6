-- The events of the next $3 runs of a person, locked before the runs themselves, as everywhere. $4: the person's addresses,
-- as recipients have them in their bytes: of a run without an id it is known by them whose it is.
-- name: lock_events
SELECT r.id, r.state, r.revision, r.sequence, r.body_size, r.page_after, r.page_upto, r.recipients, r.sends, r.skips,
    r.due_at, r.crashes, r.updated_at, r.open_runs, r.is_closed, r.event, NULL::bytea AS output
FROM router.runs r
WHERE r.id IN (
    SELECT w.run_id
    FROM router.workflow_runs w
    WHERE w.tenant_id = $1 AND (
        w.recipient_id = $2
        OR w.recipient_id = '' AND EXISTS (
            SELECT FROM unnest($4::bytea[]) AS a (field)
            WHERE position(lower(encode(a.field, 'escape')) IN lower(encode(w.recipient, 'escape'))) > 0
        )
    )
    ORDER BY w.id
    LIMIT $3
)
ORDER BY r.id
FOR NO KEY UPDATE

-- $4: the events that are locked; what began meanwhile for another one is for the next call. $5: as $4 above.
-- name: lock_runs
SELECT id, run_id, event_id, tenant_id, workflow_id, version, destination, recipient_id, recipient, state, revision,
    position, steps, output, crashes, updated_at
FROM router.workflow_runs w
WHERE tenant_id = $1
    AND (
        recipient_id = $2
        OR recipient_id = '' AND EXISTS (
            SELECT FROM unnest($5::bytea[]) AS a (field)
            WHERE position(lower(encode(a.field, 'escape')) IN lower(encode(w.recipient, 'escape'))) > 0
        )
    )
    AND (run_id = ANY ($4::uuid[]) OR NOT EXISTS (SELECT FROM router.runs r WHERE r.id = w.run_id))
ORDER BY id
LIMIT $3
FOR UPDATE

-- Nothing is left of the person. What goes on ends: its output is published next.
-- name: erase
UPDATE router.workflow_runs w SET
    destination = '', recipient_id = '', recipient = NULL, steps = '', revision = w.revision + 1,
    state = CASE WHEN w.state IN (1, 2) THEN 4 ELSE w.state END,
    output = t.output, next_at = NULL,
    wake_at = CASE WHEN t.output IS NULL THEN w.wake_at
        ELSE 'epoch'::timestamptz + $3::bigint * interval '1 microsecond' END,
    updated_at = 'epoch'::timestamptz + $3::bigint * interval '1 microsecond'
FROM unnest($1::uuid[], $2::bytea[]) AS t (id, output)
WHERE w.id = t.id

-- name: forget_cooldowns
DELETE FROM router.cooldowns WHERE tenant_id = $1 AND recipient_id = $2

-- name: cooldowns
SELECT c.workflow_id, coalesce(w.name, '') AS workflow_name, c.until
FROM router.cooldowns c
LEFT JOIN router.workflows w ON w.tenant_id = c.tenant_id AND w.id = c.workflow_id
WHERE c.tenant_id = $1 AND c.recipient_id = $2
ORDER BY c.workflow_id
LIMIT $3
