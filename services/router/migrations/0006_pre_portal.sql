-- Links to the portal that were not opened yet, and the sessions that they opened. They end with their application.
CREATE TABLE router.portal_access (
    -- SHA-256 of the code or of the session's token; neither is stored.
    digest bytea PRIMARY KEY,
    tenant_id uuid NOT NULL,
    application_id uuid NOT NULL,
    is_session boolean NOT NULL,
    -- clarion.router.v1.PortalRole
    role smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, application_id) REFERENCES router.applications (tenant_id, id) ON DELETE CASCADE
);

-- The bound of one application, and the check of the foreign key.
CREATE INDEX portal_access_of_application ON router.portal_access (tenant_id, application_id);
-- What has ended is deleted.
CREATE INDEX portal_access_by_end ON router.portal_access (expires_at);
