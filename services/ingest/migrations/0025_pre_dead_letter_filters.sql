-- Finding dead letters by what they were for, and replays of what matches a filter.

-- Null in rows of versions before: then the event and the delivery tell.
ALTER TABLE ingest.dead_letters
    ADD COLUMN event_type text,
    -- The kind of the provider that was called last.
    ADD COLUMN provider text,
    ADD COLUMN endpoint_id uuid;

ALTER TABLE ingest.replays
    -- 0 events, 1 dead letters.
    ADD COLUMN kind smallint NOT NULL DEFAULT 0,
    -- Only deliveries on this channel, with this reason, of this kind of provider; null and empty: any.
    ADD COLUMN channel smallint,
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN provider text NOT NULL DEFAULT '',
    -- How many it will look at, counted when it began; 0: not known.
    ADD COLUMN found bigint NOT NULL DEFAULT 0,
    -- Of dead letters: when the last one that is done with died; position is its id.
    ADD COLUMN position_at timestamptz,
    -- While it is paused: its state before.
    ADD COLUMN paused_state smallint;
-- State 5: running, and only a version that knows these columns may run it. State 6: paused. One at a time of each kind
-- for each endpoint, and one for no endpoint.
CREATE UNIQUE INDEX replays_running_filtered
    ON ingest.replays (tenant_id, kind, coalesce(endpoint_id, '00000000-0000-0000-0000-000000000000')) WHERE state = 5;
