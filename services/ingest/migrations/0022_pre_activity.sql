-- What became of deliveries, counted as it is written, for the overview (services/ingest/activity).
--
-- The counts of what is in the tables now are taken in the transaction that begins to count: it reads both tables, and
-- the ledger's writing waits for it.

-- One row for each tenant, time, channel, status and reason of a statement's rows: only added to, so that processes do
-- not wait for each other. The roll-up adds them to ingest.activity_sums.
CREATE TABLE ingest.activity_new (
    tenant_id uuid NOT NULL,
    -- The five minutes since 1970 in which the events were accepted.
    slot integer NOT NULL,
    -- clarion.common.v1.Channel; 0: of events.
    channel smallint NOT NULL,
    -- clarion.common.v1.DeliveryStatus; 0: accepted events, or sent deliveries by the time that they took.
    status smallint NOT NULL,
    reason text NOT NULL,
    -- Of ingest.duration_class: how long it took to send them; -1: these are counts of statuses.
    class smallint NOT NULL,
    -- Negative: so many have left this status.
    n bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- The sums of five minutes, of hours and of days beside each other. Those of all tenants together have the tenant
-- 00000000-0000-0000-0000-000000000000.
CREATE TABLE ingest.activity_sums (
    tenant_id uuid NOT NULL,
    -- How many slots it is the sum of: 1, 12 or 288.
    slots smallint NOT NULL,
    -- The first of them.
    slot integer NOT NULL,
    channel smallint NOT NULL,
    status smallint NOT NULL,
    reason text NOT NULL,
    n bigint NOT NULL,
    -- How many took how long: the first is of class 0 of ingest.duration_class. Null: it is a count of a status.
    durations bigint[],
    PRIMARY KEY (tenant_id, slots, slot, channel, status, reason)
) WITH (fillfactor = 70);
-- What is deleted.
CREATE INDEX activity_sums_slot ON ingest.activity_sums (slots, slot);

-- functions/activity.sql has these functions as they are now.
-- Returns when an event was accepted, in milliseconds since 1970: its id begins with the time.
CREATE OR REPLACE FUNCTION ingest.accepted_ms(id uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || encode(substr(uuid_send(id), 1, 6), 'hex'))::bit(48)::bigint;

-- Returns the number of the five minutes since 1970 in which an event was accepted. An id may say any time.
CREATE OR REPLACE FUNCTION ingest.slot_of(id uuid) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ingest.accepted_ms(id) / 300000)::integer;

-- Returns the time from when an event was accepted, or due, until at. The event's row may not be known yet.
CREATE OR REPLACE FUNCTION ingest.waited(id uuid, accepted_at timestamptz, due_at timestamptz, at timestamptz)
RETURNS interval LANGUAGE sql STABLE PARALLEL SAFE
RETURN at - greatest(
    coalesce(accepted_at, 'epoch'::timestamptz + ingest.accepted_ms(id) * interval '1 millisecond'), due_at
);

-- Returns the class of a duration: four for each doubling, the first up to a millisecond.
CREATE OR REPLACE FUNCTION ingest.duration_class(duration interval) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(127, floor(4 / ln(2::float8) * ln(greatest(extract(epoch FROM duration) * 1000, 1)::float8)))::smallint;

-- Deliveries by their status, and, where one is sent for the first time, how long that took since its event was
-- accepted or due.
CREATE OR REPLACE FUNCTION ingest.count_new_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ingest.activity_new (tenant_id, slot, channel, status, reason, class, n)
    SELECT n.tenant_id, ingest.slot_of(n.event_id), n.channel, n.status, n.reason, -1, count(*)
    FROM new_rows n
    GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT n.tenant_id, ingest.slot_of(n.event_id), n.channel, 0, '',
        ingest.duration_class((
            SELECT ingest.waited(n.event_id, max(e.accepted_at), max(e.due_at), n.updated_at)
            FROM ingest.events e WHERE e.id = n.event_id
        )), count(*)
    FROM new_rows n
    WHERE n.status IN (4, 5) AND n.replay = 0
    GROUP BY 1, 2, 3, 6;
    RETURN NULL;
END
$$;

