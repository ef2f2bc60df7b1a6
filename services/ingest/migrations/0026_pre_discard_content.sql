-- What the tenant sends is not stored with the attempt.
ALTER TABLE ingest.retention ADD COLUMN discard_content boolean NOT NULL DEFAULT false;
