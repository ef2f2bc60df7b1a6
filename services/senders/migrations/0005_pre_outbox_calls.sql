-- Which call wrote the row: a call whose commit was not confirmed is written again, and stands here once.
ALTER TABLE senders.outbox ADD COLUMN call_id uuid;

CREATE UNIQUE INDEX outbox_of_call ON senders.outbox (call_id) WHERE call_id IS NOT NULL;
