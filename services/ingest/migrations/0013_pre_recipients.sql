-- Recipients per delivery, plans in several parts, and events that wait.

-- Whom an event is for, one row each. Versions before wrote its only recipient into ingest.events (user_id, email,
-- phone); such rows are read until they expire.
CREATE TABLE ingest.recipients (
    event_id uuid NOT NULL,
    -- services.domain.audience.destination; of an erased person: their pseudonym. In the order of bytes, whatever the
    -- database's is: replays go on after a destination, in SQL and in Python alike.
    destination text COLLATE "C" NOT NULL,
    tenant_id uuid NOT NULL,
    -- Empty: a person who is known by an address only.
    user_id text NOT NULL,
    -- By the channel's name; null: the person was erased.
    addresses jsonb,
    PRIMARY KEY (event_id, destination)
);
CREATE INDEX recipients_user ON ingest.recipients (user_id, event_id);

ALTER TABLE ingest.events
    -- The number of deliveries in the whole plan; null: the plan is not closed. A version before wrote planned only.
    ADD COLUMN total integer,
    -- For several recipients, a group or everybody; null: as known so far, for one.
    ADD COLUMN is_shared boolean,
    -- When it is to be sent; null: at once.
    ADD COLUMN due_at timestamptz,
    ADD COLUMN canceled_at timestamptz,
    ADD COLUMN canceled_by text,
    -- Before the last write of the row, so that each change is counted once: whether it was finished, and whether it had
    -- a time and was planned.
    ADD COLUMN was_finished boolean,
    ADD COLUMN was_due boolean;

ALTER TABLE ingest.deliveries
    -- Of ingest.recipients; null: the event's only recipient.
    ADD COLUMN destination text COLLATE "C",
    -- Null: the channel's name.
    ADD COLUMN step text,
    -- The status that ingest.event_counts counts this delivery under, and the one before the last write; null: none.
    ADD COLUMN counted smallint,
    ADD COLUMN counted_before smallint;

-- How many deliveries of an event have each status. Only of events whose plan came in several records; the deliveries of
-- the others are so few that they are counted when asked.
CREATE TABLE ingest.event_counts (
    event_id uuid NOT NULL,
    status smallint NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (event_id, status)
) WITH (fillfactor = 50);

-- Messages of EVENTS and TRACE that a later version wrote and this one does not understand, until one that does reads
-- them.
CREATE TABLE ingest.unknown_records (
    -- The event's or the record's.
    id text PRIMARY KEY,
    is_event boolean NOT NULL,
    -- Serialised.
    record bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);

-- Of a replay in the middle of an event with many recipients: the last one that is done; null: the event at position is
-- done.
ALTER TABLE ingest.replays ADD COLUMN position_destination text;
