-- The one clock of admission, so that all ingest processes agree. Tests replace it.
CREATE OR REPLACE FUNCTION ingest.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()';
