-- concurrently
-- Tables that may be large, and are written while the indexes are built.

-- Only deliveries of stored workflows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_workflow ON ingest.deliveries (event_id, workflow_id, step, id)
    WHERE workflow_id IS NOT NULL;

-- In place of events_open and events_due: without events of which all that is left waits in workflow runs, perhaps for
-- weeks, as it should.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_under_way ON ingest.events (tenant_id, id)
    WHERE finished_at IS NULL AND due_at IS NULL AND (is_released AND has_workflows) IS NOT TRUE;

CREATE INDEX CONCURRENTLY IF NOT EXISTS events_due_under_way ON ingest.events (tenant_id, due_at)
    WHERE finished_at IS NULL AND due_at IS NOT NULL AND (is_released AND has_workflows) IS NOT TRUE;
