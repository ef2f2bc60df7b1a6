-- The overview read these; processes of the version before read it more slowly meanwhile.
DROP INDEX ingest.events_open;
DROP INDEX ingest.events_due;
