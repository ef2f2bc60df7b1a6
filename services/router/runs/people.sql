-- Runs of a tenant that have not ended and may name a person, whose id and addresses $3 are as bytes. Of those that follow $2 the next
-- $4 are looked at, up to the $5th that does.
-- name: lock_naming
SELECT r.id, r.state, r.revision, r.sequence, r.body_size, r.page_after, r.page_upto, r.recipients, r.sends, r.skips, r.due_at,
    r.crashes, r.updated_at, r.open_runs, r.is_closed, r.event, r.output
FROM router.runs r
WHERE r.id IN (
    SELECT id FROM router.runs WHERE tenant_id = $1 AND finished_at IS NULL AND id > $2 ORDER BY id LIMIT $4
) AND EXISTS (
    -- Whatever their case.
    SELECT FROM unnest($3::bytea[]) AS n (name)
    WHERE position(lower(encode(n.name, 'escape')) IN lower(encode(r.event, 'escape'))) > 0
        OR position(lower(encode(n.name, 'escape')) IN lower(encode(r.output, 'escape'))) > 0
)
ORDER BY r.id
LIMIT $5
FOR UPDATE OF r

-- The last one that this looks at; null: there are no more than $3.
-- name: last_looked_at
SELECT CASE WHEN count(*) = $3 THEN max(page.id::text) END
FROM (
    SELECT id FROM router.runs WHERE tenant_id = $1 AND finished_at IS NULL AND id > $2 ORDER BY id LIMIT $3
) AS page

-- The revision is raised, so a router that has read the run as it was before stores no decision. What is to be published
-- is published now.
-- name: replace
UPDATE router.runs r SET
    event = t.event, output = t.output, sends = t.sends, skips = t.skips, is_closed = t.is_closed,
    revision = r.revision + 1,
    state = CASE WHEN t.is_closed AND r.state IN (1, 3) THEN 2 ELSE r.state END,
    wake_at = CASE WHEN t.output IS NULL THEN r.wake_at
        ELSE 'epoch'::timestamptz + $7::bigint * interval '1 microsecond' END
FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::boolean[])
    AS t (id, event, output, sends, skips, is_closed)
WHERE r.id = t.id
