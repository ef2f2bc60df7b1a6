-- Stored workflows. All keys begin with the tenant, so that a row never refers to one of another tenant.
CREATE TABLE router.workflows (
    tenant_id uuid NOT NULL,
    -- UUIDv7: a workflow that was created later sorts later.
    id uuid NOT NULL,
    -- The environment whose events start it; null: those of all.
    environment_id uuid,
    name text NOT NULL,
    description text NOT NULL,
    -- Compared by bytes, as router.event_types.name.
    event_type text COLLATE "C" NOT NULL,
    is_active boolean NOT NULL,
    -- The current one of its rows in workflow_versions.
    version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, environment_id, name),
    FOREIGN KEY (tenant_id, environment_id) REFERENCES router.environments (tenant_id, id)
);

-- Publication follows it.
CREATE INDEX workflows_of_event_type ON router.workflows (tenant_id, event_type, id);

-- What a version says never changes.
CREATE TABLE router.workflow_versions (
    tenant_id uuid NOT NULL,
    workflow_id uuid NOT NULL,
    -- From 1.
    version integer NOT NULL,
    document json NOT NULL,
    -- As the audit log says; empty: unknown.
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, workflow_id, version),
    FOREIGN KEY (tenant_id, workflow_id) REFERENCES router.workflows (tenant_id, id) ON DELETE CASCADE
);
