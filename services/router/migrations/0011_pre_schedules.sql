-- Events that are accepted again and again, at the times of a cron expression.
CREATE TABLE router.schedules (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    scope text NOT NULL,
    name text NOT NULL,
    cron text NOT NULL,
    -- IANA name; empty: UTC.
    timezone text NOT NULL,
    active boolean NOT NULL,
    -- clarion.ingest.v1.NewEvent
    event bytea NOT NULL,
    -- What is sent for next_at if the event was changed after a router had begun to work on that time; null: event.
    event_in_hand bytea,
    -- The next time, or the one that is being worked on; null: none.
    next_at timestamptz,
    -- When a router looks at it next; while one works on it: when its lease ends. Null: never.
    wake_at timestamptz,
    -- Raised by whatever finds the next time: who has read an older one sets none.
    revision bigint NOT NULL DEFAULT 0,
    -- How often in a row the event of next_at could not be accepted.
    tries smallint NOT NULL DEFAULT 0,
    last_at timestamptz,
    -- Of the last event that was accepted; empty: none was.
    last_event_id text NOT NULL DEFAULT '',
    -- Why the last time gave no event, or gives none yet (services/router/schedules/outcome.py); empty: it gave one.
    last_error text NOT NULL DEFAULT '',
    last_error_detail text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX schedules_waking ON router.schedules (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX schedules_of_tenant ON router.schedules (tenant_id, id);
