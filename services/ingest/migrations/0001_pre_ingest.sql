-- Accounts, tenants and keys; admission; the ledger.

CREATE TABLE ingest.accounts (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ingest.tenants (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES ingest.accounts (id),
    name text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    delivery_channels smallint[] NOT NULL DEFAULT '{}',
    sender_name text NOT NULL DEFAULT '',
    sender_email text NOT NULL DEFAULT '',
    reply_to text NOT NULL DEFAULT '',
    max_unfinished_events integer NOT NULL DEFAULT 100000,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ingest.api_keys (
    -- SHA-256 of the key: 256 random bits need no salt.
    digest bytea PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES ingest.tenants (id),
    last4 text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX api_keys_tenant ON ingest.api_keys (tenant_id);

CREATE TABLE ingest.config_outbox (
    id bigserial PRIMARY KEY,
    key text NOT NULL,
    value bytea
);

-- One row per deduplication key of the last 24 hours. Written with synchronous_commit off:
-- the broker's duplicate window covers what a crash forgets.
CREATE TABLE ingest.admission (
    tenant_id uuid NOT NULL,
    key_hash bytea NOT NULL,
    event_id uuid NOT NULL,
    -- false: the event may or may not have reached EVENTS; a repeat publishes it again under event_id.
    stored boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key_hash)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX admission_created ON ingest.admission USING brin (created_at) WITH (pages_per_range = 16);

-- Accepted events of a tenant that are not finished; counted at admission and by the ledger, put right by the janitor.
CREATE TABLE ingest.backlog (
    tenant_id uuid PRIMARY KEY,
    unfinished bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- The ledger. Accepted and routed arrive on two streams in any order: either may create the row.
CREATE TABLE ingest.events (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    event_type text,
    caller_event_id text,
    user_id text,
    email text,
    phone text,
    trace_id text,
    accepted_at timestamptz,
    routed_at timestamptz,
    route_us bigint,
    route_reason text,
    -- Deliveries planned or decided against; null until routed.
    planned smallint,
    finished_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX events_tenant ON ingest.events (tenant_id, id);
CREATE INDEX events_user ON ingest.events (user_id, id);
CREATE INDEX events_unfinished ON ingest.events (id) WHERE finished_at IS NULL;
CREATE INDEX events_caller_id ON ingest.events (caller_event_id) WHERE caller_event_id <> '';

CREATE TABLE ingest.deliveries (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    channel smallint NOT NULL,
    -- clarion.common.v1.DeliveryStatus
    status smallint NOT NULL,
    reason text NOT NULL,
    provider text NOT NULL,
    attempts smallint NOT NULL,
    replay smallint NOT NULL,
    template_version_id text,
    provider_id text,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX deliveries_event ON ingest.deliveries (event_id);
CREATE INDEX deliveries_trouble ON ingest.deliveries (status, event_id) WHERE status NOT IN (1, 4, 5);

CREATE TABLE ingest.attempts (
    -- The trace record's own id: a record read twice is one row.
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    channel smallint NOT NULL,
    attempt smallint NOT NULL,
    replay smallint NOT NULL,
    status smallint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    provider text NOT NULL,
    provider_message_id text NOT NULL,
    ended_at timestamptz NOT NULL,
    wait_us bigint NOT NULL,
    render_us bigint NOT NULL,
    send_us bigint NOT NULL,
    next_attempt_at timestamptz
);
CREATE INDEX attempts_event ON ingest.attempts (event_id);

CREATE TABLE ingest.dead_letters (
    delivery_id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    channel smallint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    died_at timestamptz NOT NULL,
    -- clarion.common.v1.Delivery, serialised.
    delivery bytea NOT NULL,
    replayed_at timestamptz
);
CREATE INDEX dead_letters_waiting ON ingest.dead_letters (died_at, delivery_id) WHERE replayed_at IS NULL;

-- Admits a group of events: duplicates first, then the quota, in one round trip.
-- No (tenant, key) may stand twice in the arguments. Answers one row per argument:
--   event_id      the first event's id where this is a duplicate
--   verdict       'new', 'pending' (known, not yet known to be stored), 'stored', or 'limited'
CREATE FUNCTION ingest.admit(tenants uuid[], keys bytea[], events uuid[])
RETURNS TABLE (ordinal bigint, event_id uuid, verdict text)
LANGUAGE sql
AS $$
WITH asked AS (
    SELECT t.tenant_id, t.key_hash, t.event_id, t.ordinal
    FROM unnest(tenants, keys, events) WITH ORDINALITY AS t (tenant_id, key_hash, event_id, ordinal)
),
claimed AS (
    INSERT INTO ingest.admission AS m (tenant_id, key_hash, event_id)
    SELECT a.tenant_id, a.key_hash, a.event_id
    FROM asked a
    ORDER BY a.tenant_id, a.key_hash  -- the same order everywhere, so that groups do not deadlock
    ON CONFLICT (tenant_id, key_hash) DO UPDATE SET
        event_id = CASE WHEN m.created_at < now() - interval '24 hours' THEN EXCLUDED.event_id ELSE m.event_id END,
        stored = m.stored AND m.created_at >= now() - interval '24 hours',
        created_at = CASE WHEN m.created_at < now() - interval '24 hours' THEN now() ELSE m.created_at END
    RETURNING m.tenant_id, m.key_hash, m.event_id, m.stored
),
answered AS (
    SELECT
        a.ordinal,
        a.tenant_id,
        c.event_id,
        c.stored,
        c.event_id = a.event_id AS fresh,
        row_number() OVER (PARTITION BY a.tenant_id, c.event_id = a.event_id ORDER BY a.ordinal) AS place
    FROM asked a
    JOIN claimed c ON c.tenant_id = a.tenant_id AND c.key_hash = a.key_hash
),
demand AS (
    SELECT n.tenant_id, count(*) AS wanted FROM answered n WHERE n.fresh GROUP BY n.tenant_id
),
locked AS (
    SELECT b.tenant_id
    FROM ingest.backlog b
    WHERE b.tenant_id IN (SELECT d.tenant_id FROM demand d)
    ORDER BY b.tenant_id
    FOR UPDATE
),
counted AS (
    UPDATE ingest.backlog b
    SET unfinished = b.unfinished + d.wanted
    FROM demand d
    JOIN locked l ON l.tenant_id = d.tenant_id
    WHERE b.tenant_id = d.tenant_id
    RETURNING b.tenant_id, b.unfinished - d.wanted AS before
)
SELECT
    n.ordinal,
    n.event_id,
    CASE
        WHEN NOT n.fresh AND n.stored THEN 'stored'
        WHEN NOT n.fresh THEN 'pending'
        WHEN coalesce(c.before + n.place > t.max_unfinished_events, true) THEN 'limited'
        ELSE 'new'
    END
FROM answered n
LEFT JOIN counted c ON c.tenant_id = n.tenant_id
LEFT JOIN ingest.tenants t ON t.id = n.tenant_id
ORDER BY n.ordinal
$$;
