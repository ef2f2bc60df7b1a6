-- What stored workflows did, and secrets.

ALTER TABLE ingest.events
    -- It starts stored workflows. Null: it does not, or it was not read yet.
    ADD COLUMN has_workflows boolean,
    -- Its payload is deleted when it is finished.
    ADD COLUMN is_secret boolean;

-- Null: no stored workflow plans it; of one that was not started for somebody there is no run.
ALTER TABLE ingest.deliveries
    ADD COLUMN workflow_id uuid,
    ADD COLUMN workflow_run_id uuid;

-- How many deliveries of a stored workflow's step have each status; of the events that have ingest.event_counts.
CREATE TABLE ingest.workflow_counts (
    event_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    step text NOT NULL,
    channel smallint NOT NULL,
    status smallint NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (event_id, workflow_id, step, channel, status)
) WITH (fillfactor = 50);

-- What workflow runs did besides sending: see clarion.common.v1.WorkflowStep. A run passes each step once, so what is
-- read again, or planned again, is the same row.
CREATE TABLE ingest.workflow_steps (
    event_id uuid NOT NULL,
    workflow_run_id uuid NOT NULL,
    -- Empty: the run as a whole.
    step text NOT NULL,
    outcome text NOT NULL,
    tenant_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    workflow_version integer NOT NULL,
    -- Whose run it is; see ingest.recipients.
    destination text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    -- Among the steps of the same time.
    place smallint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    -- Null: it does not wait.
    until_at timestamptz,
    PRIMARY KEY (event_id, workflow_run_id, step, outcome)
);

-- Events that name a person by identifiers which belong to two people.
CREATE TABLE ingest.contact_conflicts (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    -- The recipient ids of who is meant, and of who has the other identifier.
    meant text NOT NULL,
    other text NOT NULL,
    -- "email", "phone".
    identifier text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (event_id, meant, other, identifier)
);
-- Of the person who is not meant: there may be nothing else of them in the event.
CREATE INDEX contact_conflicts_other ON ingest.contact_conflicts (tenant_id, other);
