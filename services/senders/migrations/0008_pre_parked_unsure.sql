-- Rows that were parked before may have been sent by a process that did not give its lease back; 0: none.
-- Unix microseconds.
ALTER TABLE senders.endpoint_states ADD COLUMN unsure_before_us bigint NOT NULL DEFAULT 0;
