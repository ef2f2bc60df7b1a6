-- Takes cooldowns that are free, or that the same run has taken before; returns the runs that have them. Each workflow and
-- recipient comes once. $6: now, Unix microseconds.
-- name: take
INSERT INTO router.cooldowns AS c (tenant_id, workflow_id, recipient_id, workflow_run_id, until)
SELECT t.tenant_id, t.workflow_id, t.recipient_id, t.workflow_run_id,
    'epoch'::timestamptz + t.until_us * interval '1 microsecond'
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[])
    AS t (tenant_id, workflow_id, recipient_id, workflow_run_id, until_us)
ORDER BY t.tenant_id, t.workflow_id, t.recipient_id
ON CONFLICT (tenant_id, workflow_id, recipient_id) DO UPDATE SET
    workflow_run_id = excluded.workflow_run_id,
    until = CASE WHEN c.workflow_run_id = excluded.workflow_run_id THEN c.until ELSE excluded.until END
WHERE c.workflow_run_id = excluded.workflow_run_id
    OR c.until <= 'epoch'::timestamptz + $6::bigint * interval '1 microsecond'
RETURNING workflow_run_id

-- name: is_held
SELECT EXISTS (
    SELECT FROM router.cooldowns c
    WHERE c.tenant_id = $1 AND c.workflow_id = $2 AND c.recipient_id = $3
        AND c.until > 'epoch'::timestamptz + $4::bigint * interval '1 microsecond'
)

-- Who has cooldowns.
-- name: holders
SELECT c.workflow_run_id
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS t (tenant_id, workflow_id, recipient_id)
JOIN router.cooldowns c
    ON c.tenant_id = t.tenant_id AND c.workflow_id = t.workflow_id AND c.recipient_id = t.recipient_id

-- name: forget
DELETE FROM router.cooldowns
WHERE (tenant_id, workflow_id, recipient_id) IN (
    SELECT tenant_id, workflow_id, recipient_id FROM router.cooldowns
    WHERE until < 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
    ORDER BY until
    LIMIT 1000
)
