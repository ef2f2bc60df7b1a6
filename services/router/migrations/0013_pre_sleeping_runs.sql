-- concurrently
-- Workflow runs whose wake_at is null although they have not ended: they sleep because their event is paused.
CREATE INDEX CONCURRENTLY IF NOT EXISTS workflow_runs_asleep ON router.workflow_runs (run_id, id)
    WHERE held_back = 'paused' AND wake_at IS NULL AND state IN (1, 2);
