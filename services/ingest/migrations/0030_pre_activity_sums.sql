-- Sums of five minutes, of hours and of days beside each other, so that a chart reads one row where it read hundreds; and
-- indexes that let the ledger change an event's row without a new entry in every index.

-- The sums. Those of all tenants together have the tenant 00000000-0000-0000-0000-000000000000.
CREATE TABLE ingest.activity_sums (
    tenant_id uuid NOT NULL,
    -- How many slots it is the sum of: 1, 12 or 288.
    slots smallint NOT NULL,
    -- The first of them; see ingest.activity_new.
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

-- They are rolled up anew. A process of the version before can add nothing to a table that is gone, so nothing is lost.
LOCK TABLE ingest.activity IN ACCESS EXCLUSIVE MODE;
INSERT INTO ingest.activity_new (tenant_id, slot, channel, status, reason, class, n)
SELECT a.tenant_id, a.slot, a.channel, a.status, a.reason, a.class, a.n
FROM ingest.activity a
WHERE a.tenant_id <> '00000000-0000-0000-0000-000000000000';
DROP TABLE ingest.activity;

LOCK TABLE ingest.events IN SHARE MODE;
-- An update keeps all index entries unless it changes a column that an index names. A plan sets routed_at and total.
DROP INDEX ingest.events_open;
CREATE INDEX events_open ON ingest.events (tenant_id, id) WHERE finished_at IS NULL AND due_at IS NULL;
-- Events that wait for their time, or are under way since.
CREATE INDEX events_due ON ingest.events (tenant_id, due_at) WHERE finished_at IS NULL AND due_at IS NOT NULL;
DROP INDEX ingest.events_reason;
CREATE INDEX events_reason ON ingest.events (tenant_id, route_reason, id) WHERE route_reason <> '';
