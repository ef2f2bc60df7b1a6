-- How many deliveries of an event have each status.

-- Of a statement that writes deliveries, which it has as "written": event_id, counted, counted_before, workflow_id, step,
-- channel. Changes the counters of events; count_workflows does the rest. That order is the same in every statement, so
-- that two do not deadlock.
-- name: count_events
changes AS (
    SELECT w.event_id, w.workflow_id, w.step, w.channel, c.status, sum(c.n) AS n
    FROM written w
    CROSS JOIN LATERAL (VALUES (w.counted, 1), (w.counted_before, -1)) AS c (status, n)
    WHERE w.counted IS DISTINCT FROM w.counted_before AND c.status IS NOT NULL
    GROUP BY w.event_id, w.workflow_id, w.step, w.channel, c.status
    HAVING sum(c.n) <> 0
),
of_events AS (
    INSERT INTO ingest.event_counts AS t (event_id, status, n)
    SELECT c.event_id, c.status, sum(c.n) FROM changes c
    GROUP BY c.event_id, c.status
    ORDER BY c.event_id, c.status
    ON CONFLICT (event_id, status) DO UPDATE SET n = t.n + EXCLUDED.n
    RETURNING 1
)

-- name: count_workflows
INSERT INTO ingest.workflow_counts AS t (event_id, workflow_id, step, channel, status, n)
SELECT c.event_id, c.workflow_id, coalesce(c.step, ''), c.channel, c.status, c.n
FROM changes c
WHERE c.workflow_id IS NOT NULL AND (SELECT count(*) FROM of_events) > 0
ORDER BY c.event_id, c.workflow_id, c.step, c.channel, c.status
ON CONFLICT (event_id, workflow_id, step, channel, status) DO UPDATE SET n = t.n + EXCLUDED.n

-- By workflow and step: from counters where the event has them, else from its rows; those to endpoints that subscribe are
-- few, and always counted from the rows. 0: they wait in rows of the senders. A limit is not reached by an event that was
-- accepted: it would need 5,000 steps.
-- name: of_workflows
SELECT f.workflow_id, f.step, f.channel, f.status, sum(f.n)::bigint AS n
FROM (
    SELECT c.workflow_id, c.step, c.channel, c.status, c.n
    FROM ingest.workflow_counts c WHERE c.event_id = $1 AND c.n > 0
    UNION ALL
    SELECT NULL, d.step, d.channel, d.status, count(*)
    FROM ingest.deliveries d
    WHERE d.tenant_id = $2 AND d.event_id = $1 AND d.channel = 4 AND d.workflow_id IS NULL
        AND EXISTS (SELECT 1 FROM ingest.workflow_counts c WHERE c.event_id = $1)
    GROUP BY d.step, d.channel, d.status
    UNION ALL
    SELECT d.workflow_id, d.step, d.channel, d.status, count(*)
    FROM ingest.deliveries d
    WHERE d.event_id = $1 AND NOT EXISTS (SELECT 1 FROM ingest.workflow_counts c WHERE c.event_id = $1)
    GROUP BY d.workflow_id, d.step, d.channel, d.status
) AS f
GROUP BY f.workflow_id, f.step, f.channel, f.status
ORDER BY f.workflow_id NULLS FIRST, f.step, f.channel, f.status
LIMIT 5000
