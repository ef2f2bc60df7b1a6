-- A text message that would be billed as more segments than this is not sent.
ALTER TABLE ingest.tenants
    ADD COLUMN max_sms_segments smallint NOT NULL DEFAULT 10 CHECK (max_sms_segments BETWEEN 1 AND 255);