-- Old and new rows are added up, not joined: the planner knows nothing of these tables, and would compare each with each.
CREATE OR REPLACE FUNCTION ingest.count_changed_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ingest.activity_new (tenant_id, slot, channel, status, reason, class, n)
    SELECT c.tenant_id, ingest.slot_of(c.event_id), c.channel, c.status, c.reason, -1, sum(c.n)
    FROM (
        SELECT n.tenant_id, n.event_id, n.channel, n.status, n.reason, 1 AS n FROM new_rows n
        UNION ALL
        SELECT b.tenant_id, b.event_id, b.channel, b.status, b.reason, -1 FROM old_rows b
    ) AS c
    GROUP BY 1, 2, 3, 4, 5
    HAVING sum(c.n) <> 0
    UNION ALL
    SELECT s.tenant_id, ingest.slot_of(s.event_id), s.channel, 0, '',
        ingest.duration_class((
            SELECT ingest.waited(s.event_id, max(e.accepted_at), max(e.due_at), s.updated_at)
            FROM ingest.events e WHERE e.id = s.event_id
        )), count(*)
    FROM (
        SELECT c.tenant_id, c.event_id, c.channel, max(c.updated_at) AS updated_at
        FROM (
            SELECT n.id, n.tenant_id, n.event_id, n.channel, n.updated_at, 1 AS n FROM new_rows n
            WHERE n.status IN (4, 5) AND n.replay = 0
            UNION ALL
            SELECT b.id, b.tenant_id, b.event_id, b.channel, b.updated_at, -1 FROM old_rows b
            WHERE ingest.is_terminal(b.status)
        ) AS c
        GROUP BY c.id, c.tenant_id, c.event_id, c.channel
        HAVING sum(c.n) = 1
    ) AS s
    GROUP BY 1, 2, 3, 6;
    RETURN NULL;
END
$$;

-- Accepted events (channel and status 0), and those of which nothing is sent, with the reason (channel 0, status
-- SKIPPED).
CREATE OR REPLACE FUNCTION ingest.count_new_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ingest.activity_new (tenant_id, slot, channel, status, reason, class, n)
    SELECT n.tenant_id, ingest.slot_of(n.id), 0, c.status, c.reason, -1, count(*)
    FROM new_rows n
    CROSS JOIN LATERAL (VALUES (0, ''), (3, CASE WHEN n.total = 0 THEN n.route_reason END)) AS c (status, reason)
    WHERE n.accepted_at IS NOT NULL AND c.reason IS NOT NULL
    GROUP BY 1, 2, 4, 5;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION ingest.count_changed_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ingest.activity_new (tenant_id, slot, channel, status, reason, class, n)
    SELECT c.tenant_id, ingest.slot_of(c.id), 0, v.status, v.reason, -1, sum(c.n)
    FROM (
        SELECT n.tenant_id, n.id, n.total, n.route_reason, 1 AS n FROM new_rows n WHERE n.accepted_at IS NOT NULL
        UNION ALL
        SELECT b.tenant_id, b.id, b.total, b.route_reason, -1 FROM old_rows b WHERE b.accepted_at IS NOT NULL
    ) AS c
    CROSS JOIN LATERAL (VALUES (0, ''), (3, CASE WHEN c.total = 0 THEN c.route_reason END)) AS v (status, reason)
    WHERE v.reason IS NOT NULL
    GROUP BY 1, 2, 4, 5
    HAVING sum(c.n) <> 0;
    RETURN NULL;
END
$$;

LOCK TABLE ingest.events, ingest.deliveries IN SHARE ROW EXCLUSIVE MODE;

CREATE TRIGGER activity_new AFTER INSERT ON ingest.deliveries REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ingest.count_new_deliveries();
CREATE TRIGGER activity_changed AFTER UPDATE ON ingest.deliveries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ingest.count_changed_deliveries();
CREATE TRIGGER activity_new AFTER INSERT ON ingest.events REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ingest.count_new_events();
CREATE TRIGGER activity_changed AFTER UPDATE ON ingest.events REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ingest.count_changed_events();

INSERT INTO ingest.activity_new (tenant_id, slot, channel, status, reason, class, n)
SELECT d.tenant_id, ingest.slot_of(d.event_id), d.channel, d.status, d.reason, -1, count(*)
FROM ingest.deliveries d
GROUP BY 1, 2, 3, 4, 5;
INSERT INTO ingest.activity_new (tenant_id, slot, channel, status, reason, class, n)
SELECT e.tenant_id, ingest.slot_of(e.id), 0, c.status, c.reason, -1, count(*)
FROM ingest.events e
CROSS JOIN LATERAL (VALUES (0, ''), (3, CASE WHEN e.total = 0 THEN e.route_reason END)) AS c (status, reason)
WHERE e.accepted_at IS NOT NULL AND c.reason IS NOT NULL
GROUP BY 1, 2, 4, 5;
