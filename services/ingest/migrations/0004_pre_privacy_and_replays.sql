-- Retention, erasure, replays, and what they need to know of an event.

-- What each event carried, as it stood in EVENTS: for replays and exports. Apart from ingest.events, whose rows are
-- rewritten several times each.
CREATE TABLE ingest.event_payloads (
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    -- clarion.common.v1.Event, serialised.
    event bytea NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);

ALTER TABLE ingest.events ADD COLUMN replay_of uuid;
CREATE INDEX events_replays ON ingest.events (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX dead_letters_event ON ingest.dead_letters (event_id);

-- Days; 0: the installation's default. No row: all of them.
CREATE TABLE ingest.retention (
    tenant_id uuid PRIMARY KEY REFERENCES ingest.tenants (id),
    events_days integer NOT NULL,
    payload_days integer NOT NULL,
    inbox_days integer NOT NULL,
    outbox_days integer NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Recipients erased within the last week; what was accepted until erased_at is sent to nobody. After that week
-- nothing connects a person with the events that were theirs.
CREATE TABLE ingest.erasures (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- services.erasures.digest_of(tenant, user)
    recipient text NOT NULL,
    erased_at timestamptz NOT NULL,
    UNIQUE (tenant_id, recipient)
);

CREATE TABLE ingest.replays (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    -- clarion.common.v1.DeliveryStatus; 0: every event.
    status smallint NOT NULL,
    per_second integer NOT NULL,
    -- clarion.ingest.v1.ReplayState
    state smallint NOT NULL,
    replayed integer NOT NULL DEFAULT 0,
    unplayable integer NOT NULL DEFAULT 0,
    waiting text NOT NULL DEFAULT '',
    -- The last event done with.
    position uuid NOT NULL,
    next_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX replays_tenant ON ingest.replays (tenant_id, id);
-- One at a time.
CREATE UNIQUE INDEX replays_running ON ingest.replays (tenant_id) WHERE state = 1;
