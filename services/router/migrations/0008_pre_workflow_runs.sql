-- Of an event that starts stored workflows: its workflow runs that have not ended, and whether its last page is decided.
ALTER TABLE router.runs
    ADD COLUMN open_runs bigint NOT NULL DEFAULT 0,
    ADD COLUMN is_read boolean NOT NULL DEFAULT false;

-- Ended events whose workflow runs are still to be ended.
CREATE INDEX runs_left_open ON router.runs (id) WHERE is_closed AND open_runs > 0;

-- One workflow for one person: where it is. Workflows that send everything at once have none.
CREATE TABLE router.workflow_runs (
    -- UUIDv8 by hash, beginning with the event's time (services/router/workflow_runs/run.py).
    id uuid PRIMARY KEY,
    -- runs.id of its event
    run_id uuid NOT NULL,
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    version integer NOT NULL,
    -- Whose it is within the event (services/domain/audience.py), and the tenant's id of them; empty: they have none.
    destination text NOT NULL,
    recipient_id text NOT NULL,
    -- clarion.common.v1.Recipient as the event describes them; null: they are stored, or the run has ended.
    recipient bytea,
    lane smallint NOT NULL,
    is_large boolean NOT NULL,
    -- clarion.router.v1.WorkflowRunState
    state smallint NOT NULL,
    -- When a router looks at it next; while one works on it: when its lease ends. Null: nothing is left to do, or it sleeps
    -- because its event is paused.
    wake_at timestamptz,
    -- When it goes on once its output is published; null: it has ended.
    next_at timestamptz,
    -- Raised by what decides: who has read an older one decides nothing.
    revision bigint NOT NULL DEFAULT 0,
    -- JSON: services/router/workflows/state.py.
    position bytea NOT NULL,
    -- clarion.common.v1.WorkflowSteps: what it did until now, besides sending; the newest of them.
    steps bytea NOT NULL DEFAULT '',
    -- clarion.router.v1.RunOutput: decided, and not known to be published.
    output bytea,
    held_back text NOT NULL DEFAULT '',
    crashes smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX workflow_runs_waking ON router.workflow_runs (is_large, lane, wake_at) WHERE wake_at IS NOT NULL;
-- Those that sleep because their event is paused.
CREATE INDEX workflow_runs_asleep ON router.workflow_runs (run_id, id)
    WHERE held_back = 'paused' AND wake_at IS NULL AND state IN (1, 2);
CREATE INDEX workflow_runs_of_event ON router.workflow_runs (run_id, id);
CREATE INDEX workflow_runs_of_tenant ON router.workflow_runs (tenant_id, id);
CREATE INDEX workflow_runs_of_workflow ON router.workflow_runs (tenant_id, workflow_id, id);
CREATE INDEX workflow_runs_of_recipient ON router.workflow_runs (tenant_id, recipient_id, id);
-- The versions that runs are on, and how many go on.
CREATE INDEX workflow_runs_open ON router.workflow_runs (tenant_id, workflow_id, version) WHERE state IN (1, 2);
CREATE INDEX workflow_runs_finished ON router.workflow_runs (finished_at) WHERE finished_at IS NOT NULL;

-- Until when a workflow is not started again for a person. The run that took it passes again.
CREATE TABLE router.cooldowns (
    tenant_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    recipient_id text NOT NULL,
    workflow_run_id uuid NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, workflow_id, recipient_id)
);
CREATE INDEX cooldowns_of_recipient ON router.cooldowns (tenant_id, recipient_id);
CREATE INDEX cooldowns_ended ON router.cooldowns (until);

-- What is shown of a workflow run: those of an event that has ended count as canceled before their rows say so.
CREATE VIEW router.shown_workflow_runs AS
SELECT w.id, w.run_id, w.event_id, w.tenant_id, w.workflow_id, f.name AS workflow_name, w.version, w.recipient_id,
    CASE WHEN r.is_closed AND w.state IN (1, 2) THEN 4::smallint ELSE w.state END AS state,
    w.position, w.steps, w.wake_at, w.held_back, w.created_at, w.updated_at, w.finished_at
FROM router.workflow_runs w
LEFT JOIN router.runs r ON r.id = w.run_id
LEFT JOIN router.workflows f ON f.tenant_id = w.tenant_id AND f.id = w.workflow_id;
