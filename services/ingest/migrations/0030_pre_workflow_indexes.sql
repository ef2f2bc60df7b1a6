-- concurrently
-- A table that may be large, and is written while the index is built. Only deliveries of stored workflows are in it.

CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_workflow ON ingest.deliveries (event_id, workflow_id, step, id)
    WHERE workflow_id IS NOT NULL;
