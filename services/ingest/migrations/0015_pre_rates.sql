-- Keys with an expiry of their own, any number of rates for a tenant, and a quota of scheduled events.

ALTER TABLE ingest.admission
    -- null: 24 hours after created_at, as versions before wrote the row.
    ADD COLUMN expires_at timestamptz,
    -- The event waits for its time: it counts in backlog.scheduled.
    ADD COLUMN scheduled boolean NOT NULL DEFAULT false;

ALTER TABLE ingest.tenants
    -- The rates besides rate_limit_per_minute and daily_cap: a list of {scope, window_s, kind, bound}; kind is
    -- clarion.common.v1.LimitKind.
    ADD COLUMN rates jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN max_scheduled_events integer NOT NULL DEFAULT 100000;

-- Accepted events that wait for their time: these are not in unfinished.
ALTER TABLE ingest.backlog ADD COLUMN IF NOT EXISTS scheduled bigint NOT NULL DEFAULT 0;

-- What each rate of a tenant has granted: a log, oldest first, of when, and how much. A sliding window has one entry for
-- each group of events, a fixed window one entry with the time at which it began; either is gone when it is as old as
-- the window. Past a bound of 240 the groups of one 240th of a sliding window are one entry with the time of the last,
-- so a log has at most 241 entries. Written by admission; a rate without a row has granted nothing.
--
-- It replaces ingest.rates, which is read where there is no row here: so that what the version before granted counts.
-- ingest.rates stays for that version's processes, and goes in a later migration.
CREATE TABLE ingest.rate_windows (
    tenant_id uuid NOT NULL,
    -- Empty: all events of the tenant.
    scope text NOT NULL,
    window_s integer NOT NULL,
    -- clarion.common.v1.LimitKind: sliding or fixed.
    kind smallint NOT NULL,
    granted_at timestamptz[] NOT NULL,
    granted integer[] NOT NULL,
    PRIMARY KEY (tenant_id, scope, window_s, kind)
) WITH (fillfactor = 10, toast_tuple_target = 8160);
-- A log is in its row as it is: compressing it again for each group would cost more than everything else.
ALTER TABLE ingest.rate_windows ALTER COLUMN granted_at SET STORAGE MAIN, ALTER COLUMN granted SET STORAGE MAIN;

-- What versions before migration 0009 called.
DROP FUNCTION IF EXISTS ingest.admit(uuid[], bytea[], uuid[], integer[], double precision);
