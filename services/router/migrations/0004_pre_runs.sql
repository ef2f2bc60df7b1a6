-- Events that the router keeps in mind: they wait for their time, or their recipients are read page by page.
CREATE TABLE router.runs (
    -- UUIDv8 by hash, beginning with the event's time (services/router/runs/run.py).
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    event_type text NOT NULL,
    scope text NOT NULL,
    -- A share of the tenants, by hash (services/router/runs/run.py): lanes are served in turn.
    lane smallint NOT NULL,
    -- clarion.router.v1.RunState
    state smallint NOT NULL,
    -- When its caller wants it to be sent; null: at once.
    due_at timestamptz,
    -- When a router looks at it next; while one works on it: when its lease ends. Null: nothing is left to do.
    wake_at timestamptz,
    -- Whether it has more recipients than a few, and so waits for its turn among the large ones.
    is_large boolean NOT NULL,
    -- Raised by what decides: who has read an older one decides nothing.
    revision bigint NOT NULL DEFAULT 0,
    -- The last page is decided, or the run was canceled.
    is_closed boolean NOT NULL DEFAULT false,
    -- Where the next page of recipients begins; empty: at the start.
    page_after text NOT NULL DEFAULT '',
    -- The last stored recipient when the first page was read: later ones are on no page. Empty: no page was read.
    page_upto text NOT NULL DEFAULT '',
    recipients bigint NOT NULL DEFAULT 0,
    sends bigint NOT NULL DEFAULT 0,
    skips bigint NOT NULL DEFAULT 0,
    -- Why the next page waits; empty: it does not.
    held_back text NOT NULL DEFAULT '',
    -- How often in a row it could not be decided because of our own fault.
    crashes smallint NOT NULL DEFAULT 0,
    -- clarion.common.v1.Event; without its body where sequence is set. Empty when the run has ended.
    event bytea NOT NULL,
    -- Where deliveries find the body, if it is not in event: the event's sequence in EVENTS, and the body's bytes; else 0.
    sequence bigint NOT NULL,
    body_size integer NOT NULL,
    -- clarion.router.v1.RunOutput: decided, and not known to be published.
    output bytea,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX runs_waking ON router.runs (is_large, lane, wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX runs_of_tenant ON router.runs (tenant_id, id);
CREATE INDEX runs_in_state ON router.runs (state, id);
-- Those of a tenant that may still hold data about people.
CREATE INDEX runs_unfinished ON router.runs (tenant_id, id) WHERE finished_at IS NULL;
CREATE INDEX runs_finished ON router.runs (finished_at) WHERE finished_at IS NOT NULL;

-- Events that were canceled, with or without a run: published, and kept for a week.
CREATE TABLE router.canceled_events (
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    canceled_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX canceled_events_at ON router.canceled_events (canceled_at);
