-- What stored workflows did. Arguments that are times: Unix microseconds.

-- A run passes each step once, but may wait there again: then until when it waits is the later time.
-- name: insert_workflow_steps
INSERT INTO ingest.workflow_steps AS s (
    event_id, workflow_run_id, step, outcome, tenant_id, workflow_id, workflow_version, destination, at, place, reason,
    detail, until_at
)
SELECT t.event_id, t.workflow_run_id, t.step, t.outcome, t.tenant_id, t.workflow_id, t.workflow_version, t.destination,
    'epoch'::timestamptz + t.at_us * interval '1 microsecond', t.place, t.reason, t.detail,
    'epoch'::timestamptz + t.until_us * interval '1 microsecond'
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::integer[], $8::text[], $9::bigint[],
    $10::smallint[], $11::text[], $12::text[], $13::bigint[]
) AS t (
    event_id, workflow_run_id, step, outcome, tenant_id, workflow_id, workflow_version, destination, at_us, place,
    reason, detail, until_us
)
ORDER BY t.event_id, t.workflow_run_id, t.step, t.outcome
ON CONFLICT (event_id, workflow_run_id, step, outcome) DO UPDATE SET until_at = EXCLUDED.until_at
WHERE EXCLUDED.until_at > s.until_at

-- name: insert_conflicts
INSERT INTO ingest.contact_conflicts (event_id, tenant_id, meant, other, identifier, at)
SELECT t.event_id, t.tenant_id, t.meant, t.other, t.identifier, 'epoch'::timestamptz + t.at_us * interval '1 microsecond'
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    AS t (event_id, tenant_id, meant, other, identifier, at_us)
ORDER BY t.event_id, t.meant, t.other, t.identifier
ON CONFLICT (event_id, meant, other, identifier) DO NOTHING

-- name: delete_secret_payloads
DELETE FROM ingest.event_payloads WHERE tenant_id = $1 AND event_id = ANY ($2::uuid[])

-- At most 1,000 steps of an event, in the order of its runs. $2: of these runs; $3: of these people; null: of all.
-- name: workflow_steps
SELECT s.workflow_run_id, s.workflow_id, s.workflow_version, s.step, s.outcome, s.reason, s.detail, s.at, s.place, s.until_at
FROM ingest.workflow_steps s
WHERE s.event_id = $1 AND ($2::uuid[] IS NULL OR s.workflow_run_id = ANY ($2))
    AND ($3::text[] IS NULL OR s.destination = ANY ($3))
ORDER BY s.event_id, s.workflow_run_id, s.step, s.outcome
LIMIT 1000

-- $2: of this person; null: of all.
-- name: conflicts
SELECT c.meant, c.other, c.identifier, c.at
FROM ingest.contact_conflicts c
WHERE c.event_id = $1 AND ($2::text IS NULL OR c.meant = $2 OR c.other = $2)
ORDER BY c.event_id, c.meant, c.other, c.identifier
LIMIT 100
