-- Test sends, and what an SMS was billed as.
ALTER TABLE ingest.events ADD COLUMN is_test boolean;
ALTER TABLE ingest.attempts
    ADD COLUMN sms_segments smallint NOT NULL DEFAULT 0,
    ADD COLUMN sms_encoding text NOT NULL DEFAULT '';
