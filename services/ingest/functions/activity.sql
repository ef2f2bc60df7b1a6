-- Counts what became of deliveries and events, for the overview (services/ingest/activity). Triggers of statements call
-- these functions, so that whoever writes the rows, a process of an earlier version included, is counted in its own
-- transaction: a row that is written again and does not change its status is not counted again.

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

-- Returns the numbers of messages by class, the first of class 0, from classes and their numbers; null without any.
CREATE OR REPLACE FUNCTION ingest.durations_of(classes smallint[], numbers numeric[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT array_agg(coalesce(u.n, 0)::bigint ORDER BY c.class)
    FROM generate_series(0, (SELECT max(m.class) FROM unnest(classes) AS m (class))) AS c (class)
    LEFT JOIN unnest(classes, numbers) AS u (class, n) ON u.class = c.class
);

-- Returns the sums of two such lists, which may have different lengths; null if both are null.
CREATE OR REPLACE FUNCTION ingest.added_durations(one bigint[], other bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT array_agg(coalesce(u.one, 0) + coalesce(u.other, 0) ORDER BY u.class)
    FROM unnest(one, other) WITH ORDINALITY AS u (one, other, class)
);
