-- The index of the migration before has the same columns in another order, and serves the same queries.
DROP INDEX ingest.deliveries_workflow;
