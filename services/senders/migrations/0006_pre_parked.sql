-- Deliveries of endpoints that wait; see services/senders/webhooks/parking. Times are Unix microseconds.
CREATE TABLE senders.parked (
    -- In the order of arrival at each endpoint: it is taken while the endpoint's row in endpoint_states is locked.
    sequence bigserial NOT NULL,
    endpoint_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    due_us bigint NOT NULL,
    parked_us bigint NOT NULL,
    replay integer NOT NULL,
    attempt integer NOT NULL,
    -- Raised by each change, so that a process that has lost its lease changes nothing.
    revision integer NOT NULL DEFAULT 0,
    -- Failed probes that were made with it.
    probes integer NOT NULL DEFAULT 0,
    reason text NOT NULL,
    -- clarion.common.v1.Delivery, as it is attempted next.
    delivery bytea NOT NULL,
    PRIMARY KEY (endpoint_id, delivery_id, replay)
);

-- The next ones of an endpoint. Rows of ORDERED endpoints are due when their event was accepted, those of POLLED ones at 0.
CREATE INDEX parked_due ON senders.parked (endpoint_id, due_us, sequence);

-- Whoever adds or deletes rows of an endpoint in senders.parked locks its row here first, so that the count is exact.
CREATE TABLE senders.endpoint_states (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    -- The circuit breaker: see services/senders/webhooks/parking/breaker.py. 1 closed, 2 open, 3 draining.
    state smallint NOT NULL DEFAULT 1,
    since_us bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    first_failure_us bigint NOT NULL DEFAULT 0,
    failing_since_us bigint NOT NULL DEFAULT 0,
    probes integer NOT NULL DEFAULT 0,
    next_probe_us bigint NOT NULL DEFAULT 0,
    is_quiet boolean NOT NULL DEFAULT false,
    -- How many rows it has in senders.parked, and whether that is as many as the tenant allows.
    parked bigint NOT NULL DEFAULT 0,
    is_full boolean NOT NULL DEFAULT false,
    -- When a process looks at it next; null: not before something changes.
    wake_us bigint,
    -- The first one of an ORDERED endpoint is not attempted before.
    held_until_us bigint NOT NULL DEFAULT 0,
    -- The process that works on it, until then.
    lease_owner uuid,
    lease_until_us bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, endpoint_id)
) WITH (fillfactor = 50);

CREATE INDEX endpoint_states_wake ON senders.endpoint_states (wake_us) WHERE wake_us IS NOT NULL;

-- What is to be done about an endpoint besides: disable it, notify the tenant.
CREATE TABLE senders.endpoint_notices (
    id bigserial PRIMARY KEY,
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    -- "down", "recovered", "disable".
    kind text NOT NULL,
    -- Of "disable": "failing" or "gone".
    reason text NOT NULL DEFAULT '',
    at_us bigint NOT NULL,
    failing_since_us bigint NOT NULL DEFAULT 0,
    -- Of "disable": the endpoint's revision. Else the time at which the breaker changed.
    revision bigint NOT NULL,
    taken_until_us bigint NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, endpoint_id, kind, revision)
);
