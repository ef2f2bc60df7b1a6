-- concurrently
-- Only deliveries of stored workflows, by workflow and event: for the events of a workflow, newest first, and for the
-- deliveries of both.

CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_of_workflow ON ingest.deliveries (workflow_id, event_id, step, id)
    WHERE workflow_id IS NOT NULL;
