-- Which of several providers of one kind was asked.
ALTER TABLE ingest.attempts ADD COLUMN provider_id text NOT NULL DEFAULT '';
