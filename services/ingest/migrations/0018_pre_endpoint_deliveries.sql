-- Deliveries to endpoints: where they go, that they wait in rows of the senders, and what the endpoints answered.

ALTER TABLE ingest.events
    -- The caller's labels as {tenant: {name: value}}: so the index of one tenant's labels is apart from those of the
    -- others, however common a label is. Null: none.
    ADD COLUMN metadata jsonb,
    -- It does not count in ingest.backlog any more, although it is not finished: all that is left of it waits in rows
    -- of the senders. It does not count again when that is sent.
    ADD COLUMN is_released boolean;

-- Null for the other channels.
ALTER TABLE ingest.deliveries
    ADD COLUMN endpoint_id uuid,
    -- The newest attempt, as replay * 65536 + attempt; once nothing more is tried, replay * 65536 + 65535.
    ADD COLUMN tried integer,
    -- The newest parking: before which attempt (numbered like tried), when it began, why, and until when (null: not
    -- known). The delivery waits while parked_turn > tried.
    ADD COLUMN parked_turn integer,
    ADD COLUMN parked_at timestamptz,
    ADD COLUMN parked_reason text,
    ADD COLUMN parked_until timestamptz,
    ADD COLUMN first_attempt_at timestamptz,
    ADD COLUMN next_attempt_at timestamptz,
    ADD COLUMN sent_at timestamptz;

-- Of an HTTP call to an endpoint. Parkings are rows with the status QUEUED (1).
ALTER TABLE ingest.attempts
    -- 0: no answer came.
    ADD COLUMN http_status smallint,
    ADD COLUMN http_url text,
    -- clarion.common.v1.HttpExchange, serialized, without url and status; null: deleted with the event's payload.
    ADD COLUMN http_answer bytea;

ALTER TABLE ingest.replays
    -- Only what was, or would have been, sent to this endpoint; null: any.
    ADD COLUMN endpoint_id uuid,
    -- Empty: any.
    ADD COLUMN event_type text NOT NULL DEFAULT '',
    -- Of a replay to an endpoint without a status: the types that it subscribed to when the replay began, and its
    -- environment.
    ADD COLUMN event_types text[],
    ADD COLUMN environment_id text,
    -- Of a replay of all that ended so: 0 deliveries to people, event by event; then 1 deliveries to endpoints.
    ADD COLUMN stage smallint NOT NULL DEFAULT 0;
-- State 4: running, and only a version that knows these columns may run it. One at a time for each endpoint, and one for
-- no endpoint.
CREATE UNIQUE INDEX replays_running_narrow
    ON ingest.replays (tenant_id, coalesce(endpoint_id, '00000000-0000-0000-0000-000000000000')) WHERE state = 4;
